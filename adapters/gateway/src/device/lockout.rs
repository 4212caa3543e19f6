//! Guessing is slow: after some wrong tries an address has to wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dmgate::Source;
use tokio::time::Instant;

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Lock {
    /// The gateway's own secret; and what is shown in its place.
    Secret,
    /// A device's token, or a setup code.
    Device,
}

/// Who tried what wrongly, per network address (per /64 for IPv6). What a header claims about the address is never asked.
#[derive(Default)]
pub(crate) struct Lockout(Mutex<HashMap<(Lock, Source), Tries>>);

struct Tries {
    since: Instant,
    last: Instant,
    count: u32,
}

/// So many wrong tries …
const TRIES: u32 = 10;
/// … within so much time …
const WITHIN: Duration = Duration::from_secs(60);
/// … and nothing is looked at any more for so long.
const LOCKED_FOR: Duration = Duration::from_secs(300);
/// The most addresses that are remembered; with one more the one that tried longest ago goes.
const MOST: usize = 1_024;

impl Lockout {
    /// Whether nothing is looked at.
    pub(crate) fn is_closed(&self, lock: Lock, from: IpAddr) -> bool {
        let tries = self.tries();
        let tried = tries.get(&(lock, Source::of_address(from)));
        tried.is_some_and(|tried| tried.count >= TRIES && tried.last.elapsed() < LOCKED_FOR)
    }

    /// It was wrong.
    pub(crate) fn wrong(&self, lock: Lock, from: IpAddr) {
        let now = Instant::now();
        let mut tries = self.tries();
        let key = (lock, Source::of_address(from));
        if tries.len() >= MOST && !tries.contains_key(&key) {
            let oldest = tries.iter().min_by_key(|(_, tried)| tried.last).map(|(key, _)| key.clone());
            oldest.map(|key| tries.remove(&key));
        }
        let tried = tries.entry(key).or_insert(Tries { since: now, last: now, count: 0 });
        let is_over = if tried.count >= TRIES {
            now.duration_since(tried.last) >= LOCKED_FOR
        } else {
            now.duration_since(tried.since) >= WITHIN
        };
        if is_over {
            *tried = Tries { since: now, last: now, count: 0 };
        }
        (tried.last, tried.count) = (now, tried.count.saturating_add(1));
    }

    /// It was right.
    pub(crate) fn right(&self, lock: Lock, from: IpAddr) {
        self.tries().remove(&(lock, Source::of_address(from)));
    }

    fn tries(&self) -> MutexGuard<'_, HashMap<(Lock, Source), Tries>> {
        // Counting can't panic in the middle.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[tokio::test(start_paused = true)]
    async fn ten_wrong_tries_a_minute_close_a_lock_for_five() {
        let lockout = Lockout::default();
        for _ in 0..9 {
            lockout.wrong(Lock::Secret, address(1));
        }
        assert!(!lockout.is_closed(Lock::Secret, address(1)));
        lockout.wrong(Lock::Secret, address(1));
        assert!(lockout.is_closed(Lock::Secret, address(1)));
        assert!(!lockout.is_closed(Lock::Device, address(1)), "each lock for itself");
        assert!(!lockout.is_closed(Lock::Secret, address(2)), "each address for itself");
        tokio::time::advance(LOCKED_FOR - Duration::from_millis(1)).await;
        assert!(lockout.is_closed(Lock::Secret, address(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lockout.is_closed(Lock::Secret, address(1)));
        lockout.wrong(Lock::Secret, address(1));
        assert!(!lockout.is_closed(Lock::Secret, address(1)), "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tries_now_and_then_close_nothing() {
        let lockout = Lockout::default();
        for _ in 0..30 {
            lockout.wrong(Lock::Device, address(1));
            tokio::time::advance(Duration::from_secs(7)).await;
        }
        assert!(!lockout.is_closed(Lock::Device, address(1)));
        for _ in 0..9 {
            lockout.wrong(Lock::Device, address(2));
        }
        lockout.right(Lock::Device, address(2));
        lockout.wrong(Lock::Device, address(2));
        assert!(!lockout.is_closed(Lock::Device, address(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_not_remembered_without_end() {
        let lockout = Lockout::default();
        for n in 0..20_000_u32 {
            lockout.wrong(Lock::Secret, IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(lockout.tries().len(), MOST);
    }
}
