//! Why a sender is in or not: the step of the decision, what it rests on, and what to type to change it.

use crate::decision::{Decision, Fault, Reason};
use crate::gate::DmGate;
use crate::message::{AccountKey, Conversation, InboundMessage, escape};
use crate::policy::{AccountPolicy, DmPolicy};
use crate::store::{Places, Snapshot};

/// What the gate would say of a message, and why. Made without changing anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// `admit`, `challenge`, `ignore` or `unavailable`.
    pub decision: &'static str,
    /// The step of the decision.
    pub reason: Reason,
    /// What it rests on: the entry and the file, the setting, the trouble.
    pub rests_on: String,
    /// What to type to change it, if anything can.
    pub mend: Vec<String>,
}

impl DmGate {
    /// What [`DmGate::admit`] would say of this message now, and why. Changes nothing: no code is made.
    pub async fn explain(&self, message: &InboundMessage) -> Explanation {
        let (verdict, policy, snapshot) = self.preview(message).await;
        let (decision, reason) = match &verdict {
            Preview::Decided(decision) => (decision.as_str(), decision.reason()),
            Preview::ByAlias => ("admit", Reason::Allowlisted),
            Preview::Challenge => ("challenge", Reason::PairingRequired),
        };
        let fault = match verdict {
            Preview::Decided(Decision::Unavailable(fault)) => Some(fault),
            _ => None,
        };
        let listed_in = self.listed_in(message).await;
        let case = Case {
            message,
            policy,
            snapshot,
            places: self.store().places(&message.account),
            listed_in,
            fault,
        };
        Explanation { decision, reason, rests_on: case.rests_on(reason), mend: case.mend(reason) }
    }
}

impl DmGate {
    /// The stored lists that hold one of the sender's ids, and which one.
    async fn listed_in(&self, message: &InboundMessage) -> Option<(String, String)> {
        for id in message.sender.ids() {
            let places = self.store().listed_in(&message.account, id).await.ok()?;
            if !places.is_empty() {
                return Some((escape(id.as_str()), places.join("` and `")));
            }
        }
        None
    }
}

/// A decision that was looked at and not carried out.
pub(crate) enum Preview {
    Decided(Decision),
    /// In, by an alias behind which the sender's primary id would be remembered.
    ByAlias,
    /// A code would be made.
    Challenge,
}

struct Case<'a> {
    message: &'a InboundMessage,
    policy: AccountPolicy,
    snapshot: std::sync::Arc<Snapshot>,
    places: Places,
    listed_in: Option<(String, String)>,
    fault: Option<Fault>,
}

impl Case<'_> {
    fn account(&self) -> &AccountKey {
        &self.message.account
    }

    fn rests_on(&self, reason: Reason) -> String {
        let dm = self.policy.dm();
        match reason {
            Reason::Unverified => "the platform did not vouch for the sender".into(),
            Reason::OwnMessage => "we wrote it ourselves".into(),
            Reason::Bot => "another bot wrote it".into(),
            Reason::NotAMessage => "it is no message, command, button or callback".into(),
            Reason::NotDirect if self.message.conversation == Conversation::Group => {
                "it was said in a group".into()
            }
            Reason::NotDirect => "the platform did not say that it was said one-to-one".into(),
            Reason::Disabled => "dm_policy is `disabled`".into(),
            Reason::Blocked => format!("a block in `{}`", self.places.record),
            Reason::StoreUnreadable | Reason::StoreLocked => {
                self.fault.as_ref().map_or_else(String::new, ToString::to_string)
            }
            Reason::Allowlisted => self.listed(),
            Reason::Open => "dm_policy is `open` and allow_from holds `*`".into(),
            Reason::NotAllowlisted if self.listed_in.is_some() => {
                format!("dm_policy is `{dm}`: {} does not count", self.stored())
            }
            Reason::NotAllowlisted => {
                format!("dm_policy is `{dm}`, and no list that counts holds the sender")
            }
            Reason::Backlog => "the message is older than max_backlog".into(),
            Reason::AlreadyPending => format!("a pending request in `{}`", self.places.pending),
            Reason::HourUsed => format!("a code of the last hour in `{}`", self.places.record),
            Reason::PendingFull => {
                format!("{} requests are pending in `{}`", self.pending(), self.places.pending)
            }
            Reason::PairingRequired => format!("dm_policy is `{dm}`, and the sender is on no list"),
        }
    }

    fn mend(&self, reason: Reason) -> Vec<String> {
        let channel = self.account().channel();
        let sender = quoted(self.message.sender.primary().as_str());
        let account = match self.account().account() {
            account if account.is_default() => String::new(),
            account => format!(" --account {account}"),
        };
        let allow = format!("dmgate allow add{account} {channel} {sender}");
        match reason {
            Reason::Blocked => vec![format!("dmgate block remove{account} {channel} {sender}")],
            Reason::StoreUnreadable | Reason::StoreLocked => vec!["dmgate doctor".into()],
            Reason::Allowlisted if self.is_configured() => {
                vec!["take the sender out of allow_from in the configuration".into()]
            }
            Reason::Allowlisted => vec![format!("dmgate allow remove{account} {channel} {sender}")],
            Reason::Open => vec![format!("dmgate block add{account} {channel} {sender}")],
            Reason::NotAllowlisted if self.policy.dm() == DmPolicy::Allowlist => {
                vec!["add the sender to allow_from in the configuration".into()]
            }
            Reason::AlreadyPending => {
                vec![format!("dmgate pairing approve{account} {channel} --sender {sender}"), allow]
            }
            Reason::PendingFull => vec![format!("dmgate pairing list {channel}"), allow],
            Reason::NotAllowlisted | Reason::Backlog | Reason::HourUsed | Reason::PairingRequired => {
                vec![allow]
            }
            Reason::Disabled => vec!["set dm_policy to `pairing` in the configuration".into()],
            Reason::Unverified
            | Reason::OwnMessage
            | Reason::Bot
            | Reason::NotAMessage
            | Reason::NotDirect => Vec::new(),
        }
    }

    fn listed(&self) -> String {
        let mut ids = self.message.sender.ids();
        match ids.find(|id| self.policy.allow_from().contains(id)) {
            Some(id) => format!("`{}` in allow_from of the configuration", escape(id.as_str())),
            None => self.stored(),
        }
    }

    fn stored(&self) -> String {
        self.listed_in.as_ref().map_or_else(String::new, |(id, places)| format!("`{id}` in `{places}`"))
    }

    fn is_configured(&self) -> bool {
        self.message.sender.ids().any(|id| self.policy.allow_from().contains(id))
    }

    fn pending(&self) -> usize {
        self.snapshot.pending.as_ref().map_or(0, |state| state.requests.len())
    }
}

/// An id as it can be typed into a shell.
fn quoted(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+@:._/-".contains(&byte);
    let text = if id.bytes().all(plain) { id.to_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) };
    if id.starts_with('-') { format!("-- {text}") } else { text }
}
