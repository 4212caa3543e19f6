//! One account in the gate: what its decisions rest on, and the question whether that still holds.

use std::sync::Arc;

use super::grant::{AccountNumber, Grant};
use crate::allowlist::IdSet;
use crate::clock::Clock;
use crate::decision::{Decision, Fault, Permit, Reason};
use crate::message::{AccountKey, InboundMessage};
use crate::observe;
use crate::policy::{AccountPolicy, Freshness};
use crate::store::{Loaded, Snapshot, Store};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{ArcSwap, Mutex, PoisonError};

pub(super) struct Account {
    pub(super) key: AccountKey,
    pub(super) number: AccountNumber,
    state: ArcSwap<State>,
    /// Of the state; raised after that was replaced.
    version: AtomicU64,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Held while the state is replaced; readers never take it.
    changing: Mutex<()>,
    /// Whether the state is being read anew while the last one still serves.
    is_renewing: AtomicBool,
    /// From when on trouble is told again, in the clock's ticks.
    tells_from: AtomicU64,
}

/// How long trouble that was told is not told again, in the clock's ticks.
const TOLD_FOR: u64 = 10_000;

/// What decisions rest on: one value behind one pointer, so that no reader sees parts of two.
pub(super) struct State {
    pub(super) of: AccountNumber,
    pub(super) version: u64,
    pub(super) policy: Arc<Policy>,
    pub(super) snapshot: Arc<Snapshot>,
    /// The store's revision, from before the snapshot was read.
    revision: Option<u64>,
    /// When the revision was last found to be current, in the clock's ticks.
    checked_at: AtomicU64,
}

/// A policy, and its list ready to be looked up.
pub(super) struct Policy {
    pub(super) given: AccountPolicy,
    pub(super) listed: IdSet,
}

impl Policy {
    fn new(given: AccountPolicy) -> Arc<Self> {
        let listed = given.allow_from().iter().collect();
        Arc::new(Self { given, listed })
    }
}

impl Account {
    pub(super) fn new(
        key: AccountKey,
        policy: AccountPolicy,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Self> {
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        let nothing = Snapshot::unavailable(&Fault::unreadable("the state was not read yet"));
        let state = State {
            of: AccountNumber::new(),
            version: 0,
            policy: Policy::new(policy),
            snapshot: Arc::new(nothing),
            revision: None,
            checked_at: 0.into(),
        };
        let (number, state) = (state.of, ArcSwap::from_pointee(state));
        let (version, changing, is_renewing, tells_from) = Default::default();
        let account =
            Arc::new(Self { key, number, state, version, store, clock, changing, is_renewing, tells_from });
        number.note(&account);
        account
    }

    /// The last state; whether it still holds, [`Account::holds`] tells.
    pub(super) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether a state is as fresh as its policy asks. Where it will soon not be, this begins to read the next one.
    // INVARIANT I1: the revision is asked after the message arrived, and the snapshot is at least as new as it; with
    // bounded freshness, it was asked no longer ago than the bound.
    #[inline]
    pub(super) fn holds(self: &Arc<Self>, state: &State) -> bool {
        let Freshness::Bounded(bound) = state.policy.given.limits().freshness else {
            return self.is_current(state);
        };
        if state.revision.is_none() {
            return false;
        }
        let ticks = self.clock.ticks();
        let age = u128::from(ticks.saturating_sub(state.checked_at.load(Ordering::Relaxed)));
        // Looked at again while there is time left, so that nobody waits for what is read anew.
        if age < bound.as_millis() / 2 {
            return true;
        }
        if self.is_current(state) {
            state.checked_at.fetch_max(ticks, Ordering::Relaxed);
            return true;
        }
        self.renew();
        age < bound.as_millis()
    }

    /// Whether nothing changed since a state was read.
    // INVARIANT I9: whatever any process changed is in the store's revision before that process is done.
    #[inline]
    fn is_current(&self, state: &State) -> bool {
        state.revision.is_some() && self.store.revision(&self.key) == state.revision
    }

    /// Begins to read the state anew beside the decisions that the last one still serves. What could not be read ends
    /// nothing before the bound does.
    fn renew(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.is_renewing.swap(true, Ordering::AcqRel) {
            let renewal = Renewal(Arc::clone(self));
            runtime.spawn(async move {
                let ticks = renewal.0.clock.ticks();
                let loaded = renewal.0.store.load(&renewal.0.key).await;
                if loaded.revision.is_some() {
                    renewal.0.keep(ticks, loaded);
                }
            });
        }
    }

    /// Reads the snapshot anew, and keeps it.
    pub(super) async fn load(&self) -> Arc<State> {
        let ticks = self.clock.ticks();
        let loaded = self.store.load(&self.key).await;
        self.keep(ticks, loaded)
    }

    /// Keeps what was read from `ticks` on, unless the last state is known to hold from a later moment on: what was seen
    /// once is not unseen because an earlier reading took longer.
    fn keep(&self, ticks: u64, Loaded { revision, snapshot }: Loaded) -> Arc<State> {
        self.replace(|last| {
            let is_late = last.revision.is_some() && last.checked_at.load(Ordering::Relaxed) > ticks;
            let policy = Arc::clone(&last.policy);
            (!is_late).then(|| State { policy, snapshot, revision, checked_at: ticks.into(), ..*last })
        })
    }

    /// Puts a policy in force, from the next message on.
    pub(super) fn set_policy(&self, policy: AccountPolicy) {
        self.replace(|last| {
            let (policy, snapshot) = (Policy::new(policy), Arc::clone(&last.snapshot));
            let checked_at = last.checked_at.load(Ordering::Relaxed).into();
            Some(State { policy, snapshot, checked_at, ..*last })
        });
    }

    fn replace(&self, with: impl FnOnce(&State) -> Option<State>) -> Arc<State> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.state.load_full();
        let Some(next) = with(&last) else { return last };
        let state = Arc::new(State { version: last.version + 1, ..next });
        self.state.store(Arc::clone(&state));
        self.version.store(state.version, Ordering::Release);
        state
    }

    /// Lets a message in.
    #[inline]
    pub(super) fn let_in(&self, message: &InboundMessage, reason: Reason) -> Decision {
        observe::admitted(message, reason);
        self.admission(message, reason)
    }

    /// What [`Account::let_in`] says, and the log does not tell.
    #[inline]
    pub(super) fn admission(&self, message: &InboundMessage, reason: Reason) -> Decision {
        Decision::Admit(Permit::new(Grant::new(self.number, message.sender.known_by(), reason)))
    }

    /// The decision, which the operator can read in the log.
    pub(super) fn told(&self, message: &InboundMessage, decision: Decision) -> Decision {
        observe::decided(message, &decision, || self.may_tell(self.clock.ticks()));
        decision
    }

    /// Whether the operator is to be told of trouble now.
    // INVARIANT I11: a flood of strangers before a damaged file does not become a flood of lines.
    fn may_tell(&self, ticks: u64) -> bool {
        let next = |from| (ticks >= from).then_some(ticks.saturating_add(TOLD_FOR));
        self.tells_from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// The one reading that is under way beside decisions, until it ends however it ends.
struct Renewal(Arc<Account>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.is_renewing.store(false, Ordering::Release);
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

    #[test]
    fn i9_what_was_read_later_is_not_undone_by_a_reading_that_took_longer() {
        let key = AccountKey::parse("custom", "default").unwrap();
        let world = World::default();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(world.clone()));
        let account = Account::new(key, AccountPolicy::default(), &store, &world.clock);
        let read = |revision| {
            let nothing = Snapshot::unavailable(&Fault::unreadable("a test"));
            Loaded { revision: Some(revision), snapshot: Arc::new(nothing) }
        };
        assert_eq!(account.keep(20, read(2)).revision, Some(2));
        assert_eq!(account.keep(10, read(1)).revision, Some(2));
        assert_eq!(account.state().revision, Some(2));
        assert_eq!(account.keep(20, read(3)).revision, Some(3), "begun at the same moment");
    }
}
