//! The accounts that the gate knows, and their policies.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::DmGate;
use super::account::{Account, Policy};
use crate::message::AccountKey;
use crate::policy::AccountPolicy;

impl DmGate {
    /// The policy of an account, as it is now.
    #[must_use]
    pub fn policy_of(&self, key: &AccountKey) -> AccountPolicy {
        self.entry(key).policy.load().given.clone()
    }

    /// Puts new policies in force, from the next message on. Accounts that are not named get `fallback`.
    pub fn set_policies(
        &self,
        policies: impl IntoIterator<Item = (AccountKey, AccountPolicy)>,
        fallback: AccountPolicy,
    ) {
        let mut policies: HashMap<AccountKey, AccountPolicy> = policies.into_iter().collect();
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut accounts = (**self.0.accounts.load()).clone();
        for (key, account) in &accounts {
            account
                .policy
                .store(Arc::new(Policy::new(policies.remove(key).unwrap_or_else(|| fallback.clone()))));
        }
        for (key, policy) in policies {
            accounts.insert(key.clone(), self.opened(key, policy));
        }
        self.0.fallback.store(Arc::new(fallback));
        self.0.accounts.store(Arc::new(accounts));
    }

    pub(super) fn entry(&self, key: &AccountKey) -> Arc<Account> {
        if let Some(account) = self.0.accounts.load().get(key) {
            return Arc::clone(account);
        }
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut accounts = (**self.0.accounts.load()).clone();
        let fallback = || self.opened(key.clone(), (**self.0.fallback.load()).clone());
        let account = Arc::clone(accounts.entry(key.clone()).or_insert_with(fallback));
        self.0.accounts.store(Arc::new(accounts));
        account
    }

    fn opened(&self, key: AccountKey, policy: AccountPolicy) -> Arc<Account> {
        Arc::new(Account::new(key, policy, &self.0.store, &self.0.world.clock))
    }
}
