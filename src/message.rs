//! What an adapter hands to the gate: parsed, never raw strings.

mod account;
mod id;

use std::fmt;
use std::sync::Arc;

pub use account::{AccountId, AccountKey};
pub use id::{ChannelId, IdError, SenderId, escape};

use crate::clock::Timestamp;

/// One event that came in on a channel, with everything the decision rests on.
///
/// [`InboundMessage::new`] gives the cautious value of every field; an adapter says more only where it knows more.
#[derive(Clone, Debug)]
pub struct InboundMessage {
    /// The account it came in on.
    pub account: AccountKey,
    /// Who sent it.
    pub sender: Sender,
    /// Where it was said. Unknown counts as not direct.
    pub conversation: Conversation,
    /// What kind of event it is.
    pub event: EventKind,
    /// Whether the envelope was proven to come from the platform.
    pub authenticity: Authenticity,
    /// Whether a person sent it.
    pub origin: Origin,
    /// When it was sent, by the platform's clock. Without it the message counts as new.
    pub sent_at: Option<Timestamp>,
    /// The platform's id of the message.
    pub message_id: Option<String>,
    /// Where an answer goes.
    pub route: ReplyRoute,
    /// Where a web visitor comes from, where that limits requests: one live request per source.
    pub source: Option<Source>,
    /// What was said.
    pub text: String,
    /// What came with it: descriptions only, fetched after admission.
    pub attachments: Vec<Attachment>,
}

impl InboundMessage {
    /// An event of which nothing is known but its account and sender: unverified, of no kind, in no known conversation.
    #[must_use]
    pub fn new(account: AccountKey, sender: Sender) -> Self {
        Self {
            account,
            sender,
            conversation: Conversation::Unknown,
            event: EventKind::Other,
            authenticity: Authenticity::Unverified,
            origin: Origin::Person,
            sent_at: None,
            message_id: None,
            route: ReplyRoute::default(),
            source: None,
            text: String::new(),
            attachments: Vec::new(),
        }
    }

    /// A verified text message in a one-to-one conversation, sent by a person just now.
    #[must_use]
    pub fn direct(account: AccountKey, sender: Sender, text: impl Into<String>) -> Self {
        Self {
            conversation: Conversation::Direct,
            event: EventKind::Message,
            authenticity: Authenticity::Verified,
            text: text.into(),
            ..Self::new(account, sender)
        }
    }
}

/// Who sent a message: a primary id, authenticated aliases, and how far the platform vouches for them.
///
/// A name is for display only and never matches.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    ids: SenderIds,
    strength: Strength,
    name: Option<Arc<str>>,
}

/// All ids by which one sender is known: what lists are asked about.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SenderIds {
    primary: SenderId,
    /// Most senders have none, and then nothing is allocated.
    aliases: Option<Arc<[SenderId]>>,
}

impl Sender {
    /// A sender known by one id that the platform authenticated.
    #[must_use]
    pub fn new(primary: SenderId) -> Self {
        Self::with_parts(primary, Vec::new(), Strength::Authenticated, None)
    }

    /// A sender with everything that is known. Aliases must be authenticated by the same envelope as the primary id;
    /// `name` is cut to 128 characters.
    #[must_use]
    pub fn with_parts(
        primary: SenderId,
        mut aliases: Vec<SenderId>,
        strength: Strength,
        name: Option<&str>,
    ) -> Self {
        aliases.retain(|alias| *alias != primary);
        let aliases = (!aliases.is_empty()).then(|| aliases.into());
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let name = name.map(|name| name.chars().take(128).collect::<String>().into());
        Self { ids: SenderIds { primary, aliases }, strength, name }
    }

    /// The one stable id.
    #[must_use]
    pub fn primary(&self) -> &SenderId {
        self.ids.primary()
    }

    /// Other authenticated ids of the same person, never the primary.
    #[must_use]
    pub fn aliases(&self) -> &[SenderId] {
        self.ids.aliases()
    }

    /// How far the platform vouches for the ids.
    #[must_use]
    pub fn strength(&self) -> Strength {
        self.strength
    }

    /// The name the sender chose: for display, escaped; never for matching.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The primary id, then the aliases.
    pub fn ids(&self) -> impl Iterator<Item = &SenderId> {
        self.ids.iter()
    }

    pub(crate) fn known_by(&self) -> &SenderIds {
        &self.ids
    }
}

impl SenderIds {
    pub(crate) fn primary(&self) -> &SenderId {
        &self.primary
    }

    pub(crate) fn aliases(&self) -> &[SenderId] {
        self.aliases.as_deref().unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SenderId> {
        std::iter::once(&self.primary).chain(self.aliases())
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("primary", self.primary()).field("aliases", &self.aliases()).finish()
    }
}

/// How far a platform vouches for a sender's ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strength {
    /// The platform authenticated the account behind the id.
    Authenticated,
    /// The server says so, without proof (an IRC host mask): counts only where the owner chose it.
    ServerAsserted,
    /// The sender can change it at will: never matches anything; treated as unverified.
    Mutable,
}

/// Where a message was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversation {
    /// Provably one-to-one between the sender and us.
    Direct,
    /// A group, room, channel, thread of several, or group direct message.
    Group,
    /// The platform did not say. Counts as not direct.
    Unknown,
}

/// What kind of event it is. Every kind that can make an agent act passes the same gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// A text or media message.
    Message,
    /// A slash or bot command.
    Command,
    /// A button.
    Button,
    /// Any other callback that acts.
    Callback,
    /// An edit of an earlier message.
    Edit,
    /// A reaction.
    Reaction,
    /// A delivery or read receipt.
    Receipt,
    /// Someone joined, left, was invited.
    Membership,
    /// Anything else, and anything unknown.
    Other,
}

impl EventKind {
    /// Whether it is a message, command, button or callback.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(self, Self::Message | Self::Command | Self::Button | Self::Callback)
    }
}

/// Whether the envelope was proven to come from the platform: a signature, a secret, our own authenticated connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authenticity {
    /// Proven.
    Verified,
    /// Not proven: no state changes, nothing is answered.
    Unverified,
}

/// Whether a person sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A person, as far as the platform tells.
    Person,
    /// Ourselves.
    Own,
    /// Another bot, a service, a web hook.
    Bot,
}

/// Where an answer goes: opaque to the gate, written and read by the adapter only, kept with a request so that a later
/// notice finds its way. At most 4,096 bytes are kept. It may hold what only the platform should see: `Debug` shows its length.
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ReplyRoute(Arc<str>);

impl ReplyRoute {
    /// The longest route that is stored, in bytes.
    pub const MAX_BYTES: usize = 4_096;

    /// A route from the adapter's own text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The adapter's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ReplyRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyRoute({} bytes)", self.0.len())
    }
}

/// Where a visitor comes from, as a network address: at most one live request per source and account.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Source(Arc<str>);

impl Source {
    /// The source of a network address: the address itself for IPv4 (also when mapped into IPv6), the /64 for IPv6.
    #[must_use]
    pub fn of_address(address: std::net::IpAddr) -> Self {
        match address.to_canonical() {
            std::net::IpAddr::V4(v4) => Self(v4.to_string().into()),
            std::net::IpAddr::V6(v6) => {
                let prefix = v6.to_bits() >> 64 << 64;
                Self(format!("{}/64", std::net::Ipv6Addr::from_bits(prefix)).into())
            }
        }
    }

    /// A source as stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text that is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something that came with a message: a description. Its bytes are fetched through the adapter with a
/// [`Permit`](crate::Permit) in hand, never before.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Attachment {
    /// What it is: `image`, `audio`, `video`, `file`, `location`, `sticker` …
    pub kind: String,
    /// The media type, if the platform says.
    pub media_type: Option<String>,
    /// The name that the sender gave it: to be escaped.
    pub name: Option<String>,
    /// Bytes, if the platform says.
    pub size: Option<u64>,
    /// How the adapter finds it again: opaque.
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_fold_mapped_addresses_and_whole_subnets() {
        let of = |text: &str| Source::of_address(text.parse().unwrap());
        assert_eq!(of("::ffff:10.1.2.3"), of("10.1.2.3"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("2001:db8::1").as_str(), "2001:db8::/64");
    }

    #[test]
    fn an_alias_equal_to_the_primary_is_no_alias() {
        let id = SenderId::parse(&ChannelId::parse("x").unwrap(), "a").unwrap();
        let sender = Sender::with_parts(id.clone(), vec![id.clone()], Strength::Authenticated, Some(" "));
        assert!(sender.aliases().is_empty() && sender.name().is_none());
        assert_eq!(sender.ids().count(), 1);
    }

    #[test]
    fn a_name_is_kept_for_display_without_blanks_and_not_at_any_length() {
        let id = SenderId::parse(&ChannelId::parse("x").unwrap(), "a").unwrap();
        let named = |name: &str| Sender::with_parts(id.clone(), vec![], Strength::Authenticated, Some(name));
        assert_eq!(named(" Ann ").name(), Some("Ann"));
        assert_eq!(named(&"n".repeat(200)).name(), Some(&*"n".repeat(128)));
    }
}
