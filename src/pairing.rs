//! The rules of pairing, pure: (state, event, now, random) → (outcome, change). No I/O, no clock, no async.

mod change;
mod code;
mod owner;
pub mod record;
mod request;
mod stranger;

use std::time::Duration;

pub use change::Change;
pub use code::{CodeError, PairingCode, RequestId};
pub use owner::{Approval, ApproveError, Surface, Target};
use record::{Entry, Hour, Record, SendKind, SendStep, Sending};
pub use request::Request;
pub use stranger::{Ask, Handover, Knock, Knocked};

use crate::clock::Timestamp;
use crate::message::{AccountId, SenderId};

/// The durable state of one channel, all accounts, but for the lists of who is in.
#[derive(Clone, Debug, Default)]
pub struct ChannelState {
    /// Pending requests, in the order of the file.
    pub requests: Vec<Request>,
    /// When entries were made that are no usable requests: they count where other programs count to three.
    pub unusable: Vec<Timestamp>,
    /// Our own record.
    pub record: Record,
}

/// For how long codes don't work through remote surfaces after too many wrong ones.
const LOCKOUT: Duration = Duration::from_secs(900);

impl ChannelState {
    /// Puts the aliases that the record knows beside the requests, and drops requests that were never handed out: ours,
    /// without a line in our record. Done under the lock, so that no transaction is half-way.
    #[must_use]
    pub fn joined(mut requests: Vec<Request>, unusable: Vec<Timestamp>, record: Record) -> Self {
        for request in &mut requests {
            if let Some(hour) = record.hour_of(&request.request) {
                request.aliases = aliases_of(hour, &request.id);
                request.ttl = hour.ttl();
            }
        }
        Self { requests, unusable, record }
    }

    /// Whether a request was written but never handed out: the writer died before the record knew it.
    #[must_use]
    pub fn is_orphan(&self, request: &Request) -> bool {
        request.ours && self.record.hour_of(&request.request).is_none()
    }

    /// What is to be mended before anything else happens at `now`: expired and orphaned requests go, and those of
    /// senders who are in already; requests of other programs get their hour in our record; stamps from the future are
    /// moved to now.
    // INVARIANT I4: recovery drops the pending request of a sender who is already allowed.
    #[must_use]
    pub fn upkeep(&self, now: Timestamp, is_allowed: impl Fn(&Request) -> bool) -> Change {
        let mut change = Change::default();
        for request in &self.requests {
            if !request.is_live(now) || self.is_orphan(request) || is_allowed(request) {
                change.drop.push(request.request.clone());
                continue;
            }
            if request.created_at > now {
                change.restamp.push((request.request.clone(), now));
            }
            if !request.ours && self.record.hour_of(&request.request).is_none() {
                change.entries.push(Entry::Hour { hour: request.hour(now) });
            }
        }
        for hour in self.record.hours.iter().filter(|hour| hour.is_ahead_of(now)) {
            let from = Some(now.as_millis());
            change.entries.push(Entry::Hour { hour: Hour { from, ..hour.clone() } });
        }
        // Set by a clock that ran ahead: it must not last for years.
        if self.record.locked_until.is_some_and(|until| until > now.plus(LOCKOUT)) {
            let locked_until = Some(now.plus(LOCKOUT).as_millis());
            change.entries.push(Entry::Guesses { wrong: self.record.wrong, locked_until });
        }
        let waits =
            |id: &RequestId| self.requests.iter().any(|r| r.request == *id && !change.drop.contains(id));
        let stale = |send: &&Sending| send.what == SendKind::Challenge && !waits(&send.request);
        let closed = |send: &Sending| Entry::Closed { request: send.request.clone() };
        let closed: Vec<Entry> = self.record.sends.iter().filter(stale).map(closed).collect();
        change.entries.extend(closed);
        change
    }

    /// Applies a change in memory, but for who is in.
    pub fn apply(&mut self, change: &Change) {
        for entry in &change.entries {
            self.record.apply(entry);
        }
        self.requests.retain(|request| !change.drop.contains(&request.request));
        for request in &mut self.requests {
            if let Some((_, at)) = change.restamp.iter().find(|(id, _)| *id == request.request) {
                request.created_at = *at;
                request.last_seen_at = *at;
            }
        }
        self.requests.extend(change.add.clone());
    }

    /// Whether one of the ids is blocked.
    #[must_use]
    pub fn is_blocked<'a>(&self, account: &AccountId, mut ids: impl Iterator<Item = &'a SenderId>) -> bool {
        let blocks = self.record.blocks.iter().filter(|(of, _)| of == account.as_str());
        !self.record.blocks.is_empty()
            && ids.any(|id| blocks.clone().any(|(_, blocked)| blocked == id.as_str()))
    }

    /// A sending makes a step. Says how it stands then; `None` when it is over or never was.
    #[must_use]
    pub fn sending(&self, request: &RequestId, what: SendKind, step: SendStep) -> (Option<Sending>, Change) {
        let is_it = |send: &&Sending| send.request == *request && send.what == what;
        if !self.record.sends.iter().any(|send| is_it(&send)) {
            return (None, Change::default());
        }
        let entry = Entry::Sending { request: request.clone(), what, step };
        let mut after = self.record.clone();
        after.apply(&entry);
        let send = after.sends.iter().find(is_it).cloned();
        (send, Change { entries: vec![entry], ..Change::default() })
    }

    /// Closes every pending request of a sender: they came in another way, go, or are blocked.
    #[must_use]
    pub fn close_all(&self, account: &AccountId, id: &SenderId) -> Change {
        let mut change = Change::default();
        for request in self.requests_of(account, id) {
            let closing = self.closing(request);
            change.entries.extend(closing.entries);
            change.drop.extend(closing.drop);
        }
        change
    }

    fn requests_of(&self, account: &AccountId, id: &SenderId) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(move |request| request.account == *account && request.has(id))
    }

    fn closing(&self, request: &Request) -> Change {
        let entries = vec![Entry::Closed { request: request.request.clone() }];
        Change { entries, drop: vec![request.request.clone()], ..Change::default() }
    }
}

fn aliases_of(hour: &Hour, primary: &SenderId) -> Vec<SenderId> {
    let others = hour.ids.iter().filter(|id| *id != primary.as_str());
    others.filter_map(|id| SenderId::from_record(id)).collect()
}

#[cfg(test)]
mod tests;
