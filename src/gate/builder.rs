//! How a gate is put together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::account::Account;
use super::registry::Accounts;
use super::{DmGate, Shared};
use crate::clock::{Clock, World};
use crate::message::AccountKey;
use crate::policy::AccountPolicy;
use crate::reply::ReplyTemplate;
use crate::store::{MemoryStore, Store};

/// Collects what a gate is made of. Each part has a default.
#[derive(Default)]
pub struct DmGateBuilder {
    store: Option<Arc<dyn Store>>,
    world: World,
    reply: ReplyTemplate,
    fallback: AccountPolicy,
    policies: HashMap<AccountKey, AccountPolicy>,
}

impl DmGateBuilder {
    /// Where state lives; by default a [`MemoryStore`], which forgets when the process ends.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// As [`DmGateBuilder::store`], of a store that is shared.
    #[must_use]
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// What accounts do that have no policy of their own: an [`AccountPolicy`], or a bare [`DmPolicy`](crate::DmPolicy)
    /// with nobody listed.
    #[must_use]
    pub fn policy(mut self, policy: impl Into<AccountPolicy>) -> Self {
        self.fallback = policy.into();
        self
    }

    /// The policy of one account.
    #[must_use]
    pub fn account(mut self, key: AccountKey, policy: AccountPolicy) -> Self {
        self.policies.insert(key, policy);
        self
    }

    /// The pairing message.
    #[must_use]
    pub fn reply(mut self, reply: ReplyTemplate) -> Self {
        self.reply = reply;
        self
    }

    /// Where the gate's time comes from. A store keeps its own clock: give both the same.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.world.clock = Arc::new(clock);
        self
    }

    /// The gate's clock, and, for the store in memory that it comes with, the generator of codes. A store of your own
    /// has both already: give both the same.
    #[must_use]
    pub fn world(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    /// The gate.
    #[must_use]
    pub fn build(self) -> DmGate {
        let Self { store, world, reply, fallback, policies } = self;
        let store = store.unwrap_or_else(|| Arc::new(MemoryStore::new(world.clone())));
        let accounts = Accounts::new();
        for (key, policy) in policies {
            accounts.add(Account::new(key, policy, &store, &world.clock));
        }
        let (reply, fallback) = (ArcSwap::from_pointee(reply), ArcSwap::from_pointee(fallback));
        DmGate(Arc::new(Shared { world, store, reply, fallback, accounts, changing: Mutex::new(()) }))
    }
}
