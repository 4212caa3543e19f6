//! One account in the gate: its policy, and the last snapshot of its state with the question whether it still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::allowlist::IdSet;
use crate::clock::Clock;
use crate::decision::Fault;
use crate::message::AccountKey;
use crate::policy::{AccountPolicy, Freshness};
use crate::store::{Loaded, Snapshot, Store};

pub(super) struct Account {
    pub(super) key: AccountKey,
    pub(super) policy: ArcSwap<Policy>,
    held: ArcSwap<Held>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// From when on trouble is told again, in the clock's ticks.
    tells_from: AtomicU64,
}

/// How long trouble that was told is not told again, in the clock's ticks.
const TOLD_FOR: u64 = 10_000;

/// A policy, and its list ready to be looked up.
pub(super) struct Policy {
    pub(super) given: AccountPolicy,
    pub(super) listed: IdSet,
}

/// A snapshot, and from when on it holds: one value behind one pointer, so that no reader sees parts of two.
pub(super) struct Held {
    pub(super) snapshot: Arc<Snapshot>,
    /// The store's revision, from before the snapshot was read.
    revision: Option<u64>,
    /// When the revision was last found to be current, in the clock's ticks.
    checked_at: AtomicU64,
}

impl Policy {
    pub(super) fn new(given: AccountPolicy) -> Self {
        let listed = given.allow_from().iter().collect();
        Self { given, listed }
    }
}

impl Account {
    pub(super) fn new(
        key: AccountKey,
        policy: AccountPolicy,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        let nothing = Snapshot::unavailable(&Fault::unreadable("the state was not read yet"));
        let held = Held { snapshot: Arc::new(nothing), revision: None, checked_at: 0.into() };
        Self {
            key,
            policy: ArcSwap::from_pointee(Policy::new(policy)),
            held: ArcSwap::from_pointee(held),
            store,
            clock,
            tells_from: 0.into(),
        }
    }

    /// Whether the operator is to be told of trouble now.
    // INVARIANT I11: a flood of strangers before a damaged file does not become a flood of lines.
    pub(super) fn may_tell(&self, ticks: u64) -> bool {
        let next = |from| (ticks >= from).then_some(ticks.saturating_add(TOLD_FOR));
        self.tells_from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// The last snapshot, if it is as fresh as the policy asks.
    // INVARIANT I1: the revision is asked after the message arrived, and the snapshot is at least as new as it; with
    // bounded freshness, it was asked no longer ago than the bound.
    pub(super) fn fresh(&self, policy: &Policy) -> Option<Guard<Arc<Held>>> {
        let Freshness::Bounded(bound) = policy.given.limits().freshness else {
            return self.current();
        };
        let ticks = self.clock.ticks();
        let held = self.held.load();
        let age = ticks.saturating_sub(held.checked_at.load(Ordering::Relaxed));
        if held.revision.is_some() && u128::from(age) < bound.as_millis() {
            return Some(held);
        }
        let current = self.current()?;
        current.checked_at.fetch_max(ticks, Ordering::Relaxed);
        Some(current)
    }

    /// The last snapshot, if nothing changed since it was read.
    // INVARIANT I9: whatever any process changed is in the store's revision before that process is done.
    fn current(&self) -> Option<Guard<Arc<Held>>> {
        let revision = self.store.revision(&self.key)?;
        let held = self.held.load();
        (held.revision == Some(revision)).then_some(held)
    }

    /// Reads the state anew, and keeps it.
    pub(super) async fn load(&self) -> Arc<Snapshot> {
        let ticks = self.clock.ticks();
        let Loaded { revision, snapshot } = self.store.load(&self.key).await;
        let held = Held { snapshot: Arc::clone(&snapshot), revision, checked_at: ticks.into() };
        self.held.store(Arc::new(held));
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::World;
    use crate::store::MemoryStore;

    #[test]
    fn i11_trouble_is_told_now_and_then() {
        let key = AccountKey::parse("custom", "default").unwrap();
        let world = World::default();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(world.clone()));
        let account = Account::new(key, AccountPolicy::default(), &store, &world.clock);
        let told: Vec<u64> = (0..25_000).filter(|ticks| account.may_tell(*ticks)).collect();
        assert_eq!(told, [0, TOLD_FOR, 2 * TOLD_FOR]);
    }
}
