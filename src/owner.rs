//! The owner in chat: who that is, and what they say there about devices.
//!
//! [`Desk`] is an [`Agent`] that stands before another one. A message that begins with `/pair`, of a sender on the owner's
//! list, in a one-to-one conversation, is answered by the desk; every other message goes on to the agent, also `/pair` of
//! everybody else. The list makes nobody a sender who is let in: the gate decides that before, and somebody on the list
//! whom it does not let in is a stranger to it.

mod command;
mod notice;
mod pair;
mod say;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use command::Command;
use notice::Notices;

use crate::agent::{Agent, AgentError, Turn};
use crate::device::{DeviceRequestId, DeviceStore, GatewayUrl};
use crate::gate::DmGate;
use crate::message::{
    AccountKey, Authenticity, Conversation, EventKind, InboundMessage, Origin, SenderId, Strength,
};
use crate::pairing::Surface;
use crate::store::Actor;

/// Answers `/pair` of the owner, and hands everything else to the agent behind it. A cheap handle.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    agent: Arc<dyn Agent>,
    gate: DmGate,
    devices: DeviceStore,
    owners: ArcSwap<HashSet<Owner>>,
    url: Result<GatewayUrl, String>,
    notices: Notices,
    /// The requests that an owner was shown, and so can speak of without their ids.
    shown: Mutex<HashMap<Owner, HashSet<DeviceRequestId>>>,
}

/// Somebody on the list: on which account, by which id.
type Owner = (AccountKey, SenderId);

/// An owner who just wrote.
struct Present {
    /// The entry of the list: the primary id, or an alias of it.
    entry: SenderId,
    /// The account, and the primary id.
    owner: Owner,
}

impl Desk {
    /// A desk before `agent`; nobody is an owner yet. `gate` is the one that lets the turns in. `url` is where devices
    /// reach the gateway, or what the owner has to do so that they can. Who wants to be told of requests is kept in
    /// `device-pair-notify.json` of the state directory.
    #[must_use]
    pub fn new(
        agent: Arc<dyn Agent>,
        gate: DmGate,
        devices: DeviceStore,
        state_dir: &Path,
        url: Result<GatewayUrl, String>,
    ) -> Self {
        let (owners, shown) = Default::default();
        let notices = Notices::new(state_dir);
        Self(Arc::new(Inner { agent, gate, devices, owners, url, notices, shown }))
    }

    /// Who the owners are, from the next message on: ids that the channels authenticate. An alias counts for the one
    /// primary id that is remembered behind it, as on the gate's own lists.
    pub fn set_owners(&self, owners: impl IntoIterator<Item = (AccountKey, SenderId)>) {
        self.0.owners.store(Arc::new(owners.into_iter().collect()));
    }

    /// The owner who wrote this, if one did.
    // INVARIANT I15: an owner is known by a whole id that the platform authenticated, or by an alias behind which this
    // primary id is remembered.
    // INVARIANT I16: nobody is an owner where it is not provably one-to-one.
    async fn owner_of(&self, message: &InboundMessage) -> Option<Present> {
        let InboundMessage { account, sender, .. } = message;
        let is_theirs = message.conversation == Conversation::Direct
            && message.authenticity == Authenticity::Verified
            && message.origin == Origin::Person
            && matches!(message.event, EventKind::Message | EventKind::Command)
            && sender.strength() == Strength::Authenticated;
        if !is_theirs {
            return None;
        }
        let owners = self.0.owners.load_full();
        let primary = sender.primary();
        for entry in sender.ids().filter(|id| owners.contains(&(account.clone(), (*id).clone()))) {
            let is_them = entry == primary
                || self
                    .0
                    .gate
                    .store()
                    .bind(account, entry, primary)
                    .await
                    .is_ok_and(|bound| bound == *primary);
            if is_them {
                return Some(Present { entry: entry.clone(), owner: (account.clone(), primary.clone()) });
            }
        }
        None
    }

    /// Notes that an owner saw these requests.
    fn has_shown<'a>(&self, owner: &Owner, ids: impl IntoIterator<Item = &'a DeviceRequestId>) {
        let mut shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.entry(owner.clone()).or_default().extend(ids.into_iter().cloned());
    }

    /// Whether an owner saw this request; what waits no more is forgotten.
    fn was_shown(&self, owner: &Owner, id: &DeviceRequestId, waiting: &[&DeviceRequestId]) -> bool {
        let mut shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = shown.entry(owner.clone()).or_default();
        ids.retain(|id| waiting.contains(&id));
        ids.contains(id)
    }
}

impl Present {
    fn actor(&self) -> Actor {
        let (account, sender) = &self.owner;
        let (channel, account) = (account.channel(), account.account());
        Actor { name: format!("chat:{channel}:{account}:{sender}"), surface: Surface::Remote }
    }
}

#[async_trait]
impl Agent for Desk {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        if let Some(command) = Command::parse(&turn.message().text)
            && let Some(present) = self.owner_of(turn.message()).await
        {
            return Ok(self.carry_out(&turn, &present, command).await);
        }
        self.0.agent.respond(turn).await
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}
