//! How fast lines may follow each other before a server calls it a flood.

use std::time::Duration;

use tokio::time::Instant;

/// Lines that may come at once.
const BURST: u32 = 4;

/// The time in which one more line is earned.
const EARN: Duration = Duration::from_secs(2);

/// A budget of lines.
pub(super) struct Pacing {
    /// The moment at which nothing was, or will be, owed any more.
    clear: Instant,
}

impl Pacing {
    pub(super) fn new() -> Self {
        Self { clear: Instant::now() }
    }

    /// When the next line may go.
    pub(super) fn next(&self) -> Instant {
        self.clear.checked_sub(EARN * (BURST - 1)).unwrap_or(self.clear)
    }

    /// Notes a line that goes now.
    pub(super) fn spend(&mut self) {
        self.clear = self.clear.max(Instant::now()) + EARN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn four_lines_at_once_then_one_every_two_seconds() {
        let mut pacing = Pacing::new();
        let start = Instant::now();
        let mut at = Vec::new();
        for _ in 0..7 {
            tokio::time::sleep_until(pacing.next()).await;
            at.push(start.elapsed().as_secs());
            pacing.spend();
        }
        assert_eq!(at, [0, 0, 0, 0, 2, 4, 6]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let rested = Instant::now();
        for _ in 0..4 {
            tokio::time::sleep_until(pacing.next()).await;
            pacing.spend();
        }
        assert_eq!(rested.elapsed(), Duration::ZERO, "rest earns a burst, and no more");
        assert_eq!(pacing.next(), rested + EARN);
    }
}
