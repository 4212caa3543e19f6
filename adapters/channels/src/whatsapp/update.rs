//! Updates: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use crate::media::in_words;

/// What an update says to us.
#[derive(Default)]
pub(super) struct Update {
    pub(super) messages: Vec<InboundMessage>,
    /// What became of texts of ours that did not arrive, in Meta's words.
    pub(super) failures: Vec<String>,
}

/// The body of a call: changes of several numbers, several messages each.
#[derive(Deserialize)]
struct Body {
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    field: String,
    #[serde(default)]
    value: Value,
}

/// What changed at one number. Each message is read by itself: one that is malformed spoils no other.
#[derive(Deserialize)]
struct Changed {
    metadata: Metadata,
    #[serde(default)]
    contacts: Vec<Contact>,
    #[serde(default)]
    messages: Vec<Value>,
    /// What the owner wrote with the app on a telephone, where the number is in both.
    #[serde(default)]
    message_echoes: Vec<Value>,
    #[serde(default)]
    statuses: Vec<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    phone_number_id: String,
    #[serde(default)]
    display_phone_number: String,
}

#[derive(Deserialize)]
struct Contact {
    profile: Option<Profile>,
    wa_id: Option<String>,
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Profile {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    /// The telephone number, digits only; missing where the person shows none.
    from: Option<String>,
    /// The business-scoped id.
    from_user_id: Option<String>,
    id: String,
    timestamp: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    group_id: Option<String>,
    text: Option<Text>,
    button: Option<Button>,
    interactive: Option<Interactive>,
    image: Option<Media>,
    audio: Option<Media>,
    video: Option<Media>,
    document: Option<Media>,
    sticker: Option<Media>,
    location: Option<Location>,
    contacts: Option<Vec<Card>>,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct Button {
    text: Option<String>,
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Interactive {
    button_reply: Option<Choice>,
    list_reply: Option<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    id: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct Media {
    id: String,
    mime_type: Option<String>,
    caption: Option<String>,
    filename: Option<String>,
}

#[derive(Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Card {
    name: Option<CardName>,
    #[serde(default)]
    phones: Vec<Phone>,
}

#[derive(Deserialize)]
struct CardName {
    formatted_name: Option<String>,
}

#[derive(Deserialize)]
struct Phone {
    phone: Option<String>,
}

/// What became of a text of ours.
#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    timestamp: Option<String>,
    recipient_id: Option<String>,
    recipient_user_id: Option<String>,
    #[serde(default)]
    errors: Vec<Value>,
}

/// What an update says to the number of this id; `None` if it is none.
pub(super) fn parse(account: &AccountKey, phone_number_id: &str, body: &[u8]) -> Option<Update> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let mut update = Update::default();
    for Change { field, value } in body.entry.into_iter().flat_map(|entry| entry.changes) {
        if !matches!(field.as_str(), "messages" | "smb_message_echoes") {
            continue;
        }
        let Ok(changed) = Changed::deserialize(value) else {
            tracing::debug!(%account, "a change is dropped: it is malformed");
            continue;
        };
        // INVARIANT I8: an app may have several numbers, and Meta calls one address for all.
        if changed.metadata.phone_number_id == phone_number_id {
            changed.read(account, &mut update);
        }
    }
    Some(update)
}

/// Whether a text is a number as Meta gives them to things. It becomes part of a path.
pub(super) fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text may be the id of a message.
pub(super) fn is_message_id(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+/=".contains(&byte))
}

impl Changed {
    fn read(&self, account: &AccountKey, update: &mut Update) {
        let dropped = |reason: &&str| tracing::debug!(%account, "a message is dropped: {reason}");
        for message in &self.messages {
            let read = self.message(account, message, Origin::Person);
            update.messages.extend(read.inspect_err(dropped));
        }
        for echo in &self.message_echoes {
            update.messages.extend(self.message(account, echo, Origin::Own).inspect_err(dropped));
        }
        for status in &self.statuses {
            let Ok(status) = Status::deserialize(status) else { continue };
            update.failures.extend(status.errors.iter().map(described));
            update.messages.extend(status.receipt(account));
        }
    }

    fn message(
        &self,
        account: &AccountKey,
        message: &Value,
        origin: Origin,
    ) -> Result<InboundMessage, &'static str> {
        let message = Message::deserialize(message).map_err(|_| "it is malformed")?;
        let contact = self.contacts.iter().find(|contact| contact.is_of(&message));
        let number = message.from.as_deref().or_else(|| contact?.wa_id.as_deref());
        let name = contact.and_then(|contact| contact.profile.as_ref()?.name.as_deref());
        let sender = sender(account, message.from_user_id.as_deref(), number, name)?;
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let is_own =
            message.from.as_ref().is_some_and(|from| *from == digits(&self.metadata.display_phone_number));

        // The number, if there is one, is what every version of the API can send to.
        let to = sender.aliases().first().unwrap_or(sender.primary()).clone();
        let mut inbound = InboundMessage::new(account.clone(), sender);
        inbound.authenticity = Authenticity::Verified;
        inbound.event = message.event();
        inbound.origin = if is_own { Origin::Own } else { origin };
        inbound.conversation =
            if message.group_id.is_none() { Conversation::Direct } else { Conversation::Group };
        inbound.sent_at = message.timestamp.as_deref().and_then(stamp);
        inbound.attachments = message.attachments();
        inbound.text = message.written();
        if is_message_id(&message.id) {
            if inbound.conversation == Conversation::Direct {
                inbound.route = ReplyRoute::new(format!("{to} {}", message.id));
            }
            inbound.message_id = Some(message.id);
        }
        Ok(inbound)
    }
}

/// Who it is: the business-scoped id before the number, where both are given.
// INVARIANT I15: what is no id is not left out, or another id would stand for the same person.
fn sender(
    account: &AccountKey,
    user_id: Option<&str>,
    number: Option<&str>,
    name: Option<&str>,
) -> Result<Sender, &'static str> {
    let parse = |id: String| SenderId::parse(account.channel(), &id).map_err(|_| "its sender has no id");
    let number = number.map(|number| parse(format!("+{number}"))).transpose()?;
    let user_id = user_id.map(|id| parse(id.to_owned())).transpose()?;
    let (primary, aliases) = match (user_id, number) {
        (Some(user_id), number) => (user_id, number.into_iter().collect()),
        (None, Some(number)) => (number, Vec::new()),
        (None, None) => return Err("nobody sent it"),
    };
    Ok(Sender::with_parts(primary, aliases, Strength::Authenticated, name))
}

/// Whole seconds, in a text.
fn stamp(text: &str) -> Option<Timestamp> {
    crate::signature::seconds(text).filter(|stamp| stamp.as_millis() > 0)
}

/// Why a text did not arrive.
fn described(error: &Value) -> String {
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    let title = error.get("title").and_then(Value::as_str).unwrap_or_default();
    let details = error.pointer("/error_data/details").and_then(Value::as_str).unwrap_or_default();
    let said: String = format!("{code}: {title}; {details}").chars().take(300).collect();
    dmgate::escape(&said)
}

impl Contact {
    fn is_of(&self, message: &Message) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
        match (&self.user_id, &message.from_user_id) {
            (Some(own), Some(from)) => own == from,
            _ => same(&self.wa_id, &message.from),
        }
    }
}

impl Message {
    fn event(&self) -> EventKind {
        match self.kind.as_str() {
            "text" if self.text.is_some() => EventKind::Message,
            "image" | "audio" | "video" | "document" | "sticker" | "location" | "contacts"
                if !self.attachments().is_empty() =>
            {
                EventKind::Message
            }
            "button" | "interactive" => EventKind::Button,
            "reaction" => EventKind::Reaction,
            "edit" | "revoke" => EventKind::Edit,
            _ => EventKind::Other,
        }
    }

    fn written(&self) -> String {
        let media = [&self.image, &self.video, &self.document];
        let caption = media.into_iter().flatten().find_map(|media| media.caption.clone());
        let pressed = self.button.as_ref().and_then(|button| button.text.clone().or(button.payload.clone()));
        let chosen = self.interactive.as_ref();
        let chosen = chosen.and_then(|it| it.button_reply.as_ref().or(it.list_reply.as_ref()));
        let chosen = chosen.and_then(|choice| choice.title.clone().or(choice.id.clone()));
        let text = self.text.as_ref().map(|text| text.body.clone());
        text.or(caption).or(pressed).or(chosen).unwrap_or_default()
    }

    fn attachments(&self) -> Vec<Attachment> {
        let files = [
            ("image", &self.image),
            ("audio", &self.audio),
            ("video", &self.video),
            ("file", &self.document),
            ("sticker", &self.sticker),
        ];
        let files = files.into_iter().filter_map(|(kind, media)| {
            let media = media.as_ref().filter(|media| is_number(&media.id))?;
            let (media_type, name) = (media.mime_type.clone(), media.filename.clone());
            Some(Attachment {
                kind: kind.to_owned(),
                media_type,
                name,
                size: None,
                reference: media.id.clone(),
            })
        });
        let location = self.location.as_ref().map(|place| {
            in_words("location", place.name.clone(), format!("geo:{},{}", place.latitude, place.longitude))
        });
        let cards = self.contacts.iter().flatten().filter_map(|card| {
            let phone = card.phones.iter().find_map(|phone| phone.phone.as_deref())?;
            let name = card.name.as_ref().and_then(|name| name.formatted_name.clone());
            Some(in_words("contact", name, format!("tel:{phone}")))
        });
        files.chain(location).chain(cards).collect()
    }
}

impl Status {
    /// That somebody got or read a text of ours.
    fn receipt(&self, account: &AccountKey) -> Option<InboundMessage> {
        let sender =
            sender(account, self.recipient_user_id.as_deref(), self.recipient_id.as_deref(), None).ok()?;
        let mut inbound = InboundMessage::new(account.clone(), sender);
        inbound.authenticity = Authenticity::Verified;
        inbound.event = EventKind::Receipt;
        inbound.sent_at = self.timestamp.as_deref().and_then(stamp);
        inbound.message_id = Some(format!("{}:{}", self.id, self.status)).filter(|id| id.len() <= 512);
        Some(inbound)
    }
}
