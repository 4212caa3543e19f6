//! The hour of a sender who was given a code.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Timestamp, Uptime};
use crate::message::ReplyRoute;
use crate::pairing::RequestId;
use crate::policy::HOUR;

/// A code was given to a sender.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hour {
    /// The request.
    pub request: RequestId,
    /// The account.
    pub account: String,
    /// Primary id, then aliases.
    pub ids: Vec<String>,
    /// When the code was made, Unix milliseconds by the clock of then.
    pub at: i64,
    /// How long the code works, milliseconds.
    pub ttl: u64,
    /// From when the hour is counted if `at` lay in the future when it was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// When the code was made by the machine's own clock, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Uptime>,
    /// The way to the sender, if we know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<ReplyRoute>,
}

/// For how long an hour is kept after it began.
const KEPT_FOR: Duration = Duration::from_secs(25 * 3_600);

impl Hour {
    /// How long its code works.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl)
    }

    /// Whether the hour still runs at `now`: a new code needs strictly more than 3,600 seconds.
    ///
    /// A stamp later than now (a clock that ran ahead) counts from when it was first seen; the original stamp counts
    /// again when the clock reaches it, so that a clock that steps back and forth opens no gap. And it runs as long as the
    /// machine's own clock says so, whatever the wall clock says; that more than an hour went by there ends nothing early,
    /// since a container may count from elsewhere.
    // INVARIANT I2: two codes of one sender are at least one hour apart, also when the clock steps.
    #[must_use]
    pub fn counts_at(&self, now: Moment) -> bool {
        self.runs_on_at(now) || self.counts_by_the_wall_at(now.wall)
    }

    fn counts_by_the_wall_at(&self, now: Timestamp) -> bool {
        let within = |from: i64| {
            let from = Timestamp::from_millis(from);
            from <= now && from.age_at(now) <= HOUR
        };
        let ahead = self.at > now.as_millis();
        match self.from {
            None => ahead || within(self.at),
            Some(from) => from > now.as_millis() || within(from) || within(self.at),
        }
    }

    /// Whether the machine's own clock says that it runs.
    fn runs_on_at(&self, now: Moment) -> bool {
        let went_by = now.uptime.zip(self.uptime).and_then(|(now, then)| now.since(then));
        went_by.is_some_and(|went_by| went_by <= HOUR)
    }

    /// Whether it counts, or may count again after the clock was set back: it ran out less than a day ago.
    pub(super) fn may_count_after(&self, now: Moment) -> bool {
        let last = Timestamp::from_millis(self.at.max(self.from.unwrap_or(self.at)));
        last.age_at(now.wall) <= KEPT_FOR || self.runs_on_at(now)
    }

    /// Whether its stamp has to be moved: it lies ahead, and no earlier moment stands in for it.
    #[must_use]
    pub fn is_ahead_of(&self, now: Timestamp) -> bool {
        self.from.unwrap_or(self.at) > now.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = 3_600_000;

    fn hour(at: i64, from: Option<i64>) -> Hour {
        let (request, ids) = (RequestId::from_text("r"), vec!["1".into()]);
        Hour { request, account: "default".into(), ids, at, ttl: 3_600_000, from, uptime: None, route: None }
    }

    #[test]
    fn i2_an_hour_is_strict_and_survives_clock_steps() {
        let at = |millis| Moment::from(Timestamp::from_millis(millis));
        assert!(hour(0, None).counts_at(at(H)));
        assert!(!hour(0, None).counts_at(at(H + 1)));
        // The clock stepped back by two hours: counted from when it was seen there …
        let moved = hour(2 * H, Some(0));
        assert!(moved.counts_at(at(H)) && !moved.counts_at(at(H + 1)));
        // … and, when the clock is right again, from the original stamp.
        assert!(moved.counts_at(at(2 * H)) && moved.counts_at(at(3 * H)) && !moved.counts_at(at(3 * H + 1)));
        // It stepped back further than to where it was first seen.
        assert!(hour(9 * H, Some(5 * H)).counts_at(at(0)));
        assert!(hour(2 * H, None).counts_at(at(0)) && hour(2 * H, None).is_ahead_of(at(0).wall));
    }

    #[test]
    fn i2_an_hour_runs_as_long_as_the_machines_own_clock_says() {
        let uptime = |boot, at| Some(Uptime { boot, at });
        let hour = Hour { uptime: uptime(1, 5_000), ..hour(0, None) };
        let in_a_year = |uptime| Moment { wall: Timestamp::from_millis(365 * 24 * H), uptime };
        let counts = |uptime| (hour.counts_at(in_a_year(uptime)), hour.may_count_after(in_a_year(uptime)));
        assert_eq!(counts(uptime(1, 5_000)), (true, true));
        assert_eq!(counts(uptime(1, 3_605_000)), (true, true));
        for other in [uptime(1, 3_605_001), uptime(1, 4_999), uptime(2, 5_000), None] {
            assert_eq!(counts(other), (false, false), "{other:?}");
        }
        // It proves that time went by, and yet ends nothing early.
        assert!(hour.counts_at(Moment { wall: Timestamp::from_millis(1), uptime: uptime(1, 9_000_000) }));
    }
}
