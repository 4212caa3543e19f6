//! A stranger knocks: who gets a code, and who does not.

use super::code::{PairingCode, RequestId};
use super::record::{Entry, HOURS_RUNNING, Hour};
use super::request::Request;
use super::{Change, ChannelState};
use crate::clock::{Entropy, Moment, NoEntropy, Timestamp};
use crate::decision::Reason;
use crate::message::{AccountId, ReplyRoute, Sender, SenderId, Source};
use crate::policy::{HOUR, Limits, PendingScope};

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
    pub now: Moment,
}

impl ChannelState {
    /// Why a sender who is not in gets no code, without changing anything; `None` if one would be made.
    ///
    /// `None` is also the answer where the state needs upkeep: the transaction that follows does it and asks again.
    #[must_use]
    pub fn refusal(&self, ask: &Ask<'_>) -> Option<Reason> {
        let Ask { account, sender, source, limits, now: moment } = *ask;
        let now = moment.wall;
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
        if self.record.hours.iter().any(|hour| same(hour) && hour.counts_at(moment)) {
            return Some(Reason::HourUsed);
        }
        // INVARIANT I3: unexpired requests never exceed the cap.
        let counted = |request: &&Request| match limits.pending_scope {
            PendingScope::Channel => true,
            PendingScope::Account => request.account == *account,
        };
        let running = || self.record.hours.iter().filter(|hour| hour.counts_at(moment)).count();
        // With a stamp far ahead they would take a slot for years, and we can't set it right.
        let is_live = |at: &Timestamp| now <= at.plus(HOUR) && *at <= now.plus(HOUR);
        let lost =
            self.unusable.iter().filter(|at| limits.pending_scope == PendingScope::Channel && is_live(at));
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
        now: Moment,
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
            created_at: now.wall,
            last_seen_at: now.wall,
            meta: knock.meta.clone(),
            source: knock.source.clone(),
            ttl: limits.code_ttl,
            ours: true,
        };
        let hour = Hour { route: stored(&knock.route), uptime: now.uptime, ..request.hour(now.wall) };
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
}

/// A route as it is kept: one that is too long is not.
fn stored(route: &ReplyRoute) -> Option<ReplyRoute> {
    (1..=ReplyRoute::MAX_BYTES).contains(&route.as_str().len()).then(|| route.clone())
}

fn same_source(one: Option<&Source>, other: Option<&Source>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one == other)
}
