//! A store of one's own: another store with a journal of what was done around it, checked by the suite that every store
//! passes.
//!
//! A store over a database does the same as this one without anything inside: it loads a
//! [`ChannelState`](dmgate::pairing::ChannelState), asks the rules, and writes the
//! [`Change`](dmgate::pairing::Change) in one of its own transactions.
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use dmgate::pairing::record::{SendKind, SendStep, Sending};
use dmgate::pairing::{Approval, Knock, Knocked, Request, RequestId};
use dmgate::store::{Actor, Loaded, MemoryStore, OperatorError, Places, Revoked, Store, StoreError};
use dmgate::{AccountKey, ChannelId, DmGate, InboundMessage, Limits, Sender, SenderId, World};

/// Any store, and what was done to it.
struct Journaled<S> {
    inner: S,
    lines: Mutex<Vec<String>>,
}

impl<S> Journaled<S> {
    fn around(inner: S) -> Self {
        Self { inner, lines: Mutex::default() }
    }

    /// Notes a transaction that was done; one that was not leaves no line.
    fn note<T, E>(&self, what: &str, result: Result<T, E>) -> Result<T, E> {
        if result.is_ok() {
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
        }
        result
    }
}

#[async_trait]
impl<S: Store> Store for Journaled<S> {
    fn revision(&self, account: &AccountKey) -> Option<u64> {
        self.inner.revision(account)
    }

    async fn load(&self, account: &AccountKey) -> Loaded {
        self.inner.load(account).await
    }

    fn limits(&self, given: &Limits) -> Limits {
        self.inner.limits(given)
    }

    async fn changed(&self, account: &AccountKey, since: Option<u64>) {
        self.inner.changed(account, since).await;
    }

    async fn knock(&self, channel: &ChannelId, knock: Knock) -> Result<Knocked, StoreError> {
        self.note("knock", self.inner.knock(channel, knock).await)
    }

    async fn bind(
        &self,
        account: &AccountKey,
        entry: &SenderId,
        primary: &SenderId,
    ) -> Result<SenderId, StoreError> {
        self.inner.bind(account, entry, primary).await
    }

    async fn sending(
        &self,
        account: &AccountKey,
        request: &RequestId,
        what: SendKind,
        step: SendStep,
    ) -> Result<Option<Sending>, StoreError> {
        self.inner.sending(account, request, what, step).await
    }

    async fn channels(&self) -> Result<Vec<ChannelId>, StoreError> {
        self.inner.channels().await
    }

    async fn pending(&self, channel: &ChannelId) -> Result<Vec<Request>, StoreError> {
        self.inner.pending(channel).await
    }

    async fn approve(
        &self,
        channel: &ChannelId,
        approval: Approval,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        self.note("approve", self.inner.approve(channel, approval, actor).await)
    }

    async fn reject(
        &self,
        channel: &ChannelId,
        approval: Approval,
        block: bool,
        actor: &Actor,
    ) -> Result<Request, OperatorError> {
        self.note("reject", self.inner.reject(channel, approval, block, actor).await)
    }

    async fn allowed(&self, account: &AccountKey) -> Result<Vec<String>, StoreError> {
        self.inner.allowed(account).await
    }

    async fn listed_in(&self, account: &AccountKey, sender: &SenderId) -> Result<Vec<String>, StoreError> {
        self.inner.listed_in(account, sender).await
    }

    async fn allow(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, OperatorError> {
        self.note("allow", self.inner.allow(account, sender, actor).await)
    }

    async fn revoke(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<Revoked, StoreError> {
        self.note("revoke", self.inner.revoke(account, sender, actor).await)
    }

    async fn blocked(&self, account: &AccountKey) -> Result<Vec<SenderId>, StoreError> {
        self.inner.blocked(account).await
    }

    async fn block(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        self.note("block", self.inner.block(account, sender, actor).await)
    }

    async fn unblock(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        self.note("unblock", self.inner.unblock(account, sender, actor).await)
    }

    fn places(&self, account: &AccountKey) -> Places {
        self.inner.places(account)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::sync::Arc::new(Journaled::around(MemoryStore::new(World::default())));
    let gate = DmGate::builder().shared_store(store.clone()).build();
    let account = AccountKey::parse("telegram", "default")?;
    let sender = Sender::new(SenderId::parse(account.channel(), "123456789")?);
    let _ = gate.admit(&InboundMessage::direct(account, sender, "hello")).await;
    println!("{:?}", store.lines.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use dmgate::testing::{ManualClock, Subject, store_suite};

    #[tokio::test]
    async fn it_is_a_store_like_any_other() {
        store_suite(|| async {
            let clock = ManualClock::now();
            let store = Arc::new(Journaled::around(MemoryStore::new(clock.world())));
            Subject { store, clock, again: None, kept: Box::new(()) }
        })
        .await;
    }
}
