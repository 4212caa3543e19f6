//! Decisions beside policies that are set, and files that change.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use loom::future::block_on;
use loom::thread;

use super::account::Account;
use crate::clock::Clock;
use crate::message::AccountKey;
use crate::play;
use crate::policy::{AccountPolicy, Freshness};
use crate::store::{Loaded, Snapshot, Store};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Files as a store is to keep them: a change is in the revision before it returns. Whoever looks sees the last one, as
/// with a clock.
#[derive(Default)]
struct World {
    change: AtomicU64,
    revision: AtomicU64,
    ticks: AtomicU64,
}

impl World {
    fn write(&self, change: u64) {
        self.change.swap(change, Ordering::AcqRel);
        self.revision.swap(change, Ordering::AcqRel);
    }
}

impl Store for World {
    fn revision(&self, _account: &AccountKey) -> Option<u64> {
        Some(last(&self.revision))
    }

    fn load(&self, account: &AccountKey) -> Ready<Loaded> {
        let revision = self.revision(account);
        ready(Loaded { revision, snapshot: Arc::new(Snapshot(last(&self.change))) })
    }
}

impl Clock for World {
    fn ticks(&self) -> u64 {
        last(&self.ticks)
    }
}

/// The last value: a mere load may see an older one.
fn last(number: &AtomicU64) -> u64 {
    number.fetch_add(0, Ordering::Acquire)
}

fn account(world: &Arc<World>, freshness: Freshness) -> Arc<Account> {
    let (store, clock): (Arc<dyn Store>, Arc<dyn Clock>) =
        (Arc::<World>::clone(world), Arc::<World>::clone(world));
    Account::new(AccountKey, AccountPolicy::new(0, freshness), &store, &clock)
}

fn policy(number: u64) -> AccountPolicy {
    AccountPolicy::new(number, Freshness::Exact)
}

fn policy_seen(account: &Account) -> u64 {
    account.look(|state| state.policy.given.number).unwrap()
}

/// Which change a decision rests on, as `DmGate::decide` comes to it.
fn decide(account: &Arc<Account>) -> u64 {
    let at_once = account.look(|state| account.holds(state).then_some(state.snapshot.0));
    at_once.flatten().unwrap_or_else(|| block_on(account.load()).snapshot.0)
}

/// A policy is set while the state is read anew.
pub fn a_policy(interruptions: usize) {
    play(interruptions, || {
        let world = Arc::new(World::default());
        world.write(5);
        let account = account(&world, Freshness::Exact);
        let returned = Arc::new(AtomicU64::new(0));
        let loads = thread::spawn({
            let account = Arc::clone(&account);
            move || assert_eq!(block_on(account.load()).snapshot.0, 5)
        });
        let sets = thread::spawn({
            let (account, returned) = (Arc::clone(&account), Arc::clone(&returned));
            move || {
                account.set_policy(policy(1));
                returned.store(1, Ordering::Release);
            }
        });
        let mut last = 0;
        for _ in 0..2 {
            last = returned.load(Ordering::Acquire).max(last);
            let seen = policy_seen(&account);
            assert!(seen >= last, "{seen} is looked at after {last}");
            last = seen;
        }
        loads.join().unwrap();
        sets.join().unwrap();
        let seen = account.look(|state| (state.policy.given.number, state.snapshot.0)).unwrap();
        assert_eq!(seen, (1, 5), "what is replaced at the same time is lost");
    });
}

/// Two policies are set at the same time.
pub fn policies(interruptions: usize) {
    play(interruptions, || {
        let account = account(&Arc::default(), Freshness::Exact);
        let sets = [1, 2].map(|number| {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                account.set_policy(policy(number));
            })
        });
        policy_seen(&account);
        for sets in sets {
            sets.join().unwrap();
        }
        assert_eq!(policy_seen(&account), account.state().policy.given.number);
    });
}

/// A file is changed while two decide.
pub fn a_change(interruptions: usize) {
    play(interruptions, || {
        let world = Arc::new(World::default());
        let account = account(&world, Freshness::Exact);
        let returned = Arc::new(AtomicU64::new(0));
        let check = |account: &Arc<Account>, returned: &AtomicU64| {
            let change = returned.load(Ordering::Acquire);
            assert!(decide(account) >= change);
        };
        let other = thread::spawn({
            let (account, returned) = (Arc::clone(&account), Arc::clone(&returned));
            move || {
                check(&account, &returned);
                check(&account, &returned);
            }
        });
        let writes = thread::spawn({
            let (world, returned) = (Arc::clone(&world), Arc::clone(&returned));
            move || {
                world.write(1);
                returned.store(1, Ordering::Release);
            }
        });
        check(&account, &returned);
        check(&account, &returned);
        writes.join().unwrap();
        other.join().unwrap();
    });
}

/// How old a state may be, in ticks of a millisecond.
const BOUND: u64 = 10;

/// A file is changed while time goes on, another decides, and the state is read anew beside them, or for the first time.
pub fn a_change_within_the_bound(is_first: bool, interruptions: usize) {
    play(interruptions, move || {
        let world = Arc::new(World::default());
        let account = account(&world, Freshness::Bounded(Duration::from_millis(BOUND)));
        if !is_first {
            block_on(account.load());
        }
        // When the change had returned, and one more.
        let returned = Arc::new(AtomicU64::new(0));
        let check = |account: &Arc<Account>, world: &World, returned: &AtomicU64| {
            let (since, ticks) = (returned.load(Ordering::Acquire), world.ticks());
            let change = decide(account);
            assert!(change == 1 || since == 0 || ticks < since - 1 + BOUND, "older than the bound");
        };
        let other = thread::spawn({
            let (account, world, returned) =
                (Arc::clone(&account), Arc::clone(&world), Arc::clone(&returned));
            move || {
                check(&account, &world, &returned);
                check(&account, &world, &returned);
            }
        });
        world.ticks.swap(BOUND / 2, Ordering::AcqRel);
        world.write(1);
        returned.store(BOUND / 2 + 1, Ordering::Release);
        world.ticks.swap(BOUND / 2 + BOUND, Ordering::AcqRel);
        check(&account, &world, &returned);
        other.join().unwrap();
    });
}
