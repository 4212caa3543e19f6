//! The accounts that the gate knows, and their policies.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError};

use super::DmGate;
use super::account::Account;
use crate::message::AccountKey;
use crate::policy::AccountPolicy;

/// All accounts. They are only ever added, so that one is found without a lock and without counting who looks at it.
pub(super) struct Accounts([Link; BUCKETS]);

/// More than most gates have accounts; beyond that, those that share a bucket are gone through.
const BUCKETS: usize = 128;

#[derive(Default)]
struct Link(OnceLock<Box<Entry>>);

struct Entry {
    account: Arc<Account>,
    next: Link,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Link::default()))
    }

    pub(super) fn get(&self, key: &AccountKey) -> Option<&Arc<Account>> {
        self.bucket(key)?.accounts().find(|account| account.key == *key)
    }

    /// Adds an account that is not there. One thread at a time does this.
    pub(super) fn add(&self, account: Arc<Account>) {
        let Some(mut link) = self.bucket(&account.key) else { return };
        while let Some(entry) = link.0.get() {
            link = &entry.next;
        }
        let _ = link.0.set(Box::new(Entry { account, next: Link::default() }));
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.0.iter().flat_map(Link::accounts)
    }

    fn bucket(&self, key: &AccountKey) -> Option<&Link> {
        self.0.get(usize::try_from(key.hash_value() % BUCKETS as u64).ok()?)
    }
}

impl Link {
    fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        std::iter::successors(self.0.get(), |entry| entry.next.0.get()).map(|entry| &entry.account)
    }
}

impl DmGate {
    /// The policy of an account, as it is now.
    #[must_use]
    pub fn policy_of(&self, key: &AccountKey) -> AccountPolicy {
        self.entry(key).state().policy.given.clone()
    }

    /// Puts new policies in force, from the next message on. Accounts that are not named get `fallback`.
    pub fn set_policies(
        &self,
        policies: impl IntoIterator<Item = (AccountKey, AccountPolicy)>,
        fallback: AccountPolicy,
    ) {
        let mut policies: HashMap<AccountKey, AccountPolicy> = policies.into_iter().collect();
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        for account in self.0.accounts.iter() {
            account.set_policy(policies.remove(&account.key).unwrap_or_else(|| fallback.clone()));
        }
        for (key, policy) in policies {
            self.0.accounts.add(self.new_account(key, policy));
        }
        self.0.fallback.store(Arc::new(fallback));
    }

    /// The account; one that nobody named before has the fallback's policy.
    pub(super) fn entry(&self, key: &AccountKey) -> &Arc<Account> {
        loop {
            if let Some(account) = self.0.accounts.get(key) {
                return account;
            }
            let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.0.accounts.get(key).is_none() {
                self.0.accounts.add(self.new_account(key.clone(), (**self.0.fallback.load()).clone()));
            }
        }
    }

    fn new_account(&self, key: AccountKey, policy: AccountPolicy) -> Arc<Account> {
        Account::new(key, policy, &self.0.store, &self.0.world.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_each_of_many_accounts_is_found() {
        let gate = DmGate::builder().build();
        let key = |number: usize| AccountKey::parse("custom", &format!("account{number}")).unwrap();
        for round in 0..2 {
            for number in 0..1_000 {
                assert_eq!(gate.0.accounts.get(&key(number)).is_some(), round == 1);
                assert_eq!(gate.entry(&key(number)).key, key(number));
            }
        }
        assert_eq!(gate.0.accounts.iter().count(), 1_000);
    }
}
