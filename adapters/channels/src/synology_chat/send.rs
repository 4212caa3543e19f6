//! Texts to the NAS.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::SynologyChat;

/// The shortest time between two texts; a NAS refuses what comes faster.
const BETWEEN: Duration = Duration::from_millis(500);

/// When the next text may go.
#[derive(Default)]
pub(super) struct Pacing(Mutex<Option<Instant>>);

impl Pacing {
    /// Waits for its turn.
    pub(super) async fn turn(&self) {
        let mut next = self.0.lock().await;
        if let Some(next) = *next {
            sleep_until(next).await;
        }
        *next = Some(Instant::now() + BETWEEN);
    }
}

/// Sends one text.
pub(super) async fn text(
    chat: &SynologyChat,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let Some(user) = user(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a user".to_owned() });
    };
    chat.pacing.turn().await;
    chat.api.send(user, &text.body).await.map_err(|error| error.outcome(is_hopeless))
}

/// The user behind a route.
pub(super) fn user(route: &ReplyRoute) -> Option<u64> {
    let user: u64 = route.as_str().parse().ok()?;
    (user > 0 && user.to_string() == route.as_str()).then_some(user)
}

/// Whether a refusal is for good: the text is none that the NAS takes.
fn is_hopeless(code: i64, _description: &str) -> bool {
    code == 117
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn texts_are_half_a_second_apart_and_whoever_waited_long_enough_goes_at_once() {
        let (pacing, begun) = (Pacing::default(), Instant::now());
        for expected in [0, 500, 1_000] {
            pacing.turn().await;
            assert_eq!(begun.elapsed(), Duration::from_millis(expected));
        }
        tokio::time::advance(Duration::from_secs(9)).await;
        pacing.turn().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }
}
