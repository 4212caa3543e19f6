//! The gate: one question, [`DmGate::admit`], asked in one order.
//!
//! Reading this file from top to bottom is reading the product. What an account allows is in `policy.rs`, the rules of
//! pairing are in `pairing.rs`, what is durable is behind `store.rs`; which accounts there are, and how their policies
//! change, is in `gate/registry.rs`.

mod account;
mod builder;
mod grant;
mod handle;
mod recent;
mod registry;

use std::fmt;
use std::sync::{Arc, Mutex};

use account::{Account, Policy, State};
use arc_swap::ArcSwap;
pub use builder::DmGateBuilder;
pub(crate) use grant::Grant;
pub use handle::AccountHandle;
use registry::Accounts;

use crate::clock::{Clock, World};
use crate::decision::{Challenge, Decision, Fault, Reason, Refusal};
use crate::explain::Preview;
use crate::message::{
    AccountKey, Authenticity, Conversation, InboundMessage, Origin, SenderId, SenderIds, Strength,
};
use crate::pairing::{Ask, Handover, Knock, Knocked, Request};
use crate::policy::{AccountPolicy, DmPolicy, Limits};
use crate::reply::ReplyTemplate;
use crate::store::{Snapshot, Store, StoreError};

/// The gate. A cheap handle: clone it into every task.
#[derive(Clone)]
pub struct DmGate(Arc<Shared>);

struct Shared {
    world: World,
    store: Arc<dyn Store>,
    reply: ArcSwap<ReplyTemplate>,
    /// The policy of accounts that none was given for.
    fallback: ArcSwap<AccountPolicy>,
    accounts: Accounts,
    /// Held while an account is added or policies change; readers never take it.
    changing: Mutex<()>,
}

/// How a sender stands with an account, whatever they wrote.
enum Standing<'a> {
    /// On a list that counts, or the account is open.
    In(Reason),
    /// An alias is listed, and no primary id is remembered behind it yet.
    ByAlias(&'a SenderId),
    /// Blocked.
    Blocked,
    /// On no list that counts.
    Stranger,
    /// Not to be known.
    Unknown(Fault),
}

/// What a look at a message says. Two words, since it is made for every message.
enum Verdict<'a> {
    Admit(Reason),
    Ignore(Reason),
    Unavailable(Fault),
    /// Remember who stands behind this alias, and look again.
    Bind(&'a SenderId),
    /// Ask the store for a code.
    Knock,
}

impl DmGate {
    /// A gate as it comes: a store in memory, pairing, the machine's clock.
    #[must_use]
    pub fn builder() -> DmGateBuilder {
        DmGateBuilder::default()
    }

    /// Whether this message may reach the agent. It never fails: trouble is [`Decision::Unavailable`], and then nobody
    /// is let in. The caller sends a challenge; a [`Pipeline`](crate::Pipeline) does all of that by itself.
    pub async fn admit(&self, message: &InboundMessage) -> Decision {
        let account = self.entry(&message.account);
        match self.decide_now(account, message) {
            Some(decision) => decision,
            None => self.decide_slowly(account, message, Handover::Caller).await,
        }
    }

    /// The same answer without a future, where no I/O is needed: for a known sender, a stranger who is pending, and
    /// full slots, as long as nothing changed. `None`: ask [`DmGate::admit`].
    pub fn admit_now(&self, message: &InboundMessage) -> Option<Decision> {
        self.decide_now(self.0.accounts.get(&message.account)?, message)
    }

    /// A handle on one account.
    #[must_use]
    pub fn account(&self, key: &AccountKey) -> AccountHandle {
        AccountHandle { gate: self.clone(), account: Arc::clone(self.entry(key)) }
    }

    /// The store behind the gate.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The gate's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.world.clock
    }

    /// Puts a new pairing message in force.
    pub fn set_reply(&self, reply: ReplyTemplate) {
        self.0.reply.store(Arc::new(reply));
    }

    /// The ready text that the sender of this request gets.
    #[must_use]
    pub fn reply_for(&self, account: &AccountKey, request: &Request) -> String {
        self.0.reply.load().render(account, request, self.0.world.clock.now())
    }

    /// What a message would come to, without the transactions, and the policy and the snapshot that it rests on.
    pub(crate) async fn preview(&self, message: &InboundMessage) -> (Preview, AccountPolicy, Arc<Snapshot>) {
        let account = self.entry(&message.account);
        let state = account.load().await;
        let verdict = match refuse_envelope(message, &state.policy) {
            Some(reason) => Verdict::Ignore(reason),
            None => self.weigh(&account.key, message, &state),
        };
        let preview = match verdict {
            Verdict::Admit(reason) => Preview::Decided(account.admission(message, reason)),
            Verdict::Ignore(reason) => Preview::Decided(ignore(reason)),
            Verdict::Unavailable(fault) => Preview::Decided(Decision::Unavailable(fault)),
            Verdict::Bind(_) => Preview::ByAlias,
            Verdict::Knock => Preview::Challenge,
        };
        (preview, state.policy.given.clone(), Arc::clone(&state.snapshot))
    }

    /// Whether this message would be let in now; nothing changes.
    pub(crate) async fn lets_in(&self, message: &InboundMessage) -> bool {
        matches!(self.preview(message).await.0, Preview::Decided(Decision::Admit(_)))
    }

    fn decide_now(&self, account: &Arc<Account>, message: &InboundMessage) -> Option<Decision> {
        let verdict = account.look(|state| match refuse_envelope(message, &state.policy) {
            Some(reason) => Some(Verdict::Ignore(reason)),
            None => account.holds(state).then(|| self.weigh(&account.key, message, state)),
        });
        match verdict?? {
            Verdict::Admit(reason) => Some(account.let_in(message, reason)),
            Verdict::Ignore(reason) => Some(account.told(message, ignore(reason))),
            Verdict::Unavailable(fault) => Some(account.told(message, Decision::Unavailable(fault))),
            Verdict::Bind(_) | Verdict::Knock => None,
        }
    }

    /// The answer that a state gives, in the order of the decision from `blocked` on.
    #[inline]
    fn weigh<'a>(&self, key: &AccountKey, message: &'a InboundMessage, state: &State) -> Verdict<'a> {
        match standing(key, message.sender.known_by(), state) {
            Standing::Blocked => Verdict::Ignore(Reason::Blocked),
            Standing::Unknown(fault) => Verdict::Unavailable(fault),
            Standing::In(reason) => Verdict::Admit(reason),
            Standing::ByAlias(alias) => Verdict::Bind(alias),
            Standing::Stranger if state.policy.given.dm() != DmPolicy::Pairing => {
                Verdict::Ignore(Reason::NotAllowlisted)
            }
            Standing::Stranger => self.weigh_stranger(key, message, state),
        }
    }

    // INVARIANT I11: a stranger who is pending, or who meets full slots, costs a look at a few requests: no lock, no
    // write, nothing that stays.
    fn weigh_stranger<'a>(
        &self,
        key: &AccountKey,
        message: &'a InboundMessage,
        state: &State,
    ) -> Verdict<'a> {
        let now = self.0.world.clock.moment();
        let limits = &self.0.store.limits(state.policy.given.limits());
        if message.sent_at.is_some_and(|sent_at| sent_at.age_at(now.wall) > limits.max_backlog) {
            return Verdict::Ignore(Reason::Backlog);
        }
        let requests = match &state.snapshot.pending {
            Ok(requests) => requests,
            Err(fault) => return Verdict::Unavailable(fault.clone()),
        };
        let (sender, source) = (&message.sender, message.source.as_ref());
        match requests.refusal(&Ask { account: key.account(), sender, source, limits, now }) {
            Some(reason) => Verdict::Ignore(reason),
            None => Verdict::Knock,
        }
    }

    // INVARIANT I6: a challenge is made only of a request that the store calls durable.
    async fn knock(
        &self,
        account: &Account,
        message: &InboundMessage,
        limits: &Limits,
        handover: Handover,
    ) -> Result<Option<Decision>, StoreError> {
        let name = message.sender.name().map(|name| ("name".to_owned(), crate::message::escape(name)));
        let knock = Knock {
            account: account.key.account().clone(),
            sender: message.sender.clone(),
            route: message.route.clone(),
            source: message.source.clone(),
            meta: name.into_iter().collect(),
            limits: *limits,
            handover,
        };
        Ok(match self.0.store.knock(account.key.channel(), knock).await? {
            Knocked::Issued(request) => Some(Decision::Challenge(Challenge {
                reply: self.reply_for(&account.key, &request),
                expires_at: request.expires_at(),
                request: request.request,
                code: request.code,
                route: message.route.clone(),
            })),
            Knocked::Refused(reason) => Some(ignore(reason)),
            // In or blocked meanwhile: look again.
            Knocked::Changed => None,
        })
    }
}

/// What needs no state: the envelope, the conversation, and accounts that take nothing.
// INVARIANT I14: what is unverified, ours, a bot's or no message changes nothing and gets no reply.
// INVARIANT I16: what is not provably one-to-one is refused before any list is looked at.
fn refuse_envelope(message: &InboundMessage, policy: &Policy) -> Option<Reason> {
    if message.authenticity != Authenticity::Verified || message.sender.strength() == Strength::Mutable {
        Some(Reason::Unverified)
    } else if message.origin == Origin::Own {
        Some(Reason::OwnMessage)
    } else if message.origin == Origin::Bot {
        Some(Reason::Bot)
    } else if !message.event.acts() {
        Some(Reason::NotAMessage)
    } else if message.conversation != Conversation::Direct {
        Some(Reason::NotDirect)
    } else {
        (policy.given.dm() == DmPolicy::Disabled).then_some(Reason::Disabled)
    }
}

/// Whether the sender is in: blocks beat everything, then lists, then `open`.
#[inline]
fn standing<'a>(account: &AccountKey, sender: &'a SenderIds, state: &State) -> Standing<'a> {
    let State { policy, snapshot, .. } = state;
    let (blocked, record) = match &snapshot.record {
        Ok((blocked, record)) => (blocked, record),
        Err(fault) => return Standing::Unknown(fault.clone()),
    };
    if !blocked.is_empty() && sender.iter().any(|id| blocked.contains(id)) {
        return Standing::Blocked;
    }
    // INVARIANT I7: an answer that needs a file which can't be trusted is no admission.
    let approved = match &snapshot.allowed {
        _ if policy.given.dm() == DmPolicy::Allowlist => None,
        Ok(approved) => Some(approved),
        Err(fault) => return Standing::Unknown(fault.clone()),
    };
    let is_listed =
        |id: &SenderId| policy.listed.contains(id) || approved.is_some_and(|ids| ids.contains(id));
    if is_listed(sender.primary()) {
        return Standing::In(Reason::Allowlisted);
    }
    for alias in sender.aliases().iter().filter(|alias| is_listed(alias)) {
        // INVARIANT I15: an alias lets in only the primary id that is remembered behind it.
        match record.primary_behind(account.account(), alias) {
            Some(primary) if primary == sender.primary().as_str() => {
                return Standing::In(Reason::Allowlisted);
            }
            Some(_) => {}
            None => return Standing::ByAlias(alias),
        }
    }
    let is_open = policy.given.dm() == DmPolicy::Open && policy.given.everyone();
    if is_open { Standing::In(Reason::Open) } else { Standing::Stranger }
}

fn ignore(reason: Reason) -> Decision {
    Decision::Ignore(Refusal { reason })
}

impl fmt::Debug for DmGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DmGate")
    }
}
