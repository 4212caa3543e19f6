//! What the owner says: approve, reject, let in, revoke, block.

use std::fmt;

use super::code::{PairingCode, RequestId};
use super::record::{Entry, SendKind, Sending};
use super::request::Request;
use super::{Change, ChannelState, LOCKOUT};
use crate::clock::Timestamp;
use crate::message::{AccountId, SenderId};
use crate::store::Revoked;

/// What the owner points at.
#[derive(Clone, Debug)]
pub enum Target {
    /// A code.
    Code(PairingCode),
    /// A sender.
    Sender(SenderId),
    /// A request.
    Request(RequestId),
}

/// Through what the owner speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surface {
    /// The local command line, whose user can read the files anyway.
    Local,
    /// Chat, HTTP: wrong codes are counted.
    Remote,
}

/// What the owner says about a request.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Which request.
    pub target: Target,
    /// On which account, if named.
    pub account: Option<AccountId>,
    /// Whether the sender is told.
    pub notify: bool,
}

impl Target {
    fn is(&self, request: &Request) -> bool {
        match self {
            Self::Code(code) => request.code.matches(code),
            Self::Request(id) => request.request == *id,
            Self::Sender(id) => request.has(id),
        }
    }
}

impl Approval {
    fn is_remote_code(&self, surface: Surface) -> bool {
        surface == Surface::Remote && matches!(self.target, Target::Code(_))
    }
}

/// Why a request was not approved or rejected.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApproveError {
    /// No live request is meant: never made, expired, decided, or of another channel or account.
    #[error("no pending request matches; `dmgate pairing list` shows what is pending")]
    NotFound,
    /// More than one request is meant.
    #[error("more than one pending request matches; name the account with --account, or use --request")]
    Ambiguous,
    /// The sender is blocked.
    #[error("the sender is blocked; `dmgate block remove` first if that was a mistake")]
    Blocked,
    /// Too many wrong codes.
    #[error(
        "too many wrong codes: codes of this channel don't work before {until}; approve by sender or request id"
    )]
    LockedOut {
        /// When codes work again.
        until: Timestamp,
    },
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Local { "local" } else { "remote" })
    }
}

/// Wrong codes in a row after which codes don't work through remote surfaces.
const WRONG_CODES: u32 = 5;

impl ChannelState {
    /// The owner approves. The state must have had its upkeep. The change is to be made durable also beside an error:
    /// it counts the wrong guess.
    // INVARIANT I5: a code works once, for its own channel and account, before it expires.
    pub fn approve(
        &self,
        approval: &Approval,
        surface: Surface,
        now: Timestamp,
    ) -> (Result<Request, ApproveError>, Change) {
        let found = match self.meant(approval, surface, now) {
            Ok(request) => request.clone(),
            Err((error, guess)) => return (Err(error), guess),
        };
        if self.is_blocked(&found.account, found.ids()) {
            return (Err(ApproveError::Blocked), Change::default());
        }
        let change = self.admission(&found, approval, surface, now);
        (Ok(found), change)
    }

    /// What the approval of a request comes to; also to be done again where it was interrupted.
    #[must_use]
    pub fn admission(
        &self,
        found: &Request,
        approval: &Approval,
        surface: Surface,
        now: Timestamp,
    ) -> Change {
        let mut change = self.closing(found);
        change.admit.push((found.account.clone(), found.id.clone()));
        if approval.notify {
            let hour = self.record.hour_of(&found.request).cloned().unwrap_or_else(|| found.hour(now));
            change.entries.push(Entry::Queued { send: Sending::of(&hour, SendKind::Notice) });
        }
        change.entries.extend(self.row_ended(approval, surface));
        change
    }

    /// The accounts whose requests an approval may mean: whose lists it may write.
    pub fn meant_by<'a>(&'a self, approval: &'a Approval) -> impl Iterator<Item = &'a AccountId> {
        let named = |request: &&Request| {
            approval.account.as_ref().is_none_or(|account| *account == request.account)
                && approval.target.is(request)
        };
        self.requests.iter().filter(named).map(|request| &request.account)
    }

    /// The owner rejects; with `block` the sender never gets a code again. The hour goes on. As with an approval, the
    /// change counts also beside an error.
    pub fn reject(
        &self,
        approval: &Approval,
        surface: Surface,
        block: bool,
        now: Timestamp,
    ) -> (Result<Request, ApproveError>, Change) {
        let request = match self.meant(approval, surface, now) {
            Ok(request) => request.clone(),
            Err((error, guess)) => return (Err(error), guess),
        };
        let mut change = self.closing(&request);
        change.entries.extend(self.row_ended(approval, surface));
        if block {
            change.entries.extend(blocking(&request.account, request.ids()));
        }
        (Ok(request), change)
    }

    /// The request that is meant. A wrong code through a remote surface is counted, whatever it was to be used for:
    /// each answer tells whether it was right.
    // INVARIANT I12: wrong guesses lock codes out; the count is durable before the answer goes out.
    #[expect(clippy::result_large_err, reason = "asked at human speed")]
    fn meant(
        &self,
        approval: &Approval,
        surface: Surface,
        now: Timestamp,
    ) -> Result<&Request, (ApproveError, Change)> {
        let remote_code = approval.is_remote_code(surface);
        if remote_code && let Some(until) = self.record.locked_until.filter(|until| now < *until) {
            return Err((ApproveError::LockedOut { until }, Change::default()));
        }
        self.find(&approval.target, approval.account.as_ref()).map_err(|error| {
            let guess = remote_code.then(|| self.wrong_guess(now));
            (error, Change { entries: guess.into_iter().collect(), ..Change::default() })
        })
    }

    fn row_ended(&self, approval: &Approval, surface: Surface) -> Option<Entry> {
        let ends = approval.is_remote_code(surface) && self.record.wrong > 0;
        ends.then_some(Entry::Guesses { wrong: 0, locked_until: None })
    }

    /// The owner lets a sender in without a request. A primary that was remembered behind the id is forgotten.
    ///
    /// # Errors
    /// [`ApproveError::Blocked`].
    pub fn allow(&self, account: &AccountId, id: &SenderId) -> (Result<(), ApproveError>, Change) {
        if self.is_blocked(account, std::iter::once(id)) {
            return (Err(ApproveError::Blocked), Change::default());
        }
        let mut change = self.close_all(account, id);
        change.admit.push((account.clone(), id.clone()));
        change.entries.extend(self.unbinding(account, id));
        (Ok(()), change)
    }

    /// The owner revokes a sender; `listed` says which ids are on the account's lists.
    #[must_use]
    pub fn revoke(
        &self,
        account: &AccountId,
        id: &SenderId,
        listed: impl Fn(&SenderId) -> bool,
    ) -> (Revoked, Change) {
        let mut change = self.close_all(account, id);
        change.revoke.push((account.clone(), id.clone()));
        change.entries.extend(self.unbinding(account, id));
        let bound = self
            .record
            .bindings
            .iter()
            .filter(|(of, _, primary)| of == account.as_str() && primary == id.as_str());
        let known = self.record.hours.iter().filter(|hour| {
            hour.account == account.as_str() && hour.ids.iter().any(|other| other == id.as_str())
        });
        let others = bound.map(|(_, entry, _)| entry).chain(known.flat_map(|hour| &hour.ids));
        let mut aliases: Vec<String> = others
            .filter(|other| *other != id.as_str())
            .filter(|other| SenderId::from_record(other).is_some_and(|other| listed(&other)))
            .cloned()
            .collect();
        aliases.sort();
        aliases.dedup();
        (Revoked { entries: 0, requests: change.drop.len(), aliases }, change)
    }

    /// The owner blocks a sender: their slot is free at once. Says whether that is new.
    #[must_use]
    pub fn block(&self, account: &AccountId, id: &SenderId) -> (bool, Change) {
        let mut change = self.close_all(account, id);
        let pending = self.requests_of(account, id);
        change.entries.extend(blocking(account, std::iter::once(id).chain(pending.flat_map(Request::ids))));
        (!self.is_blocked(account, std::iter::once(id)), change)
    }

    /// The owner ends a block. Says whether there was one.
    #[must_use]
    pub fn unblock(&self, account: &AccountId, id: &SenderId) -> (bool, Change) {
        let was = self.is_blocked(account, std::iter::once(id));
        let entry = || Entry::Unblocked { account: account.to_string(), id: id.to_string() };
        (was, Change { entries: was.then(entry).into_iter().collect(), ..Change::default() })
    }

    fn unbinding(&self, account: &AccountId, id: &SenderId) -> Option<Entry> {
        self.record.primary_behind(account, id)?;
        Some(Entry::Unbound { account: account.to_string(), entry: id.to_string() })
    }

    fn wrong_guess(&self, now: Timestamp) -> Entry {
        // A lock-out that ended starts a new row.
        let wrong = if self.record.locked_until.is_some() { 1 } else { self.record.wrong + 1 };
        let locked_until = (wrong >= WRONG_CODES).then(|| now.plus(LOCKOUT).as_millis());
        Entry::Guesses { wrong, locked_until }
    }

    fn find(&self, target: &Target, account: Option<&AccountId>) -> Result<&Request, ApproveError> {
        let named = |request: &&Request| account.is_none_or(|account| *account == request.account);
        let mut found: Option<&Request> = None;
        for request in self.requests.iter().filter(named) {
            let hit = target.is(request);
            if hit && found.is_some() && !matches!(target, Target::Code(_)) {
                return Err(ApproveError::Ambiguous);
            }
            found = found.or(hit.then_some(request));
        }
        found.ok_or(ApproveError::NotFound)
    }
}

fn blocking<'a>(account: &AccountId, ids: impl Iterator<Item = &'a SenderId>) -> Vec<Entry> {
    ids.map(|id| Entry::Blocked { account: account.to_string(), id: id.to_string() }).collect()
}
