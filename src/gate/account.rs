//! One account in the gate: its policy, and the last snapshot of its state with the question whether it still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::DmGate;
use crate::allowlist::IdSet;
use crate::decision::Fault;
use crate::message::AccountKey;
use crate::policy::{AccountPolicy, Freshness};
use crate::store::{Loaded, Snapshot};

pub(super) struct Account {
    pub(super) key: AccountKey,
    pub(super) policy: ArcSwap<Policy>,
    snapshot: ArcSwap<Snapshot>,
    /// The store's revision from which on the snapshot holds. Written after the snapshot and read before it, so that
    /// whoever sees the revision sees a snapshot at least as new.
    revision: AtomicU64,
    /// When the revision was last found to be current, in the clock's ticks.
    checked_at: AtomicU64,
}

/// A policy, and its list ready to be looked up.
pub(super) struct Policy {
    pub(super) given: AccountPolicy,
    pub(super) listed: IdSet,
}

/// The revision of a snapshot that does not hold.
const STALE: u64 = u64::MAX;

impl Policy {
    pub(super) fn new(given: AccountPolicy) -> Self {
        let listed = given.allow_from().iter().collect();
        Self { given, listed }
    }
}

impl Account {
    pub(super) fn new(key: AccountKey, policy: AccountPolicy) -> Self {
        let nothing = Snapshot::unavailable(&Fault::unreadable("the state was not read yet"));
        Self {
            key,
            policy: ArcSwap::from_pointee(Policy::new(policy)),
            snapshot: ArcSwap::from_pointee(nothing),
            revision: STALE.into(),
            checked_at: 0.into(),
        }
    }

    /// The last snapshot, if it is as fresh as the policy asks.
    // INVARIANT I1: the revision is asked after the message arrived, and the snapshot is at least as new as it; with
    // bounded freshness, it was asked no longer ago than the bound.
    pub(super) fn fresh(&self, gate: &DmGate, policy: &Policy) -> Option<Guard<Arc<Snapshot>>> {
        let Freshness::Bounded(bound) = policy.given.limits().freshness else {
            return self.current(gate);
        };
        let ticks = gate.0.world.clock.ticks();
        let age = ticks.saturating_sub(self.checked_at.load(Ordering::Acquire));
        if u128::from(age) < bound.as_millis() && self.revision.load(Ordering::Acquire) != STALE {
            return Some(self.snapshot.load());
        }
        let current = self.current(gate)?;
        self.checked_at.store(ticks, Ordering::Release);
        Some(current)
    }

    /// The last snapshot, if nothing changed since it was read.
    // INVARIANT I9: whatever any process changed is in the store's revision before that process is done.
    fn current(&self, gate: &DmGate) -> Option<Guard<Arc<Snapshot>>> {
        let revision = gate.0.store.revision(&self.key)?;
        let holds = revision != STALE && self.revision.load(Ordering::Acquire) == revision;
        holds.then(|| self.snapshot.load())
    }

    /// Reads the state anew, and keeps it.
    pub(super) async fn load(&self, gate: &DmGate) -> Arc<Snapshot> {
        let ticks = gate.0.world.clock.ticks();
        let Loaded { revision, snapshot } = gate.0.store.load(&self.key).await;
        // Two loads may end in the wrong order. Then an older snapshot would stand under a newer revision, unless the
        // revision is taken away first: whoever finds none loads again.
        self.revision.store(STALE, Ordering::Release);
        self.snapshot.store(Arc::clone(&snapshot));
        self.revision.store(revision.unwrap_or(STALE), Ordering::Release);
        self.checked_at.store(ticks, Ordering::Release);
        snapshot
    }
}
