//! Envelopes: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The longest text, in bytes: Signal's own are shorter.
const TEXT_LIMIT: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    source: Option<String>,
    source_number: Option<String>,
    source_uuid: Option<String>,
    source_name: Option<String>,
    timestamp: Option<i64>,
    server_received_timestamp: Option<i64>,
    data_message: Option<Data>,
    edit_message: Option<Edit>,
    sync_message: Option<Sync>,
    receipt_message: Option<IgnoredAny>,
    typing_message: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Data {
    timestamp: Option<i64>,
    message: Option<String>,
    #[serde(default)]
    is_expiration_update: bool,
    group_info: Option<IgnoredAny>,
    /// As older daemons say it.
    group_v2: Option<IgnoredAny>,
    reaction: Option<IgnoredAny>,
    remote_delete: Option<IgnoredAny>,
    sticker: Option<Sticker>,
    #[serde(default)]
    attachments: Vec<File>,
    #[serde(default)]
    contacts: Vec<Contact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Edit {
    data_message: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sync {
    sent_message: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    id: Option<String>,
    content_type: Option<String>,
    filename: Option<String>,
    size: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sticker {
    pack_id: String,
    sticker_id: u64,
}

#[derive(Deserialize)]
struct Contact {
    #[serde(default)]
    phone: Vec<Phone>,
}

#[derive(Deserialize)]
struct Phone {
    value: Option<String>,
}

/// What an event holds beside its envelope.
pub(super) struct Parts<'a> {
    pub(super) envelope: &'a Value,
    /// Whose account it reached.
    pub(super) account: Option<&'a str>,
    /// Why it could not be read, if so.
    pub(super) trouble: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// An event as it comes: bare, as the notification that it is over other transports, or within a subscription's
    /// result (`--receive-mode=manual`).
    pub(super) fn of(event: &'a Value) -> Option<Self> {
        let event = event.get("params").unwrap_or(event);
        let event = event.get("result").unwrap_or(event);
        Some(Self {
            envelope: event.get("envelope").filter(|envelope| envelope.is_object())?,
            account: event.get("account").and_then(Value::as_str),
            trouble: event.get("exception").and_then(|trouble| trouble.get("type")).and_then(Value::as_str),
        })
    }
}

/// What an envelope says; the error is why it says nothing to us.
pub(super) fn read(
    account: &AccountKey,
    own: &SenderId,
    envelope: &Value,
) -> Result<InboundMessage, &'static str> {
    let envelope = Envelope::deserialize(envelope).map_err(|_| "it is malformed")?;
    let sender = envelope.sender(account)?;
    let is_own = envelope.sync_message.is_some() || sender.ids().any(|id| id == own);
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.origin = if is_own { Origin::Own } else { Origin::Person };
    message.sent_at = envelope.sent_at();
    message.event = envelope.event();
    let edited = envelope.edit_message.and_then(|edit| edit.data_message);
    let synced = envelope.sync_message.and_then(|sync| sync.sent_message);
    let is_between_two = synced.is_none() && (edited.is_some() || envelope.data_message.is_some());
    let data = envelope.data_message.or(edited).or(synced).unwrap_or_default();
    if data.message.as_ref().is_some_and(|text| text.len() > TEXT_LIMIT) {
        return Err("it is too long");
    }
    let has_group = data.group_info.is_some() || data.group_v2.is_some();
    message.conversation = match (has_group, is_between_two) {
        (true, _) => Conversation::Group,
        (false, true) => Conversation::Direct,
        (false, false) => Conversation::Unknown,
    };
    if message.conversation == Conversation::Direct && message.sender.strength() != Strength::Mutable {
        message.route = ReplyRoute::new(message.sender.primary().as_str());
    }
    message.message_id = data.timestamp.or(envelope.timestamp).map(|at| at.to_string());
    message.attachments = data.describe();
    message.text = data.message.unwrap_or_default();
    Ok(message)
}

impl Envelope {
    /// Who sent it.
    // INVARIANT I15: what counts is the account's id. A number can be given to somebody else, and an id that stands for a
    // number (`PNI:…`) is no account's.
    fn sender(&self, account: &AccountKey) -> Result<Sender, &'static str> {
        let id = |text: &str| SenderId::parse(account.channel(), text).ok();
        let aci = |text: &str| id(text).filter(|id| id.as_str().starts_with("uuid:"));
        let phone = |text: &str| id(text).filter(|id| id.as_str().starts_with('+'));
        let [uuid, number, source] =
            [&self.source_uuid, &self.source_number, &self.source].map(Option::as_deref);
        let aci = uuid.or(source).and_then(aci);
        let number = number.or(source).and_then(phone);
        let name = self.source_name.as_deref();
        let (primary, aliases, strength) = match (aci, number) {
            (Some(aci), number) => (aci, number.into_iter().collect(), Strength::Authenticated),
            (None, Some(number)) => (number, Vec::new(), Strength::Mutable),
            (None, None) => return Err("nobody that we know sent it"),
        };
        Ok(Sender::with_parts(primary, aliases, strength, name))
    }

    /// When Signal's servers got it; the sender's own stamp is what they like.
    fn sent_at(&self) -> Option<Timestamp> {
        let stamps = [self.server_received_timestamp, self.timestamp];
        stamps.into_iter().flatten().find(|at| *at > 0).map(Timestamp::from_millis)
    }

    fn event(&self) -> EventKind {
        if self.receipt_message.is_some() || self.typing_message.is_some() {
            return EventKind::Receipt;
        }
        if self.edit_message.is_some() {
            return EventKind::Edit;
        }
        let sent = self.sync_message.as_ref().and_then(|sync| sync.sent_message.as_ref());
        match self.data_message.as_ref().or(sent) {
            // Stories, calls, and what could not be decrypted.
            None => EventKind::Other,
            Some(data) if data.reaction.is_some() => EventKind::Reaction,
            Some(data) if data.remote_delete.is_some() || data.is_expiration_update => EventKind::Other,
            Some(data) if data.is_anything() => EventKind::Message,
            // A group's change, a poll, a payment, a new profile key.
            Some(_) => EventKind::Other,
        }
    }
}

impl Data {
    /// Whether a person put anything in it.
    fn is_anything(&self) -> bool {
        self.message.as_ref().is_some_and(|text| !text.is_empty()) || !self.describe().is_empty()
    }

    fn describe(&self) -> Vec<Attachment> {
        let told = |kind: &str, reference: String| Attachment {
            kind: kind.to_owned(),
            media_type: None,
            name: None,
            size: None,
            reference,
        };
        let files = self.attachments.iter().filter_map(File::describe);
        let sticker = self.sticker.as_ref();
        let sticker = sticker
            .map(|sticker| told("sticker", format!("sticker:{}:{}", sticker.pack_id, sticker.sticker_id)));
        let phones = self.contacts.iter().filter_map(|contact| contact.phone.first()?.value.as_ref());
        let contacts = phones.map(|phone| told("contact", format!("tel:{phone}")));
        files.chain(sticker).chain(contacts).collect()
    }
}

impl File {
    fn describe(&self) -> Option<Attachment> {
        let reference = self.id.clone().filter(|id| !id.is_empty())?;
        let kind = match self.content_type.as_deref().and_then(|media_type| media_type.split('/').next()) {
            Some("image") => "image",
            Some("video") => "video",
            Some("audio") => "audio",
            _ => "file",
        };
        Some(Attachment {
            kind: kind.to_owned(),
            media_type: self.content_type.clone(),
            name: self.filename.clone(),
            size: self.size,
            reference,
        })
    }
}
