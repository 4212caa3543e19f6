//! Messages in the Mac's database: who wrote what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::route::{Guid, Route};

/// The longest text, in bytes; Messages takes no longer ones.
const TEXT_LIMIT: usize = 256 * 1024;

/// How much older than what came before a message may be, in milliseconds. What is older was delivered late by Apple, or
/// a second time.
const LATE: i64 = 60 * 60 * 1_000;

/// What stands in a text where a file belongs.
const FILE: char = '\u{fffc}';

#[derive(Deserialize)]
struct Said {
    guid: Option<String>,
    chat_guid: Option<String>,
    sender: Option<String>,
    is_from_me: Option<bool>,
    is_group: Option<bool>,
    #[serde(default)]
    participants: Vec<String>,
    text: Option<String>,
    created_at: Option<String>,
    is_reaction: Option<bool>,
    #[serde(default)]
    attachments: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: Option<String>,
    transfer_name: Option<String>,
    mime_type: Option<String>,
    total_bytes: Option<i64>,
    is_sticker: Option<bool>,
    original_path: Option<String>,
    missing: Option<bool>,
}

/// The number of a message, whatever else is in it.
pub(super) fn rowid(said: &Value) -> Option<i64> {
    said.get("id").and_then(Value::as_i64)
}

/// What a message says; the error is why it says nothing to us. `newest` is when the newest one before it was sent, in
/// milliseconds.
pub(super) fn read(
    account: &AccountKey,
    takes_sms: bool,
    newest: i64,
    said: &Value,
) -> Result<InboundMessage, &'static str> {
    let said = Said::deserialize(said).map_err(|_| "it is malformed")?;
    let handle = said.sender.as_deref().filter(|sender| !sender.is_empty()).ok_or("nobody sent it")?;
    let id = SenderId::parse(account.channel(), handle).map_err(|_| "its sender is no handle")?;
    if said.text.as_ref().is_some_and(|text| text.len() > TEXT_LIMIT) {
        return Err("it is too long");
    }
    let guid = said.chat_guid.as_deref().and_then(Guid::parse);
    let strength = strength(guid.as_ref(), takes_sms);
    let mut message =
        InboundMessage::new(account.clone(), Sender::with_parts(id, Vec::new(), strength, None));
    message.authenticity = Authenticity::Verified;
    message.conversation = conversation(guid.as_ref(), &said);
    message.origin = if said.is_from_me.unwrap_or_default() { Origin::Own } else { Origin::Person };
    message.sent_at = said.created_at.as_deref().and_then(Timestamp::parse);
    let is_late = message.sent_at.is_some_and(|at| at.as_millis().saturating_add(LATE) < newest);
    if message.conversation == Conversation::Direct && strength != Strength::Mutable {
        let route = said.chat_guid.as_deref().and_then(Route::chat);
        message.route = route.map(|route| route.to_reply()).unwrap_or_default();
    }
    message.message_id = said.guid.filter(|guid| !guid.is_empty() && guid.len() <= 256);
    let text = said.text.unwrap_or_default();
    message.text = text.trim_matches([FILE, ' ', '\n']).to_owned();
    message.attachments = said.attachments.into_iter().filter_map(File::describe).collect();
    let is_empty = message.text.is_empty() && message.attachments.is_empty();
    message.event = match said.is_reaction {
        Some(true) => EventKind::Reaction,
        _ if is_empty || is_late => EventKind::Other,
        _ => EventKind::Message,
    };
    Ok(message)
}

/// How far the sender is vouched for.
// INVARIANT I15: what came by SMS, or nobody knows by what, has a sender that anybody can forge.
fn strength(guid: Option<&Guid<'_>>, takes_sms: bool) -> Strength {
    match guid {
        Some(guid) if guid.service.eq_ignore_ascii_case("iMessage") => Strength::Authenticated,
        _ if takes_sms => Strength::ServerAsserted,
        _ => Strength::Mutable,
    }
}

// INVARIANT I16: one-to-one is what everything that is said of the chat agrees on.
fn conversation(guid: Option<&Guid<'_>>, said: &Said) -> Conversation {
    let is_of_several = said.participants.len() > 1;
    match (guid, said.is_group) {
        (_, Some(true)) => Conversation::Group,
        (Some(guid), _) if !guid.is_direct || is_of_several => Conversation::Group,
        (Some(_), Some(false)) => Conversation::Direct,
        _ => Conversation::Unknown,
    }
}

impl File {
    fn describe(self) -> Option<Attachment> {
        let place = [self.original_path, self.filename].into_iter().flatten().find(|path| !path.is_empty());
        let reference = place.filter(|_| !self.missing.unwrap_or_default())?;
        let media_type = self.mime_type.filter(|media_type| !media_type.is_empty());
        let kind = match media_type.as_deref().and_then(|media_type| media_type.split('/').next()) {
            _ if self.is_sticker == Some(true) => "sticker",
            Some("image") => "image",
            Some("video") => "video",
            Some("audio") => "audio",
            _ => "file",
        };
        Some(Attachment {
            kind: kind.to_owned(),
            media_type,
            name: self.transfer_name.filter(|name| !name.is_empty()),
            size: self.total_bytes.and_then(|size| u64::try_from(size).ok()),
            reference,
        })
    }
}
