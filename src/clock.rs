//! Time and randomness, injected so that tests control both.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::TryRng;
use serde::{Deserialize, Serialize};

/// A moment in UTC, in whole milliseconds since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01 UTC; may be negative.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Parses an ISO-8601 / RFC 3339 stamp with an offset, as `2026-03-26T03:37:00.000Z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// How long ago `self` was at `now`; zero if it lies in the future.
    #[must_use]
    pub fn age_at(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(now.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// The moment `duration` later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// As a number of milliseconds since 1970, for serde: the form of the files about devices.
pub(crate) mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp)
    }

    /// As [`super::millis`], where there may be none.
    pub(crate) mod option {
        use serde::{Deserialize as _, Deserializer, Serializer};

        use super::Timestamp;

        #[expect(clippy::ref_option, reason = "serde's signature")]
        pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => to.serialize_some(&at.0),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
            Ok(Option::<i64>::deserialize(from)?.map(Timestamp))
        }
    }
}

/// UTC ISO-8601 with milliseconds and `Z`: the form of the shared files.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            // Outside the years that the calendar knows: show the number rather than a wrong date.
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// How long the machine has been running, suspended or not: no step of the wall clock changes that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Uptime {
    /// Which start of the machine it is counted from.
    pub boot: u64,
    /// Milliseconds since then.
    pub at: u64,
}

impl Uptime {
    /// How much time went by since `earlier`; `None` where that can't be told: before another start, or in a container that
    /// counts from elsewhere.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let went_by = self.at.checked_sub(earlier.at).filter(|_| self.boot == earlier.boot);
        went_by.map(Duration::from_millis)
    }
}

/// A moment by the wall clock, and by the machine's own where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// By the wall clock, which may step.
    pub wall: Timestamp,
    /// By the machine's own.
    pub uptime: Option<Uptime>,
}

impl From<Timestamp> for Moment {
    fn from(wall: Timestamp) -> Self {
        Self { wall, uptime: None }
    }
}

/// Where the gate's time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time. It may jump; every rule that uses it says what a jump does.
    fn now(&self) -> Timestamp;

    /// How long the machine has been running; `None` where nothing tells.
    fn uptime(&self) -> Option<Uptime> {
        None
    }

    /// This moment, by both.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), uptime: self.uptime() }
    }

    /// Milliseconds of a clock that never goes back, cheap to read and coarse (a few milliseconds).
    fn ticks(&self) -> u64;

    /// Blocks the calling thread for `duration`, as while waiting for a lock.
    fn pause(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let at = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Timestamp(millis(at))
    }

    #[cfg(target_os = "linux")]
    fn uptime(&self) -> Option<Uptime> {
        /// Half of the random id that the kernel gave to this start; it is the same in all containers that do not hide it.
        static BOOT: std::sync::LazyLock<Option<u64>> = std::sync::LazyLock::new(|| {
            let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
            u64::from_str_radix(id.replace('-', "").get(..16)?, 16).ok()
        });
        let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Some(Uptime { boot: (*BOOT)?, at: u64::try_from(millis(at)).ok()? })
    }

    fn ticks(&self) -> u64 {
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::MonotonicCoarse;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        let at = rustix::time::clock_gettime(id);
        u64::try_from(millis(at)).unwrap_or(0)
    }

    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

fn millis(at: rustix::time::Timespec) -> i64 {
    at.tv_sec.saturating_mul(1_000).saturating_add(at.tv_nsec / 1_000_000)
}

/// Where codes and request ids come from.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with unpredictable bytes.
    ///
    /// # Errors
    /// When the generator has none to give; the caller then issues nothing.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The generator of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

// INVARIANT I12: codes come from the operating system's generator.
impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        rand::rngs::SysRng.try_fill_bytes(buffer).map_err(|_| NoEntropy)
    }
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes; no code can be made until it does")]
pub struct NoEntropy;

/// Draws a UUID of version 4 (RFC 9562 §5.4).
///
/// # Errors
/// [`NoEntropy`] if the generator has none to give.
pub fn draw_uuid(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes)?;
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let digits = format!("{number:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Ok(format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

/// Time and randomness together, as everything that decides holds them.
#[derive(Clone)]
pub struct World {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The generator.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_long_it_has_been_running() {
        let then = SystemClock.uptime().unwrap();
        assert!(SystemClock.uptime().unwrap().since(then).is_some());
        let elsewhere = Uptime { boot: !then.boot, ..then };
        assert_eq!((then.since(elsewhere), then.since(Uptime { at: then.at + 1, ..then })), (None, None));
    }
}
