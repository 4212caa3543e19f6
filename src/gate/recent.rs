//! The states that a thread looked at last.
//!
//! A state is looked at on every message and replaced at human speed. Getting it from behind the shared pointer costs two
//! atomic exchanges; here it costs a comparison. The price: a thread that sees no more messages of an account keeps the last
//! state that it saw.

use std::cell::Cell;
use std::sync::Arc;

use super::account::{Account, State};
use crate::sync::thread_local;

/// More than most gates have accounts. Those that share a place put each other out.
const PLACES: usize = 64;

thread_local! {
    static RECENT: [Cell<Option<Arc<State>>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

impl Account {
    /// Looks at the state as it is now. `None` on a thread that is ending and keeps nothing any more.
    #[inline]
    pub(super) fn look<T>(&self, at: impl FnOnce(&State) -> T) -> Option<T> {
        let look = |recent: &[Cell<Option<Arc<State>>>; PLACES]| {
            let place = usize::try_from(self.number.get() % PLACES as u64).ok().and_then(|at| recent.get(at));
            // Taken out meanwhile: looking writes to the log, and what takes the log may ask the gate.
            let state = match place.and_then(Cell::take) {
                Some(state) if state.of == self.number && state.version == self.version() => state,
                _ => self.state(),
            };
            let seen = at(&state);
            if let Some(place) = place {
                place.set(Some(state));
            }
            seen
        };
        RECENT.try_with(look).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::decision::Reason;
    use crate::gate::DmGate;
    use crate::message::{AccountKey, InboundMessage, Sender, SenderId};
    use crate::policy::DmPolicy;

    fn account(gate: &DmGate, number: usize, dm: DmPolicy) -> Arc<Account> {
        let key = AccountKey::parse("custom", &format!("account{number}")).unwrap();
        let account = Arc::clone(gate.entry(&key));
        account.set_policy(dm.into());
        account
    }

    fn seen(account: &Account) -> DmPolicy {
        account.look(|state| state.policy.given.dm()).unwrap()
    }

    #[test]
    fn i8_accounts_that_share_a_place_are_kept_apart() {
        let gate = DmGate::builder().build();
        let open = account(&gate, 0, DmPolicy::Open);
        let place = |account: &Account| account.number.get() % PLACES as u64;
        // Other tests take numbers as well.
        let mut more = (1..).map(|number| account(&gate, number, DmPolicy::Disabled));
        let disabled = more.find(|account| place(account) == place(&open)).unwrap();
        assert_eq!(open.version(), disabled.version());
        for _ in 0..2 {
            assert_eq!(seen(&open), DmPolicy::Open);
            assert_eq!(seen(&disabled), DmPolicy::Disabled);
        }
    }

    #[test]
    fn a_look_that_panics_leaves_nothing_behind() {
        let gate = DmGate::builder().build();
        let account = account(&gate, 0, DmPolicy::Open);
        assert_eq!(seen(&account), DmPolicy::Open);
        let look = || account.look(|_| panic!("in a test"));
        assert!(catch_unwind(AssertUnwindSafe(look)).is_err());
        assert_eq!(seen(&account), DmPolicy::Open);
        account.set_policy(DmPolicy::Disabled.into());
        assert_eq!(seen(&account), DmPolicy::Disabled);
    }

    /// Asks when its thread ends.
    struct Asks(DmGate, InboundMessage, mpsc::Sender<Reason>);

    impl Drop for Asks {
        fn drop(&mut self) {
            let Self(gate, message, says) = self;
            let answer = pin!(gate.admit(message)).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(decision) = answer else { panic!("in memory nothing is waited for") };
            says.send(decision.reason()).unwrap();
        }
    }

    #[test]
    fn a_thread_that_ends_is_still_answered() {
        // One of them is dropped before what the gate keeps for the thread, and one after it.
        std::thread_local! {
            static FIRST: RefCell<Option<Asks>> = const { RefCell::new(None) };
            static LAST: RefCell<Option<Asks>> = const { RefCell::new(None) };
        }
        let gate = DmGate::builder().policy(DmPolicy::Allowlist).build();
        let key = AccountKey::parse("custom", "default").unwrap();
        let sender = Sender::new(SenderId::parse(key.channel(), "1").unwrap());
        let message = InboundMessage::direct(key, sender, "hello");
        let (says, said) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let asks = || Some(Asks(gate.clone(), message.clone(), says.clone()));
            FIRST.set(asks());
            drop(asks());
            LAST.set(asks());
        });
        thread.join().unwrap();
        assert_eq!(said.iter().collect::<Vec<_>>(), [Reason::NotAllowlisted; 3]);
    }
}
