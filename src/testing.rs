//! For tests: a clock under the test's control, repeatable randomness, faults of the disk, and the conformance suite of
//! stores.

mod suite;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Entropy, NoEntropy, Timestamp, Uptime, World};
pub use suite::{Again, Subject, store_suite};

pub use crate::store::fault::{Armed, Fault, Step, on_every_thread, on_this_thread};

/// A clock that moves when the test says so, and while somebody waits on it.
#[derive(Clone)]
pub struct ManualClock(Arc<Times>);

struct Times {
    now: AtomicI64,
    ticks: AtomicU64,
    boot: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `millis` since 1970, of a machine of its own.
    #[must_use]
    pub fn at(millis: i64) -> Self {
        let boot = RandomState::new().hash_one(millis);
        Self(Arc::new(Times { now: millis.into(), ticks: 1_000_000.into(), boot: boot.into() }))
    }

    /// A clock that shows the machine's time now: files made by the machine are neither old nor of the future.
    #[must_use]
    pub fn now() -> Self {
        Self::at(crate::clock::SystemClock.now().as_millis())
    }

    /// Time goes by.
    pub fn advance(&self, duration: Duration) {
        self.step(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
        self.0.ticks.fetch_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// The wall clock jumps by `millis`, back if negative; no time goes by.
    pub fn step(&self, millis: i64) {
        self.0.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// The machine is started anew; no time goes by.
    pub fn reboot(&self) {
        self.0.boot.fetch_add(1, Ordering::SeqCst);
    }

    /// This clock with the operating system's randomness.
    #[must_use]
    pub fn world(&self) -> World {
        World { clock: Arc::new(self.clone()), ..World::default() }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Option<Uptime> {
        Some(Uptime { boot: self.0.boot.load(Ordering::SeqCst), at: self.ticks() })
    }

    fn ticks(&self) -> u64 {
        self.0.ticks.load(Ordering::SeqCst)
    }

    fn pause(&self, duration: Duration) {
        self.advance(duration);
        std::thread::yield_now();
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", Clock::now(self))
    }
}

/// Bytes that follow from a seed: the same in every run. Never for anything but tests.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The bytes of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.into())
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in buffer {
            // SplitMix64 (public domain, S. Vigna): one step a byte.
            let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = ((mixed ^ (mixed >> 27)) & 0xff) as u8;
        }
        Ok(())
    }
}
