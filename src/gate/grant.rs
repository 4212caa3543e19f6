//! What stands behind a permit: who was let in, and whether that still holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Weak};

use dashmap::DashMap;

use super::account::Account;
use super::{Standing, standing};
use crate::decision::Reason;
use crate::message::{InboundMessage, SenderId, SenderIds};
use crate::policy::DmPolicy;

/// Plain data: one is made for every message that is let in, by many threads at once, so it counts no reference that they
/// share, and keeps nothing alive.
#[derive(Clone)]
pub(crate) struct Grant {
    account: AccountNumber,
    reason: Reason,
    sender: SenderIds,
}

/// By which a grant finds its account again, as long as the gate is there. None is used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AccountNumber(u64);

/// The accounts of all gates of this process.
static BY_NUMBER: LazyLock<DashMap<AccountNumber, Weak<Account>>> = LazyLock::new(DashMap::new);

impl Grant {
    #[inline]
    pub(super) fn new(account: AccountNumber, sender: &SenderIds, reason: Reason) -> Self {
        Self { account, reason, sender: sender.clone() }
    }

    pub(crate) fn sender(&self) -> &SenderId {
        self.sender.primary()
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    pub(crate) fn is_for(&self, message: &InboundMessage) -> bool {
        let is_its_account = |account: Arc<Account>| account.key == message.account;
        self.sender == *message.sender.known_by() && self.account.find().is_some_and(is_its_account)
    }

    pub(crate) async fn is_current(&self) -> bool {
        let Some(account) = self.account.find() else { return false };
        let state = account.state();
        let state = if account.holds(&state) { state } else { account.load().await };
        state.policy.given.dm() != DmPolicy::Disabled
            && matches!(standing(&account.key, &self.sender, &state), Standing::In(_))
    }
}

impl AccountNumber {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    #[inline]
    pub(super) fn get(self) -> u64 {
        self.0
    }

    pub(super) fn note(self, account: &Arc<Account>) {
        BY_NUMBER.insert(self, Arc::downgrade(account));
    }

    fn find(self) -> Option<Arc<Account>> {
        BY_NUMBER.get(&self)?.upgrade()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        BY_NUMBER.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::DmGate;
    use crate::message::AccountKey;

    #[test]
    fn a_gate_that_is_gone_leaves_nothing() {
        let gate = DmGate::builder().build();
        let number = gate.account(&AccountKey::parse("custom", "default").unwrap()).account.number;
        assert!(BY_NUMBER.contains_key(&number));
        drop(gate);
        assert!(!BY_NUMBER.contains_key(&number));
    }
}
