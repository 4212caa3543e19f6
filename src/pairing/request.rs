//! A sender who waits for the owner.

use std::time::Duration;

use super::code::{PairingCode, RequestId};
use super::record::Hour;
use crate::clock::Timestamp;
use crate::message::{AccountId, SenderId, Source};

/// A sender who waits for the owner.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id.
    pub request: RequestId,
    /// On which account.
    pub account: AccountId,
    /// The sender's primary id.
    pub id: SenderId,
    /// Authenticated aliases, where our record knows them.
    pub aliases: Vec<SenderId>,
    /// The code.
    pub code: PairingCode,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the sender was last heard of.
    pub last_seen_at: Timestamp,
    /// What is known of the sender for display, as the shared file holds it.
    pub meta: Vec<(String, String)>,
    /// Where the sender comes from, if that limits requests.
    pub source: Option<Source>,
    /// How long its code works: what the limits said when it was made; an hour for other programs' requests.
    pub ttl: Duration,
    /// Whether we made it. Requests of other programs are approvable; we never send their codes.
    pub ours: bool,
}

impl Request {
    /// When its code stops working.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(self.ttl)
    }

    /// Whether its code still works: it is expired when strictly older than its time.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now <= self.expires_at()
    }

    /// The primary id, then the aliases.
    pub fn ids(&self) -> impl Iterator<Item = &SenderId> {
        std::iter::once(&self.id).chain(&self.aliases)
    }

    pub(super) fn has(&self, id: &SenderId) -> bool {
        self.ids().any(|own| own == id)
    }

    /// Its hour, as our record keeps it.
    pub(super) fn hour(&self, now: Timestamp) -> Hour {
        let ids = self.ids().map(ToString::to_string).collect();
        let from = (self.created_at > now).then_some(now.as_millis());
        Hour {
            request: self.request.clone(),
            account: self.account.to_string(),
            ids,
            at: self.created_at.as_millis(),
            ttl: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
            from,
            uptime: None,
            route: None,
        }
    }
}
