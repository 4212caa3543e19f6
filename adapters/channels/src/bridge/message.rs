//! What a bridge says that somebody wrote.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::route::Route;

/// The longest text, in bytes; no platform sends more.
const TEXT_LIMIT: usize = 256 * 1024;

/// The longest id of a message, in bytes.
const ID_LIMIT: usize = 512;

#[derive(Deserialize)]
struct Said {
    id: Option<String>,
    chat: Chat,
    from: From,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    text: String,
    /// When it was sent, in milliseconds.
    at: Option<i64>,
    #[serde(default)]
    attachments: Vec<File>,
}

#[derive(Deserialize)]
struct Chat {
    id: Option<String>,
    #[serde(default)]
    kind: ChatKind,
}

#[derive(Deserialize)]
struct From {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    name: Option<String>,
    #[serde(default)]
    kind: FromKind,
    /// Whether the platform vouches for the id.
    proven: Option<bool>,
}

#[derive(Deserialize)]
struct File {
    kind: String,
    media_type: Option<String>,
    name: Option<String>,
    size: Option<u64>,
    reference: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Message,
    Command,
    Button,
    Edit,
    Reaction,
    Receipt,
    Membership,
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum ChatKind {
    Direct,
    Group,
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum FromKind {
    #[default]
    Person,
    #[serde(rename = "self")]
    Own,
    /// Also whatever we don't know.
    #[serde(other)]
    Bot,
}

/// What came once counts once: a message by its chat and id. What makes nobody act has none: what follows it under the same
/// id, as a text that could not be decrypted at first, is no repetition.
pub(crate) type Key = (Option<String>, String);

/// What a bridge says; the error is why it says nothing to us. Its ids are those of the channel, as they are written in
/// lists.
pub(crate) fn read(
    account: &AccountKey,
    said: &Value,
) -> Result<(InboundMessage, Option<Key>), &'static str> {
    let said = Said::deserialize(said).map_err(|_| "it is malformed")?;
    let id = |text: &str| SenderId::parse(account.channel(), text).map_err(|_| "its sender is no user");
    let (primary, aliases) = (id(&said.from.id)?, said.from.aliases.iter().map(|alias| id(alias)));
    let aliases = aliases.collect::<Result<Vec<_>, _>>()?;
    if said.text.len() > TEXT_LIMIT {
        return Err("it is too long");
    }
    if said.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_LIMIT) {
        return Err("its id is none");
    }
    // INVARIANT I15: what the bridge does not stand for matches nothing.
    let strength = if said.from.proven == Some(false) { Strength::Mutable } else { Strength::Authenticated };
    let sender = Sender::with_parts(primary, aliases, strength, said.from.name.as_deref());
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.conversation = match said.chat.kind {
        ChatKind::Direct => Conversation::Direct,
        ChatKind::Group => Conversation::Group,
        ChatKind::Unknown => Conversation::Unknown,
    };
    message.event = event(&said.kind, &said);
    message.origin = match said.from.kind {
        FromKind::Person => Origin::Person,
        FromKind::Own => Origin::Own,
        FromKind::Bot => Origin::Bot,
    };
    if message.conversation == Conversation::Direct {
        let route = match &said.chat.id {
            Some(chat) => Route::chat(chat).ok_or("its chat has no id that can be kept")?,
            None => Route::user(message.sender.primary()),
        };
        message.route = route.to_reply();
    }
    message.sent_at = said.at.filter(|at| *at > 0).map(Timestamp::from_millis);
    message.attachments = said.attachments.into_iter().filter_map(File::describe).collect();
    message.text = said.text;
    message.message_id = said.id;
    let id = message.message_id.clone().filter(|_| message.event.acts());
    let key = id.map(|id| (said.chat.id, id));
    Ok((message, key))
}

/// A message without anything in it is the platform's own.
fn event(kind: &Kind, said: &Said) -> EventKind {
    match kind {
        Kind::Message if said.text.is_empty() && said.attachments.is_empty() => EventKind::Other,
        Kind::Message => EventKind::Message,
        Kind::Command => EventKind::Command,
        Kind::Button => EventKind::Button,
        Kind::Edit => EventKind::Edit,
        Kind::Reaction => EventKind::Reaction,
        Kind::Receipt => EventKind::Receipt,
        Kind::Membership => EventKind::Membership,
        Kind::Other => EventKind::Other,
    }
}

impl File {
    fn describe(self) -> Option<Attachment> {
        let Self { kind, media_type, name, size, reference } = self;
        let is_any = !kind.is_empty() && !reference.is_empty();
        is_any.then_some(Attachment { kind, media_type, name, size, reference })
    }
}
