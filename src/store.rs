//! What is durable: whole business transactions, each atomic, so that a caller can't put together a broken one.

mod file;
#[cfg(feature = "testing")]
pub(crate) use file::fault;
mod memory;
mod side;

use std::sync::Arc;

use async_trait::async_trait;
pub use file::{DeviceStore, DeviceView, FileOptions, FileStore, Finding, Level, NodeStore};
pub use memory::MemoryStore;
pub use side::SideFile;

use crate::allowlist::IdSet;
use crate::clock::NoEntropy;
use crate::decision::Fault;
use crate::message::{AccountId, AccountKey, ChannelId, SenderId};
use crate::pairing::record::{Record, SendKind, SendStep, Sending};
use crate::pairing::{Approval, ApproveError, ChannelState, Knock, Knocked, Request, RequestId, Surface};
use crate::policy::Limits;

/// Where the gate's state lives.
///
/// Each method is one transaction: after it returned, its effect is durable and every later read in any process sees
/// it; if it failed or was interrupted, its effect is wholly there or wholly absent. A dropped future does not interrupt
/// a transaction that began.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A number that differs from an earlier answer if anything that concerns the account was changed in between, by
    /// any process. The answer is taken on every message: it must be cheap and must not allocate. `None` if the store
    /// can't tell; the state is then loaded for every decision.
    fn revision(&self, account: &AccountKey) -> Option<u64>;

    /// The state of an account, at least as new as the moment of the call. Unchanged parts are shared with earlier
    /// snapshots. Trouble with a file is in the snapshot, where it costs what it must.
    async fn load(&self, account: &AccountKey) -> Loaded;

    /// The limits that count here, of those that the configuration gives: a store that others share may keep to theirs.
    fn limits(&self, given: &Limits) -> Limits {
        *given
    }

    /// Waits until the account's revision is another than `since`, by whatever process; may return early.
    async fn changed(&self, account: &AccountKey, since: Option<u64>);

    /// A stranger knocks: the request transaction. Many at once may share one write.
    async fn knock(&self, channel: &ChannelId, knock: Knock) -> Result<Knocked, StoreError>;

    /// Remembers the primary id behind a listed alias, if none is remembered yet; returns the remembered one.
    async fn bind(
        &self,
        account: &AccountKey,
        entry: &SenderId,
        primary: &SenderId,
    ) -> Result<SenderId, StoreError>;

    /// Notes a step of a sending. Returns the sending as it is then, `None` when it is over.
    async fn sending(
        &self,
        account: &AccountKey,
        request: &RequestId,
        what: SendKind,
        step: SendStep,
    ) -> Result<Option<Sending>, StoreError>;

    /// The channels that have pending requests, or whose requests can't be read.
    async fn channels(&self) -> Result<Vec<ChannelId>, StoreError>;

    /// The live requests of a channel, oldest first.
    async fn pending(&self, channel: &ChannelId) -> Result<Vec<Request>, StoreError>;

    /// The owner approves a request: the sender is in.
    async fn approve(
        &self,
        channel: &ChannelId,
        approval: Approval,
        actor: &Actor,
    ) -> Result<Request, OperatorError>;

    /// The owner rejects a request, and may block its sender.
    async fn reject(
        &self,
        channel: &ChannelId,
        approval: Approval,
        block: bool,
        actor: &Actor,
    ) -> Result<Request, OperatorError>;

    /// The approved senders of an account, as the shared files hold them, in their order.
    async fn allowed(&self, account: &AccountKey) -> Result<Vec<String>, StoreError>;

    /// The places of an account's lists that hold a sender, for people.
    async fn listed_in(&self, account: &AccountKey, sender: &SenderId) -> Result<Vec<String>, StoreError>;

    /// Adds a sender; forgets the primary that was remembered behind it. Refused for a blocked one.
    async fn allow(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, OperatorError>;

    /// Revokes a sender: out of every list of the account, and out of pending.
    async fn revoke(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<Revoked, StoreError>;

    /// The blocked senders of an account.
    async fn blocked(&self, account: &AccountKey) -> Result<Vec<SenderId>, StoreError>;

    /// Blocks a sender and frees their slot; `false` if blocked already.
    async fn block(&self, account: &AccountKey, sender: &SenderId, actor: &Actor)
    -> Result<bool, StoreError>;

    /// Ends a block; `false` if there was none.
    async fn unblock(
        &self,
        account: &AccountKey,
        sender: &SenderId,
        actor: &Actor,
    ) -> Result<bool, StoreError>;

    /// Where the account's parts are, for people: file paths, table names.
    fn places(&self, account: &AccountKey) -> Places;
}

/// The state of one account at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Who is in, by approval or `allow add`.
    pub allowed: Result<Arc<IdSet>, Fault>,
    /// Who is blocked on the account; and the channel's record, for the primaries behind aliases.
    pub record: Result<(Arc<IdSet>, Arc<Record>), Fault>,
    /// Pending requests and hours.
    pub pending: Result<Arc<ChannelState>, Fault>,
}

/// A snapshot, and the revision from which on it holds.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What [`Store::revision`] said before the state was read.
    pub revision: Option<u64>,
    /// The state.
    pub snapshot: Arc<Snapshot>,
}

/// Who does something, and through what: for the audit.
#[derive(Clone, Debug)]
pub struct Actor {
    /// A name, as `cli:root`.
    pub name: String,
    /// Through what.
    pub surface: Surface,
}

/// What a revocation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Entries taken out of the lists.
    pub entries: usize,
    /// Requests closed.
    pub requests: usize,
    /// Listed aliases of the same sender that still let them in.
    pub aliases: Vec<String>,
}

/// Where an account's parts are, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The lists of who is in; the first is the one that is written.
    pub allowed: Vec<String>,
    /// Pending requests.
    pub pending: String,
    /// Our record: hours, blocks, aliases.
    pub record: String,
}

/// Why a transaction was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A file can't be trusted, read or written, or a lock can't be had.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Ids or names that can't be kept apart on disk.
    #[error("{0}")]
    Refused(String),
}

impl From<NoEntropy> for StoreError {
    fn from(error: NoEntropy) -> Self {
        Self::Fault(Fault::unreadable(error.to_string()))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fault(fault) => fault,
            StoreError::Refused(detail) => Self::unreadable(detail),
        }
    }
}

/// Why an owner's command was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] ApproveError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Snapshot {
    /// A snapshot of an account whose state could be read whole.
    #[must_use]
    pub fn of(account: &AccountId, allowed: IdSet, state: ChannelState) -> Self {
        let record = Arc::new(state.record.clone());
        let record = blocked_set(&record, account).map(|blocked| (Arc::new(blocked), record));
        Self { allowed: Ok(Arc::new(allowed)), record, pending: Ok(Arc::new(state)) }
    }

    /// A snapshot in which nothing can be known.
    #[must_use]
    pub fn unavailable(fault: &Fault) -> Self {
        Self { allowed: Err(fault.clone()), record: Err(fault.clone()), pending: Err(fault.clone()) }
    }
}

/// The blocked senders of an account as a set.
// INVARIANT I7: a set that can't hold all of them would let somebody in.
pub(crate) fn blocked_set(record: &Record, account: &AccountId) -> Result<IdSet, Fault> {
    let ids: Vec<SenderId> = record.blocked(account).collect();
    let set: IdSet = ids.iter().collect();
    let has_all = ids.iter().all(|id| set.contains(id));
    has_all.then_some(set).ok_or_else(|| Fault::unreadable("more senders are blocked than can be looked up"))
}
