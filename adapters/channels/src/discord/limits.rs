//! How much Discord lets us say: it tells with every answer, for each channel and for all together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::client::LONGEST_WAIT as LONGEST;
use crate::kept::Latest;

/// When the next call may be made.
#[derive(Default)]
pub(super) struct Limits(Mutex<Until>);

#[derive(Default)]
struct Until {
    all: Option<Instant>,
    channels: Latest<u64, Instant, 1_024>,
}

impl Limits {
    /// How long calls to a channel have to wait.
    pub(super) fn wait(&self, channel: u64) -> Duration {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = until.all.into_iter().chain(until.channels.get(&channel).copied()).max();
        latest.map_or(Duration::ZERO, |latest| latest.saturating_duration_since(Instant::now()))
    }

    /// Notes a wait that was asked for: for one channel, or for everything.
    pub(super) fn note(&self, channel: Option<u64>, wait: Duration) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moment = Instant::now() + wait.min(LONGEST);
        match channel {
            Some(channel) => until.channels.put(channel, moment),
            None => until.all = until.all.max(Some(moment)),
        }
    }
}

/// How long an answer's head asks to wait: nothing is left of what was allowed.
pub(super) fn used_up(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let nothing_left = text("x-ratelimit-remaining")?.trim() == "0";
    text("x-ratelimit-reset-after")?.trim().parse().ok().filter(|_| nothing_left).and_then(seconds)
}

/// A wait, as Discord writes it: seconds with a fraction.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_years() {
        let limits = Limits::default();
        limits.note(Some(1), Duration::MAX);
        limits.note(None, Duration::from_secs(u64::MAX));
        assert_eq!((limits.wait(1), limits.wait(2)), (LONGEST, LONGEST));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_one_channels_or_everyones() {
        let limits = Limits::default();
        limits.note(Some(1), Duration::from_secs(3));
        assert_eq!((limits.wait(1), limits.wait(2)), (Duration::from_secs(3), Duration::ZERO));
        limits.note(None, Duration::from_secs(2));
        limits.note(None, Duration::from_secs(1));
        assert_eq!((limits.wait(1), limits.wait(2)), (Duration::from_secs(3), Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((limits.wait(1), limits.wait(2)), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn only_where_nothing_is_left_is_waited() {
        let head = |remaining: &str, after: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-ratelimit-remaining", remaining.parse().unwrap());
            headers.insert("x-ratelimit-reset-after", after.parse().unwrap());
            used_up(&headers)
        };
        assert_eq!(head("0", "1.25"), Some(Duration::from_millis(1_250)));
        assert_eq!(head("1", "1.25"), None);
        assert_eq!(head("0", "1e300"), Some(LONGEST).filter(|_| false), "more than there is");
        assert_eq!(head("0", "1e9"), Some(LONGEST));
        for garbage in ["-1", "NaN", "x", ""] {
            assert_eq!(head("0", garbage), None, "{garbage}");
        }
        assert_eq!(used_up(&HeaderMap::new()), None);
    }
}
