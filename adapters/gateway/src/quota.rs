//! Counting what is in use, in total and by whom: by network address, or by account.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmgate::Source;
use http::StatusCode;

/// So much of something at once, and so much of it for each `K`. Who uses nothing takes no memory.
pub(crate) struct Quota<K> {
    total: usize,
    share: usize,
    used: Mutex<Used<K>>,
}

/// So much of something at once, and so much of it per network address (per /64 for IPv6).
#[derive(Clone)]
pub(crate) struct AddressQuota {
    quota: Arc<Quota<Source>>,
    /// Loopback counts in the total only: behind a reverse proxy everybody comes from there.
    is_loopback_shared: bool,
}

struct Used<K> {
    total: usize,
    by_key: HashMap<K, usize>,
}

/// One in use, until it is dropped.
pub(crate) struct Ticket<K: Clone + Eq + Hash = Source> {
    quota: Arc<Quota<K>>,
    key: Option<K>,
}

/// Why there is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exhausted {
    /// Who asks has the whole share.
    Share,
    /// All are in use.
    Total,
}

impl<K: Clone + Eq + Hash> Quota<K> {
    pub(crate) fn new(total: usize, share: usize) -> Arc<Self> {
        Arc::new(Self { total, share, used: Mutex::new(Used { total: 0, by_key: HashMap::new() }) })
    }

    /// One more, of the share of `key` if there is one.
    pub(crate) fn take(self: &Arc<Self>, key: Option<K>) -> Result<Ticket<K>, Exhausted> {
        let mut used = self.used();
        if used.total >= self.total {
            return Err(Exhausted::Total);
        }
        if let Some(key) = &key {
            let of_key = used.by_key.get(key).copied().unwrap_or(0);
            if of_key >= self.share {
                return Err(Exhausted::Share);
            }
            used.by_key.insert(key.clone(), of_key + 1);
        }
        used.total += 1;
        drop(used);
        Ok(Ticket { quota: Arc::clone(self), key })
    }
}

impl<K> Quota<K> {
    fn used(&self) -> MutexGuard<'_, Used<K>> {
        // Counting can't panic in the middle.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AddressQuota {
    pub(crate) fn new(total: usize, per_address: usize, is_loopback_shared: bool) -> Self {
        Self { quota: Quota::new(total, per_address), is_loopback_shared }
    }

    pub(crate) fn take(&self, address: IpAddr) -> Result<Ticket, Exhausted> {
        let is_counted = !(self.is_loopback_shared && address.to_canonical().is_loopback());
        self.quota.take(is_counted.then(|| Source::of_address(address)))
    }
}

impl<K: Clone + Eq + Hash> Drop for Ticket<K> {
    fn drop(&mut self) {
        let mut used = self.quota.used();
        used.total = used.total.saturating_sub(1);
        if let Some(key) = &self.key {
            match used.by_key.get_mut(key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(used.by_key.remove(key)),
            }
        }
    }
}

impl Exhausted {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Share => StatusCode::TOO_MANY_REQUESTS,
            Self::Total => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(quota: &AddressQuota, address: &str) -> Result<Ticket, Exhausted> {
        quota.take(address.parse().unwrap())
    }

    #[test]
    fn an_address_gets_its_share_and_leaves_nothing_behind() {
        let quota = AddressQuota::new(5, 2, false);
        let mut tickets = vec![take(&quota, "10.0.0.1").unwrap(), take(&quota, "::ffff:10.0.0.1").unwrap()];
        assert_eq!(take(&quota, "10.0.0.1").err(), Some(Exhausted::Share));
        tickets.push(take(&quota, "2001:db8::1").unwrap());
        tickets.push(take(&quota, "2001:db8::2").unwrap());
        assert_eq!(take(&quota, "2001:db8::3").err(), Some(Exhausted::Share), "a /64 counts as one");
        tickets.push(take(&quota, "127.0.0.1").unwrap());
        assert_eq!(take(&quota, "10.0.0.2").err(), Some(Exhausted::Total));
        tickets.clear();
        assert!(quota.quota.used().by_key.is_empty());
        assert_eq!(quota.quota.used().total, 0);
    }

    #[test]
    fn behind_a_proxy_loopback_is_everybody() {
        let quota = AddressQuota::new(3, 1, true);
        let tickets: Vec<_> = (0..3).map(|_| take(&quota, "::1").unwrap()).collect();
        assert_eq!(take(&quota, "127.0.0.1").err(), Some(Exhausted::Total));
        drop(tickets);
    }
}
