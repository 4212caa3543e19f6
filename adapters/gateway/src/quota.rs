//! Counting what is in use, in total and per network address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmgate::Source;
use http::StatusCode;

/// So much of something at once, and so much of it per network address (per /64 for IPv6). Addresses that use nothing
/// take no memory.
pub(crate) struct Quota {
    total: usize,
    per_address: usize,
    /// Loopback counts in the total only: behind a reverse proxy everybody comes from there.
    is_loopback_shared: bool,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_address: HashMap<Source, usize>,
}

/// One in use, until it is dropped.
pub(crate) struct Ticket {
    quota: Arc<Quota>,
    source: Option<Source>,
}

/// Why there is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exhausted {
    /// The address has its share.
    Address,
    /// All are in use.
    Total,
}

impl Quota {
    pub(crate) fn new(total: usize, per_address: usize, is_loopback_shared: bool) -> Arc<Self> {
        Arc::new(Self { total, per_address, is_loopback_shared, used: Mutex::default() })
    }

    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Ticket, Exhausted> {
        let is_counted = !(self.is_loopback_shared && address.to_canonical().is_loopback());
        let source = is_counted.then(|| Source::of_address(address));
        let mut used = self.used();
        if used.total >= self.total {
            return Err(Exhausted::Total);
        }
        if let Some(source) = &source {
            let of_address = used.by_address.get(source).copied().unwrap_or(0);
            if of_address >= self.per_address {
                return Err(Exhausted::Address);
            }
            used.by_address.insert(source.clone(), of_address + 1);
        }
        used.total += 1;
        drop(used);
        Ok(Ticket { quota: Arc::clone(self), source })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Counting can't panic in the middle.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut used = self.quota.used();
        used.total = used.total.saturating_sub(1);
        if let Some(source) = &self.source {
            match used.by_address.get_mut(source) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(used.by_address.remove(source)),
            }
        }
    }
}

impl Exhausted {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Address => StatusCode::TOO_MANY_REQUESTS,
            Self::Total => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(quota: &Arc<Quota>, address: &str) -> Result<Ticket, Exhausted> {
        quota.take(address.parse().unwrap())
    }

    #[test]
    fn an_address_gets_its_share_and_leaves_nothing_behind() {
        let quota = Quota::new(5, 2, false);
        let mut tickets = vec![take(&quota, "10.0.0.1").unwrap(), take(&quota, "::ffff:10.0.0.1").unwrap()];
        assert_eq!(take(&quota, "10.0.0.1").err(), Some(Exhausted::Address));
        tickets.push(take(&quota, "2001:db8::1").unwrap());
        tickets.push(take(&quota, "2001:db8::2").unwrap());
        assert_eq!(take(&quota, "2001:db8::3").err(), Some(Exhausted::Address), "a /64 counts as one");
        tickets.push(take(&quota, "127.0.0.1").unwrap());
        assert_eq!(take(&quota, "10.0.0.2").err(), Some(Exhausted::Total));
        tickets.clear();
        assert!(quota.used().by_address.is_empty());
        assert_eq!(quota.used().total, 0);
    }

    #[test]
    fn behind_a_proxy_loopback_is_everybody() {
        let quota = Quota::new(3, 1, true);
        let tickets: Vec<_> = (0..3).map(|_| take(&quota, "::1").unwrap()).collect();
        assert_eq!(take(&quota, "127.0.0.1").err(), Some(Exhausted::Total));
        drop(tickets);
    }
}
