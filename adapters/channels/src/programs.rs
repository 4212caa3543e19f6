//! Which programs beside us have not ended yet.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// The longest that is waited: a last word, and the time that a program has to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// The bridges of several adapters. One that is left has some seconds to put away what it holds, longer than its adapter
/// lives: whoever ends the process waits for that here, or kills them with it.
#[derive(Clone, Default, Debug)]
pub struct Programs(TaskTracker);

impl Programs {
    /// Waits until all have ended, at most as long as they are given. Their adapters should be dropped by then.
    pub async fn ended(&self) {
        self.0.close();
        if timeout(FAREWELL, self.0.wait()).await.is_err() {
            tracing::warn!("a bridge is still there, and is killed");
        }
    }

    /// Begins to deal with one.
    pub(crate) fn begin<F: Future>(&self, dealing: F) -> impl Future<Output = F::Output> + use<F> {
        self.0.track_future(dealing)
    }
}
