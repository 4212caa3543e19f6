//! The reference store: the rules, a map and a mutex. For tests, and for gates that may forget.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Actor, Loaded, OperatorError, Places, Revoked, Snapshot, Store, StoreError};
use crate::clock::{Moment, Timestamp, World};
use crate::message::{AccountId, AccountKey, ChannelId, SenderId};
use crate::pairing::record::{SendKind, SendStep, Sending};
use crate::pairing::{Approval, ApproveError, Change, ChannelState, Knock, Knocked, Request, RequestId};

/// A store that forgets when the process ends.
pub struct MemoryStore {
    world: World,
    channels: Mutex<HashMap<ChannelId, Channel>>,
    revision: AtomicU64,
    changed: Notify,
}

#[derive(Default)]
struct Channel {
    state: ChannelState,
    allowed: HashMap<AccountId, Vec<SenderId>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(world: World) -> Self {
        let (channels, revision, changed) = Default::default();
        Self { world, channels, revision, changed }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChannelId, Channel>> {
        // A panic elsewhere leaves whole transactions behind: each is applied in one step.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction: upkeep first, then what `act` says.
    fn transact<T>(
        &self,
        channel: &ChannelId,
        act: impl FnOnce(&mut Channel, Moment) -> Result<(T, Change), StoreError>,
    ) -> Result<T, StoreError> {
        let mut channels = self.lock();
        let channel = channels.entry(channel.clone()).or_default();
        let now = self.world.clock.moment();
        let upkeep = channel.upkeep(now.wall);
        channel.apply(&upkeep);
        let (answer, change) = act(channel, now)?;
        channel.apply(&change);
        if !upkeep.is_empty() || !change.is_empty() {
            self.revision.fetch_add(1, Ordering::SeqCst);
            self.changed.notify_waiters();
        }
        Ok(answer)
    }
}

impl Channel {
    fn is_allowed(&self, account: &AccountId, id: &SenderId) -> bool {
        self.allowed.get(account).is_some_and(|ids| ids.contains(id))
    }

    fn waiting(&self, now: Timestamp) -> impl Iterator<Item = &Request> {
        let is_in = |request: &Request| self.is_allowed(&request.account, &request.id);
        self.state.requests.iter().filter(move |request| request.is_live(now) && !is_in(request))
    }

    fn upkeep(&self, now: Timestamp) -> Change {
        self.state.upkeep(now, |request| self.is_allowed(&request.account, &request.id))
    }

    fn apply(&mut self, change: &Change) {
        self.state.apply(change);
        for (account, id) in &change.admit {
            if !self.is_allowed(account, id) {
                self.allowed.entry(account.clone()).or_default().push(id.clone());
            }
        }
        for (account, id) in &change.revoke {
            self.allowed.entry(account.clone()).or_default().retain(|other| other != id);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn revision(&self, _account: &AccountKey) -> Option<u64> {
        Some(self.revision.load(Ordering::SeqCst))
    }

    async fn load(&self, account: &AccountKey) -> Loaded {
        let mut channels = self.lock();
        let channel = channels.entry(account.channel().clone()).or_default();
        let allowed =
            channel.allowed.get(account.account()).map(|ids| ids.iter().collect()).unwrap_or_default();
        let snapshot = Arc::new(Snapshot::of(account.account(), allowed, channel.state.clone()));
        Loaded { revision: Some(self.revision.load(Ordering::SeqCst)), snapshot }
    }

    async fn changed(&self, account: &AccountKey, since: Option<u64>) {
        let notified = self.changed.notified();
        tokio::pin!(notified);
        // Registered before the look: a change in between is not missed.
        notified.as_mut().enable();
        if self.revision(account) == since {
            notified.await;
        }
    }

    async fn knock(&self, channel: &ChannelId, knock: Knock) -> Result<Knocked, StoreError> {
        self.transact(channel, |channel, now| {
            let listed = |id: &SenderId| channel.is_allowed(&knock.account, id);
            Ok(channel.state.knock(&knock, listed, now, &*self.world.entropy)?)
        })
    }

    async fn bind(
        &self,
        account: &AccountKey,
        entry: &SenderId,
        primary: &SenderId,
    ) -> Result<SenderId, StoreError> {
        self.transact(account.channel(), |channel, _| {
            Ok(channel.state.bind(account.account(), entry, primary))
        })
    }

    async fn sending(
        &self,
        account: &AccountKey,
        request: &RequestId,
        what: SendKind,
        step: SendStep,
    ) -> Result<Option<Sending>, StoreError> {
        self.transact(account.channel(), |channel, _| Ok(channel.state.sending(request, what, step)))
    }

    async fn channels(&self) -> Result<Vec<ChannelId>, StoreError> {
        let channels = self.lock();
        let now = self.world.clock.now();
        let waiting = channels.iter().filter(|(_, channel)| channel.waiting(now).next().is_some());
        let mut names: Vec<ChannelId> = waiting.map(|(name, _)| name.clone()).collect();
        names.sort();
        Ok(names)
    }

    async fn pending(&self, channel: &ChannelId) -> Result<Vec<Request>, StoreError> {
        let now = self.world.clock.now();
        let mut requests: Vec<Request> = self
            .lock()
            .get(channel)
            .map(|channel| channel.waiting(now).cloned().collect())
            .unwrap_or_default();
        requests.sort_by_key(|request| request.created_at);
        Ok(requests)
    }

    async fn approve(
        &self,
        channel: &ChannelId,
        approval: Approval,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        Ok(self.transact(channel, |channel, now| {
            Ok(channel.state.approve(&approval, actor.surface, now.wall))
        })??)
    }

    async fn reject(
        &self,
        channel: &ChannelId,
        approval: Approval,
        block: bool,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        Ok(self.transact(channel, |channel, now| {
            Ok(channel.state.reject(&approval, actor.surface, block, now.wall))
        })??)
    }

    async fn allowed(&self, account: &AccountKey) -> Result<Vec<String>, StoreError> {
        let channels = self.lock();
        let ids = channels.get(account.channel()).and_then(|channel| channel.allowed.get(account.account()));
        Ok(ids.map(|ids| ids.iter().map(ToString::to_string).collect()).unwrap_or_default())
    }

    async fn listed_in(&self, account: &AccountKey, sender: &SenderId) -> Result<Vec<String>, StoreError> {
        let channels = self.lock();
        let channel = channels.get(account.channel());
        let is_listed = channel.is_some_and(|channel| channel.is_allowed(account.account(), sender));
        Ok(is_listed.then(|| "memory".to_owned()).into_iter().collect())
    }

    async fn allow(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        _actor: &Actor,
    ) -> Result<bool, OperatorError> {
        let added = self.transact(account.channel(), |channel, _| {
            let new = !channel.is_allowed(account.account(), sender);
            let (result, change) = channel.state.allow(account.account(), sender);
            Ok((result.map(|()| new), change))
        })?;
        Ok(added.map_err(|error: ApproveError| error)?)
    }

    async fn revoke(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        _actor: &Actor,
    ) -> Result<Revoked, StoreError> {
        self.transact(account.channel(), |channel, _| {
            let entries = usize::from(channel.is_allowed(account.account(), sender));
            let listed = |id: &SenderId| channel.is_allowed(account.account(), id);
            let (revoked, change) = channel.state.revoke(account.account(), sender, listed);
            Ok((Revoked { entries, ..revoked }, change))
        })
    }

    async fn blocked(&self, account: &AccountKey) -> Result<Vec<SenderId>, StoreError> {
        let channels = self.lock();
        let channel = channels.get(account.channel()).into_iter();
        Ok(channel.flat_map(|channel| channel.state.record.blocked(account.account())).collect())
    }

    async fn block(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        _actor: &Actor,
    ) -> Result<bool, StoreError> {
        self.transact(account.channel(), |channel, _| Ok(channel.state.block(account.account(), sender)))
    }

    async fn unblock(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        _actor: &Actor,
    ) -> Result<bool, StoreError> {
        self.transact(account.channel(), |channel, _| Ok(channel.state.unblock(account.account(), sender)))
    }

    fn places(&self, _account: &AccountKey) -> Places {
        Places { allowed: vec!["memory".into()], pending: "memory".into(), record: "memory".into() }
    }
}
