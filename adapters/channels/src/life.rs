//! The life of a channel that connects: one connection after another, until it is told to stop or refused for good.

use std::time::Duration;

use dmgate::{ChannelError, ChannelStatus, World};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, wait};
use crate::status::StatusCell;

/// The first and the longest wait between two connections.
pub(crate) const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(60);

/// A channel that receives does not stay away for longer, whatever it is asked: one answer that is wrong must not silence it.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);

/// How a connection ended. No text in it holds a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// We ended it.
    Stopped,
    /// The other side wants us to come again at once, as platforms do that move us to another server.
    Again,
    /// It broke, or was refused for now.
    Lost(String),
    /// The same, and we are asked to wait so long; [`LONGEST_ASKED`] at most.
    Slow(String, Duration),
    /// The platform refuses us, and trying again won't help.
    Refused(String),
    /// The owner has to log in again.
    NeedsLogin(String),
}

/// Connects by `connection`, and connects again, until `shutdown`. A connection that is in says so by its status; one
/// that ends before is not waited for any the less.
pub(crate) async fn stay_connected<F: Future<Output = End>>(
    world: &World,
    (first, longest): (Duration, Duration),
    status: &StatusCell,
    shutdown: &CancellationToken,
    mut connection: impl FnMut() -> F,
) -> Result<(), ChannelError> {
    let mut backoff = Backoff::new(world.clone(), first, longest);
    while !shutdown.is_cancelled() {
        let begun = Instant::now();
        let end = connection().await;
        let was_good = begun.elapsed() >= GOOD;
        if was_good {
            backoff.reset();
        }
        let (reason, asked) = match end {
            End::Stopped => break,
            // Once; whoever sends us away again and again is waited for.
            End::Again if was_good => continue,
            End::Again => ("the platform sends us away".to_owned(), Duration::ZERO),
            End::Lost(reason) => (reason, Duration::ZERO),
            End::Slow(reason, asked) => (reason, asked),
            End::Refused(reason) => {
                status.set(ChannelStatus::Refused(reason.clone()));
                return Err(ChannelError(reason));
            }
            End::NeedsLogin(reason) => {
                status.set(ChannelStatus::NeedsLogin(reason.clone()));
                return Err(ChannelError(reason));
            }
        };
        status.set(ChannelStatus::Connecting(Some(reason)));
        if !wait(backoff.next().max(asked.min(LONGEST_ASKED)), shutdown).await {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use dmgate::AccountKey;

    use super::*;

    /// When connections begin, whose ends are these, and how it all ends.
    async fn lived(ends: Vec<(u64, End)>) -> (Vec<u64>, Result<(), String>, ChannelStatus) {
        let status = StatusCell::new(AccountKey::parse("telegram", "default").unwrap());
        let shutdown = CancellationToken::new();
        let (start, mut begun) = (Instant::now(), Vec::new());
        let mut ends: VecDeque<_> = ends.into();
        let connection = || {
            begun.push(start.elapsed().as_secs());
            let (lasts, end) = ends.pop_front().unwrap_or((0, End::Stopped));
            async move {
                tokio::time::sleep(Duration::from_secs(lasts)).await;
                end
            }
        };
        // Each wait is between half and all of two seconds, then four …
        let retry = (Duration::from_secs(2), Duration::from_secs(8));
        let outcome = stay_connected(&World::default(), retry, &status, &shutdown, connection).await;
        (begun, outcome.map_err(|ChannelError(reason)| reason), status.get())
    }

    fn lost() -> End {
        End::Lost("broke".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_until_a_connection_was_good() {
        let (begun, outcome, status) =
            lived(vec![(0, lost()), (0, lost()), (0, lost()), (60, lost()), (0, End::Stopped)]).await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(status, ChannelStatus::Connecting(Some("broke".to_owned())));
        let waits: Vec<u64> = begun.windows(2).map(|two| two[1] - two[0]).collect();
        for (wait, range) in waits.iter().zip([1..=2, 2..=4, 4..=8, 61..=62]) {
            assert!(range.contains(wait), "{waits:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_asked_to_wait_waits_and_who_is_asked_back_does_not() {
        let slow = End::Slow("slow down".to_owned(), Duration::from_secs(30));
        let (begun, ..) = lived(vec![(0, slow), (60, End::Again), (0, End::Again), (0, End::Stopped)]).await;
        assert_eq!(begun[..3], [0, 30, 90]);
        assert!(begun[3] > 90, "not in a circle: {begun:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_silenced_for_years() {
        let slow = || End::Slow("slow down".to_owned(), Duration::MAX);
        let (begun, ..) = lived(vec![(0, slow()), (0, slow()), (0, End::Stopped)]).await;
        assert_eq!(begun, [0, 900, 1_800]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_stays_away() {
        let (begun, outcome, status) = lived(vec![(0, End::Refused("banned".to_owned()))]).await;
        assert_eq!((begun.len(), outcome), (1, Err("banned".to_owned())));
        assert_eq!(status, ChannelStatus::Refused("banned".to_owned()));
        let (_, outcome, status) = lived(vec![(0, End::NeedsLogin("scan".to_owned()))]).await;
        assert_eq!((outcome, status), (Err("scan".to_owned()), ChannelStatus::NeedsLogin("scan".to_owned())));
    }
}
