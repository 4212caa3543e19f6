//! What the gate says.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::gate::Grant;
use crate::message::{InboundMessage, ReplyRoute, SenderId};
use crate::pairing::{PairingCode, RequestId};

/// The answer for one message. It is complete on purpose: a new outcome of a security decision should break the build
/// of those who match on it.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    /// The sender is in. Hand the message and the permit to the agent.
    Admit(Permit),
    /// The sender is new and gets a code: send [`Challenge::reply`], once, and nothing else.
    Challenge(Challenge),
    /// Nothing happens and nothing is sent.
    Ignore(Refusal),
    /// The gate could not decide. Nothing happens and nothing is sent; the operator is told.
    Unavailable(Fault),
}

impl Decision {
    /// The decision as one word: `admit`, `challenge`, `ignore`, `unavailable`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Admit(_) => "admit",
            Self::Challenge(_) => "challenge",
            Self::Ignore(_) => "ignore",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The reason as one fixed word.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Admit(permit) => permit.reason(),
            Self::Challenge(_) => Reason::PairingRequired,
            Self::Ignore(refusal) => refusal.reason,
            Self::Unavailable(fault) => fault.reason(),
        }
    }
}

/// Why a decision is what it is: the fixed words, in the order in which they are asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The envelope's authenticity was not proven.
    Unverified,
    /// We wrote it ourselves.
    OwnMessage,
    /// Another bot wrote it.
    Bot,
    /// Not a message, command, button or callback.
    NotAMessage,
    /// Not provably one-to-one.
    NotDirect,
    /// The account takes no direct messages.
    Disabled,
    /// The primary id or an alias is blocked.
    Blocked,
    /// A file that this answer needs can't be trusted or read.
    StoreUnreadable,
    /// A lock could not be had in time.
    StoreLocked,
    /// The sender is on a list that counts.
    Allowlisted,
    /// The account is open to everyone.
    Open,
    /// The account has a list, and the sender is not on it.
    NotAllowlisted,
    /// A stranger's message older than the configured age.
    Backlog,
    /// The sender has a live request.
    AlreadyPending,
    /// The sender was given a code less than an hour ago.
    HourUsed,
    /// All slots are taken.
    PendingFull,
    /// The sender gets a code.
    PairingRequired,
}

impl Reason {
    /// The fixed word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::OwnMessage => "own_message",
            Self::Bot => "bot",
            Self::NotAMessage => "not_a_message",
            Self::NotDirect => "not_direct",
            Self::Disabled => "disabled",
            Self::Blocked => "blocked",
            Self::StoreUnreadable => "store_unreadable",
            Self::StoreLocked => "store_locked",
            Self::Allowlisted => "allowlisted",
            Self::Open => "open",
            Self::NotAllowlisted => "not_allowlisted",
            Self::Backlog => "backlog",
            Self::AlreadyPending => "already_pending",
            Self::HourUsed => "hour_used",
            Self::PendingFull => "pending_full",
            Self::PairingRequired => "pairing_required",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Proof that the gate let a message in. Only the gate makes one; whatever runs the agent asks for one.
#[derive(Clone)]
pub struct Permit {
    grant: Grant,
}

impl Permit {
    #[inline]
    pub(crate) fn new(grant: Grant) -> Self {
        Self { grant }
    }

    /// Who was let in, by their primary id.
    #[must_use]
    pub fn sender(&self) -> &SenderId {
        self.grant.sender()
    }

    /// Why: [`Reason::Allowlisted`] or [`Reason::Open`].
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.grant.reason()
    }

    /// Whether it lets in this message: its own sender's, on its own account.
    #[must_use]
    pub fn is_for(&self, message: &InboundMessage) -> bool {
        self.grant.is_for(message)
    }

    /// Whether the sender would still be let in now. Ask it in the course of a long turn, and before its effects. A gate
    /// that is not there any more lets nobody in.
    // INVARIANT I9: a long-running agent turn can ask its permit whether it still stands.
    pub async fn is_current(&self) -> bool {
        self.grant.is_current().await
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("reason", &self.reason()).finish()
    }
}

/// A code for a stranger, already on disk. Send [`Challenge::reply`] on [`Challenge::route`].
#[derive(Clone)]
pub struct Challenge {
    /// The request behind it.
    pub request: RequestId,
    /// The code.
    pub code: PairingCode,
    /// When the code stops working.
    pub expires_at: Timestamp,
    /// The ready text of the answer.
    pub reply: String,
    /// Where the answer goes.
    pub route: ReplyRoute,
}

// INVARIANT I12: codes never appear in `Debug`; the reply holds one.
impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Why a message is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The fixed word.
    pub reason: Reason,
}

/// Why the gate could not decide: for the operator, never for the sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault(Arc<FaultParts>);

#[derive(PartialEq, Eq, Debug)]
struct FaultParts {
    locked: bool,
    detail: Box<str>,
}

impl Fault {
    /// A file can't be trusted or read. `detail` says which, why, and what mends it; no secrets.
    #[must_use]
    pub fn unreadable(detail: impl Into<Box<str>>) -> Self {
        Self(Arc::new(FaultParts { locked: false, detail: detail.into() }))
    }

    /// A lock could not be had in time. `detail` says which and who holds it.
    #[must_use]
    pub fn locked(detail: impl Into<Box<str>>) -> Self {
        Self(Arc::new(FaultParts { locked: true, detail: detail.into() }))
    }

    /// [`Reason::StoreUnreadable`] or [`Reason::StoreLocked`].
    #[must_use]
    pub fn reason(&self) -> Reason {
        if self.0.locked { Reason::StoreLocked } else { Reason::StoreUnreadable }
    }

    /// What happened and what to do.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for Fault {}
