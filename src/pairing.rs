//! The rules of pairing, pure: (state, event, now, random) → (outcome, change). No I/O, no clock, no async.

mod code;
pub mod record;

use std::fmt;
use std::time::Duration;

pub use code::{CodeError, PairingCode, RequestId};
use record::{Entry, HOURS_RUNNING, Hour, Record, Send, SendKind, SendStep, same_source};

use crate::clock::{Entropy, NoEntropy, Timestamp};
use crate::decision::Reason;
use crate::message::{AccountId, ReplyRoute, Sender, SenderId, Source};
use crate::policy::{HOUR, Limits, PendingScope};
use crate::store::Revoked;

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

    fn has(&self, id: &SenderId) -> bool {
        self.ids().any(|own| own == id)
    }
}

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

/// A stranger's message that asks for a code.
#[derive(Clone, Debug)]
pub struct Knock {
    /// On which account.
    pub account: AccountId,
    /// Who.
    pub sender: Sender,
    /// Where the code goes.
    pub route: ReplyRoute,
    /// Where the sender comes from, if that limits requests.
    pub source: Option<Source>,
    /// What is known of the sender, for display.
    pub meta: Vec<(String, String)>,
    /// The limits of the account.
    pub limits: Limits,
    /// Who sends the code.
    pub handover: Handover,
}

/// Who sends a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handover {
    /// Whoever asked: it counts as sent when it is handed out.
    Caller,
    /// The outbox: it is noted beside the request, and sent until it arrived.
    Outbox,
}

/// What became of a [`Knock`].
#[derive(Clone, Debug)]
pub enum Knocked {
    /// A code was made; it may be sent when it is durable.
    Issued(Request),
    /// No code: the sender has a live request, had one within the hour, or no slot is free.
    Refused(Reason),
    /// The sender is in, or blocked, meanwhile: decide again.
    Changed,
}

/// Wrong codes in a row after which codes don't work through remote surfaces.
const WRONG_CODES: u32 = 5;

/// For how long they don't.
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
                change.entries.push(Entry::Hour { hour: hour_of(request, now) });
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
        let stale = |send: &&Send| send.what == SendKind::Challenge && !waits(&send.request);
        let closed = |send: &Send| Entry::Closed { request: send.request.clone() };
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

    /// Why a sender who is not in gets no code, without changing anything; `None` if one would be made.
    ///
    /// `None` is also the answer where the state needs upkeep: the transaction that follows does it and asks again.
    #[must_use]
    pub fn refusal(&self, ask: &Ask<'_>) -> Option<Reason> {
        let Ask { account, sender, source, limits, now } = *ask;
        let mut live = self.requests.iter().filter(|r| r.is_live(now) && !self.is_orphan(r));
        if self.requests.iter().any(|r| r.created_at > now)
            || self.record.hours.iter().any(|h| h.is_ahead_of(now))
        {
            return None;
        }
        if live.clone().any(|request| request.account == *account && sender.ids().any(|id| request.has(id))) {
            return Some(Reason::AlreadyPending);
        }
        // INVARIANT I2: the hour counts whatever became of the request.
        let same = |hour: &Hour| {
            hour.account == account.as_str()
                && sender.ids().any(|id| hour.ids.iter().any(|other| other == id.as_str()))
        };
        if self.record.hours.iter().any(|hour| hour.counts_at(now) && same(hour)) {
            return Some(Reason::HourUsed);
        }
        // INVARIANT I3: unexpired requests never exceed the cap.
        let counted = |request: &&Request| match limits.pending_scope {
            PendingScope::Channel => true,
            PendingScope::Account => request.account == *account,
        };
        let running = || self.record.hours.iter().filter(|hour| hour.counts_at(now)).count();
        let lost = self
            .unusable
            .iter()
            .filter(|at| limits.pending_scope == PendingScope::Channel && now <= at.plus(HOUR));
        let full = live.clone().filter(counted).count() + lost.count() >= limits.pending_max
            || live
                .any(|request| request.account == *account && same_source(request.source.as_ref(), source))
            || (self.record.hours.len() >= HOURS_RUNNING && running() >= HOURS_RUNNING);
        full.then_some(Reason::PendingFull)
    }

    /// A stranger knocks; `listed` says which ids are on the account's lists. The state must have had its upkeep.
    ///
    /// # Errors
    /// [`NoEntropy`] if no code can be drawn; nothing changes.
    pub fn knock(
        &self,
        knock: &Knock,
        listed: impl Fn(&SenderId) -> bool,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(Knocked, Change), NoEntropy> {
        let Knock { account, sender, limits, .. } = knock;
        if self.lets_in(account, sender, listed) || self.is_blocked(account, sender.ids()) {
            return Ok((Knocked::Changed, Change::default()));
        }
        if let Some(reason) =
            self.refusal(&Ask { account, sender, source: knock.source.as_ref(), limits, now })
        {
            return Ok((Knocked::Refused(reason), Change::default()));
        }
        let request = Request {
            request: RequestId::draw(entropy)?,
            account: account.clone(),
            id: knock.sender.primary().clone(),
            aliases: knock.sender.aliases().to_vec(),
            code: PairingCode::draw(entropy, &self.requests.iter().map(|request| &request.code))?,
            created_at: now,
            last_seen_at: now,
            meta: knock.meta.clone(),
            source: knock.source.clone(),
            ttl: limits.code_ttl,
            ours: true,
        };
        let hour = Hour { route: stored(&knock.route), ..hour_of(&request, now) };
        let entry = match knock.handover {
            Handover::Outbox => Entry::Issued { hour },
            Handover::Caller => Entry::Hour { hour },
        };
        let change = Change { add: vec![request.clone()], entries: vec![entry], ..Change::default() };
        Ok((Knocked::Issued(request), change))
    }

    /// Whether the lists let the sender in: by the primary id, or by an alias that no other primary stands behind.
    // INVARIANT I15: an alias never admits someone whose primary id has changed; they are a stranger like any other.
    fn lets_in(&self, account: &AccountId, sender: &Sender, listed: impl Fn(&SenderId) -> bool) -> bool {
        let primary = sender.primary();
        let is_theirs = |alias: &SenderId| {
            let bound = self.record.primary_behind(account, alias);
            bound.is_none_or(|bound| bound == primary.as_str())
        };
        listed(primary) || sender.aliases().iter().any(|alias| listed(alias) && is_theirs(alias))
    }

    /// Whether one of the ids is blocked.
    #[must_use]
    pub fn is_blocked<'a>(&self, account: &AccountId, mut ids: impl Iterator<Item = &'a SenderId>) -> bool {
        let blocks = self.record.blocks.iter().filter(|(of, _)| of == account.as_str());
        !self.record.blocks.is_empty()
            && ids.any(|id| blocks.clone().any(|(_, blocked)| blocked == id.as_str()))
    }

    /// The owner approves. The state must have had its upkeep. The change is to be made durable also beside an error:
    /// it counts the wrong guess.
    // INVARIANT I5: a code works once, for its own channel and account, before it expires.
    pub fn approve(&self, approval: &Approval, now: Timestamp) -> (Result<Request, ApproveError>, Change) {
        let found = match self.meant(approval, now) {
            Ok(request) => request.clone(),
            Err((error, guess)) => return (Err(error), guess),
        };
        if self.is_blocked(&found.account, found.ids()) {
            return (Err(ApproveError::Blocked), Change::default());
        }
        let change = self.admission(&found, approval, now);
        (Ok(found), change)
    }

    /// What the approval of a request comes to; also to be done again where it was interrupted.
    #[must_use]
    pub fn admission(&self, found: &Request, approval: &Approval, now: Timestamp) -> Change {
        let mut change = self.closing(found);
        change.admit.push((found.account.clone(), found.id.clone()));
        if approval.notify {
            let hour = self.record.hour_of(&found.request).cloned().unwrap_or_else(|| hour_of(found, now));
            change.entries.push(Entry::Queued { send: Send::of(&hour, SendKind::Notice) });
        }
        change.entries.extend(self.row_ended(approval));
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
        block: bool,
        now: Timestamp,
    ) -> (Result<Request, ApproveError>, Change) {
        let request = match self.meant(approval, now) {
            Ok(request) => request.clone(),
            Err((error, guess)) => return (Err(error), guess),
        };
        let mut change = self.closing(&request);
        change.entries.extend(self.row_ended(approval));
        if block {
            change.entries.extend(blocking(&request.account, request.ids()));
        }
        (Ok(request), change)
    }

    /// The request that is meant. A wrong code through a remote surface is counted, whatever it was to be used for:
    /// each answer tells whether it was right.
    // INVARIANT I12: wrong guesses lock codes out; the count is durable before the answer goes out.
    #[expect(clippy::result_large_err, reason = "asked at human speed")]
    fn meant(&self, approval: &Approval, now: Timestamp) -> Result<&Request, (ApproveError, Change)> {
        let remote_code = approval.is_remote_code();
        if remote_code && let Some(until) = self.record.locked_until.filter(|until| now < *until) {
            return Err((ApproveError::LockedOut { until }, Change::default()));
        }
        self.find(&approval.target, approval.account.as_ref()).map_err(|error| {
            let guess = remote_code.then(|| self.wrong_guess(now));
            (error, Change { entries: guess.into_iter().collect(), ..Change::default() })
        })
    }

    fn row_ended(&self, approval: &Approval) -> Option<Entry> {
        let ends = approval.is_remote_code() && self.record.wrong > 0;
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

    /// The blocked senders of an account.
    #[must_use]
    pub fn blocked(&self, account: &AccountId) -> Vec<SenderId> {
        let blocks = self.record.blocks.iter().filter(|(of, _)| of == account.as_str());
        blocks.filter_map(|(_, id)| SenderId::from_record(id)).collect()
    }

    /// Remembers the primary id behind a listed alias; the first one stays. Says which one it is.
    // INVARIANT I15: an alias never admits someone whose primary id has changed.
    #[must_use]
    pub fn bind(&self, account: &AccountId, entry: &SenderId, primary: &SenderId) -> (SenderId, Change) {
        match self.record.primary_behind(account, entry).and_then(SenderId::from_record) {
            Some(bound) => (bound, Change::default()),
            None => {
                let (account, entry) = (account.to_string(), entry.to_string());
                let bound = Entry::Bound { account, entry, primary: primary.to_string() };
                (primary.clone(), Change { entries: vec![bound], ..Change::default() })
            }
        }
    }

    /// A sending makes a step. Says how it stands then; `None` when it is over or never was.
    #[must_use]
    pub fn sending(&self, request: &RequestId, what: SendKind, step: SendStep) -> (Option<Send>, Change) {
        let is_it = |send: &&Send| send.request == *request && send.what == what;
        if !self.record.sends.iter().any(|send| is_it(&send)) {
            return (None, Change::default());
        }
        let entry = Entry::Sending { request: request.clone(), what, step };
        let mut after = self.record.clone();
        after.apply(&entry);
        let send = after.sends.iter().find(is_it).cloned();
        (send, Change { entries: vec![entry], ..Change::default() })
    }

    fn unbinding(&self, account: &AccountId, id: &SenderId) -> Option<Entry> {
        self.record.primary_behind(account, id)?;
        Some(Entry::Unbound { account: account.to_string(), entry: id.to_string() })
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

/// The question whether a sender who is not in gets a code.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// On which account.
    pub account: &'a AccountId,
    /// Who.
    pub sender: &'a Sender,
    /// Where the sender comes from, if that limits requests.
    pub source: Option<&'a Source>,
    /// The limits of the account.
    pub limits: &'a Limits,
    /// When.
    pub now: Timestamp,
}

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
    /// Through what.
    pub surface: Surface,
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
    fn is_remote_code(&self) -> bool {
        self.surface == Surface::Remote && matches!(self.target, Target::Code(_))
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

/// A route as it is kept: one that is too long is not.
fn stored(route: &ReplyRoute) -> Option<ReplyRoute> {
    (1..=ReplyRoute::MAX_BYTES).contains(&route.as_str().len()).then(|| route.clone())
}

fn hour_of(request: &Request, now: Timestamp) -> Hour {
    let ids = request.ids().map(ToString::to_string).collect();
    let from = (request.created_at > now).then_some(now.as_millis());
    Hour {
        request: request.request.clone(),
        account: request.account.to_string(),
        ids,
        at: request.created_at.as_millis(),
        ttl: u64::try_from(request.ttl.as_millis()).unwrap_or(u64::MAX),
        from,
        route: None,
    }
}

fn blocking<'a>(account: &AccountId, ids: impl Iterator<Item = &'a SenderId>) -> Vec<Entry> {
    ids.map(|id| Entry::Blocked { account: account.to_string(), id: id.to_string() }).collect()
}

fn aliases_of(hour: &Hour, primary: &SenderId) -> Vec<SenderId> {
    let others = hour.ids.iter().filter(|id| *id != primary.as_str());
    others.filter_map(|id| SenderId::from_record(id)).collect()
}
