//! What a rule wants to be made durable.

use super::code::RequestId;
use super::record::Entry;
use super::request::Request;
use crate::clock::Timestamp;
use crate::message::{AccountId, SenderId};

/// What is to be made durable. Stores write its parts in the order that [`Change`]'s fields have.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Senders that go, first of all: whatever follows may be lost, nobody is in for longer.
    // INVARIANT I15: an alias is off the list before its primary is forgotten, so that nobody else gets in by it between.
    pub revoke: Vec<(AccountId, SenderId)>,
    /// Senders that come in.
    // INVARIANT I4: allowlist first, then pending.
    pub admit: Vec<(AccountId, SenderId)>,
    /// Requests that are new: on disk before the record knows them.
    pub add: Vec<Request>,
    /// What the record says more.
    pub entries: Vec<Entry>,
    /// Requests that are over.
    pub drop: Vec<RequestId>,
    /// Requests whose stamp lay ahead, and from when they count now.
    pub restamp: Vec<(RequestId, Timestamp)>,
}

impl Change {
    /// Both changes, the other one after this.
    pub(crate) fn extend(&mut self, other: Self) {
        self.revoke.extend(other.revoke);
        self.admit.extend(other.admit);
        self.add.extend(other.add);
        self.entries.extend(other.entries);
        self.drop.extend(other.drop);
        self.restamp.extend(other.restamp);
    }

    /// Whether there is nothing to make durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.revoke.is_empty()
            && self.admit.is_empty()
            && self.add.is_empty()
            && self.entries.is_empty()
            && self.drop.is_empty()
            && self.restamp.is_empty()
    }
}
