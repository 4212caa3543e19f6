//! Events: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::send;

/// Stands in a text where a file was.
const PLACE_OF_A_FILE: char = '\u{fffc}';

/// What the server calls with.
#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) data: Value,
}

/// A message, as much as is used of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    guid: String,
    text: Option<String>,
    subject: Option<String>,
    handle: Option<Handle>,
    /// Who says nothing of that is not known to be somebody else.
    is_from_me: bool,
    date_created: Option<i64>,
    date_edited: Option<Value>,
    date_retracted: Option<Value>,
    #[serde(default)]
    chats: Vec<Chat>,
    #[serde(default)]
    attachments: Vec<File>,
    /// 0 for what was written; else somebody came, left, or changed the name of a group.
    item_type: Option<i64>,
    associated_message_guid: Option<Value>,
    associated_message_type: Option<Value>,
    is_auto_reply: Option<bool>,
    is_system_message: Option<bool>,
    is_service_message: Option<bool>,
}

#[derive(Deserialize)]
struct Handle {
    address: String,
    service: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    guid: String,
    style: Option<i64>,
    participants: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    guid: String,
    mime_type: Option<String>,
    transfer_name: Option<String>,
    total_bytes: Option<u64>,
    is_sticker: Option<bool>,
    hide_attachment: Option<bool>,
}

/// The id of the message that an event is about.
pub(super) fn guid(event: &Event) -> Option<&str> {
    event.data.get("guid")?.as_str().filter(|guid| is_plain(guid))
}

/// Whether a message lacks what it says who wrote it, and where.
pub(super) fn is_incomplete(event: &Event) -> bool {
    let lacks = |key: &str, is_empty: fn(&Value) -> bool| event.data.get(key).is_none_or(is_empty);
    lacks("handle", Value::is_null) || lacks("chats", |chats| chats.as_array().is_none_or(Vec::is_empty))
}

/// What an event says; the error is why it says nothing to us. With `sms`, senders of SMS count.
pub(super) fn parse(account: &AccountKey, sms: bool, event: Event) -> Result<InboundMessage, &'static str> {
    let kind = event.kind;
    let message = Message::deserialize(event.data).map_err(|_| "it is no message")?;
    // A message of ours has the handle of whom it went to.
    let handle = message.handle.as_ref().ok_or("nobody sent it")?;
    let id = SenderId::parse(account.channel(), &handle.address).map_err(|_| "its sender has no handle")?;
    let strength = match handle.service.as_deref() {
        Some("iMessage") => Strength::Authenticated,
        _ if sms => Strength::ServerAsserted,
        _ => Strength::Mutable,
    };
    let mut inbound =
        InboundMessage::new(account.clone(), Sender::with_parts(id, Vec::new(), strength, None));
    inbound.authenticity = Authenticity::Verified;
    inbound.event = message.event(&kind);
    inbound.origin = message.origin();
    inbound.conversation = message.conversation();
    if inbound.conversation == Conversation::Direct
        && let Some(chat) = message.chats.first().filter(|chat| send::is_route(account, &chat.guid))
    {
        inbound.route = ReplyRoute::new(chat.guid.as_str());
    }
    inbound.sent_at = message.date_created.filter(|stamp| *stamp > 0).map(Timestamp::from_millis);
    inbound.attachments = message.files().map(File::describe).collect();
    inbound.text = message.written();
    inbound.message_id = Some(message.guid).filter(|guid| is_plain(guid));
    Ok(inbound)
}

/// Whether a text may be the id of something: letters, digits and some marks. It becomes part of a path.
pub(super) fn is_plain(guid: &str) -> bool {
    (1..=256).contains(&guid.len())
        && guid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:".contains(&byte))
}

impl Message {
    fn event(&self, kind: &str) -> EventKind {
        let is_set =
            |value: &Option<Value>| value.as_ref().is_some_and(|value| !matches!(value, Value::Null));
        let is_edited = is_set(&self.date_edited) || is_set(&self.date_retracted);
        match kind {
            "new-message" if self.item_type.unwrap_or_default() != 0 => EventKind::Membership,
            "new-message"
                if is_set(&self.associated_message_guid) || is_set(&self.associated_message_type) =>
            {
                EventKind::Reaction
            }
            "new-message" | "updated-message" if is_edited => EventKind::Edit,
            "new-message" if self.is_system_message == Some(true) => EventKind::Other,
            "new-message" if self.written().is_empty() && self.files().next().is_none() => EventKind::Other,
            "new-message" => EventKind::Message,
            // It was delivered, or read.
            "updated-message" => EventKind::Receipt,
            "group-name-change"
            | "group-icon-changed"
            | "group-icon-removed"
            | "participant-added"
            | "participant-removed"
            | "participant-left" => EventKind::Membership,
            _ => EventKind::Other,
        }
    }

    fn origin(&self) -> Origin {
        match self.is_from_me {
            true => Origin::Own,
            false if self.is_auto_reply == Some(true) || self.is_service_message == Some(true) => Origin::Bot,
            false => Origin::Person,
        }
    }

    /// One-to-one if every chat of the message says so.
    fn conversation(&self) -> Conversation {
        let kinds: Vec<Conversation> = self.chats.iter().map(Chat::conversation).collect();
        match kinds.as_slice() {
            kinds if kinds.contains(&Conversation::Group) => Conversation::Group,
            [] => Conversation::Unknown,
            kinds if kinds.contains(&Conversation::Unknown) => Conversation::Unknown,
            _ => Conversation::Direct,
        }
    }

    fn written(&self) -> String {
        let parts =
            [&self.subject, &self.text].into_iter().flatten().map(|text| text.replace(PLACE_OF_A_FILE, ""));
        parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Without those that belong to others, as the picture of a link.
    fn files(&self) -> impl Iterator<Item = &File> {
        self.attachments.iter().filter(|file| file.hide_attachment != Some(true) && is_plain(&file.guid))
    }
}

impl Chat {
    /// What the id says (`service;-;handle`, with `+` for groups), unless the style says otherwise.
    fn conversation(&self) -> Conversation {
        let mark = self.guid.split(';').nth(1);
        let is_of_several = self.participants.as_ref().is_some_and(|people| people.len() > 1);
        match (mark, self.style) {
            (Some("+"), _) | (_, Some(43)) => Conversation::Group,
            _ if is_of_several => Conversation::Group,
            (Some("-"), None | Some(45)) => Conversation::Direct,
            _ => Conversation::Unknown,
        }
    }
}

impl File {
    fn describe(&self) -> Attachment {
        let head = self.mime_type.as_deref().and_then(|kind| kind.split_once('/')).map(|(head, _)| head);
        let kind = match head {
            _ if self.is_sticker == Some(true) => "sticker",
            Some(head @ ("image" | "audio" | "video")) => head,
            _ => "file",
        };
        Attachment {
            kind: kind.to_owned(),
            media_type: self.mime_type.clone(),
            name: self.transfer_name.clone(),
            size: self.total_bytes,
            reference: self.guid.clone(),
        }
    }
}
