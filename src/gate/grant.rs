//! What stands behind a permit: who was let in, and whether that still holds.

use std::sync::Arc;

use super::account::Account;
use super::{Standing, standing};
use crate::decision::Reason;
use crate::message::{AccountKey, Sender};
use crate::policy::DmPolicy;

#[derive(Clone)]
pub(crate) struct Grant {
    account: Arc<Account>,
    sender: Sender,
    reason: Reason,
}

impl Grant {
    pub(super) fn new(account: &Arc<Account>, sender: &Sender, reason: Reason) -> Self {
        Self { account: Arc::clone(account), sender: sender.clone(), reason }
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) fn account(&self) -> &AccountKey {
        &self.account.key
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    pub(crate) async fn is_current(&self) -> bool {
        let policy = self.account.policy.load_full();
        let snapshot = match self.account.fresh(&policy) {
            Some(held) => Arc::clone(&held.snapshot),
            None => self.account.load().await,
        };
        policy.given.dm() != DmPolicy::Disabled
            && matches!(standing(&self.account, &self.sender, &policy, &snapshot), Standing::In(_))
    }
}
