//! Updates: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use crate::media::in_words;

/// The kinds of updates that we ask for. Others may come all the same, from before we asked.
pub(super) const WANTED: &[&str] = &["message", "callback_query"];

/// Stamps before Telegram and far from now are none: an emulator gives milliseconds.
const PLAUSIBLE: std::ops::Range<i64> = 1_356_998_400..10_000_000_000;

/// What is in an update, of whatever kind: a message, a press of a button, a reaction …
#[derive(Deserialize)]
struct Body {
    message_id: Option<i64>,
    /// The id of what is no message.
    id: Option<Value>,
    from: Option<User>,
    /// In place of `from` where nothing was written: reactions, votes.
    user: Option<User>,
    /// An anonymous administrator, or a channel: no user, whatever `from` says.
    sender_chat: Option<serde::de::IgnoredAny>,
    /// Written to the owner of an account that the bot serves, not to the bot.
    business_connection_id: Option<serde::de::IgnoredAny>,
    chat: Option<Chat>,
    date: Option<i64>,
    text: Option<String>,
    caption: Option<String>,
    /// What is behind a button.
    data: Option<String>,
    /// The message that a button belongs to.
    message: Option<Under>,
    #[serde(flatten)]
    media: Media,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    is_bot: Option<bool>,
    first_name: Option<String>,
    last_name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Under {
    chat: Chat,
}

#[derive(Deserialize)]
struct Media {
    photo: Option<Vec<File>>,
    animation: Option<File>,
    document: Option<File>,
    audio: Option<File>,
    voice: Option<File>,
    video: Option<File>,
    video_note: Option<File>,
    sticker: Option<File>,
    location: Option<Place>,
    contact: Option<Contact>,
}

#[derive(Deserialize)]
struct File {
    file_id: String,
    file_name: Option<String>,
    mime_type: Option<String>,
    file_size: Option<u64>,
    width: Option<u64>,
    height: Option<u64>,
}

#[derive(Deserialize)]
struct Place {
    latitude: f64,
    longitude: f64,
}

#[derive(Deserialize)]
struct Contact {
    phone_number: String,
    first_name: Option<String>,
}

/// The number of an update; the next one's is larger.
pub(super) fn id(update: &Value) -> Option<i64> {
    update.get("update_id")?.as_i64()
}

/// What an update says; the error is why it says nothing to us.
pub(super) fn parse(
    account: &AccountKey,
    own_id: i64,
    update: &Value,
) -> Result<InboundMessage, &'static str> {
    let fields = update.as_object().ok_or("it is no object")?;
    let (kind, body) = fields.iter().find(|(_, value)| value.is_object()).ok_or("it is empty")?;
    let body = Body::deserialize(body).map_err(|_| "it is malformed")?;
    let from = body.from.as_ref().or(body.user.as_ref()).ok_or("nobody sent it")?;
    let id = SenderId::parse(account.channel(), &from.id.to_string()).map_err(|_| "its sender is no user")?;
    let event = event(kind, &body);
    let chat = match event {
        EventKind::Button => body.message.as_ref().map(|under| &under.chat),
        _ => body.chat.as_ref(),
    };

    let name = display_name(from);
    let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, name.as_deref());
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.event = event;
    message.conversation = match chat {
        // A business chat looks private, and is between its owner and the sender.
        Some(chat) if !kind.contains("business") && body.business_connection_id.is_none() => {
            conversation(chat, from.id)
        }
        _ => Conversation::Unknown,
    };
    message.origin = origin(from, own_id, body.sender_chat.is_some());
    if message.conversation == Conversation::Direct {
        message.route = ReplyRoute::new(from.id.to_string());
    }
    message.sent_at = sent_at(body.date);
    message.message_id = body
        .message_id
        .map(|id| id.to_string())
        .or_else(|| body.id.as_ref().and_then(Value::as_str).map(str::to_owned));
    message.attachments = body.media.describe();
    message.text = body.text.or(body.caption).or(body.data).unwrap_or_default();
    Ok(message)
}

/// What kind of event it is. A message without anything that a person put in it is Telegram's own: someone joined,
/// something was pinned, paid or shared.
fn event(kind: &str, body: &Body) -> EventKind {
    match kind {
        // Whatever an account's owner gets is not for the bot.
        _ if body.business_connection_id.is_some() => EventKind::Other,
        "message" => match &body.text {
            Some(text) if text.starts_with('/') => EventKind::Command,
            Some(_) => EventKind::Message,
            None if body.media.is_any() => EventKind::Message,
            None => EventKind::Other,
        },
        "callback_query" => EventKind::Button,
        "edited_message" | "edited_channel_post" | "edited_business_message" => EventKind::Edit,
        "message_reaction" => EventKind::Reaction,
        "my_chat_member" | "chat_member" | "chat_join_request" => EventKind::Membership,
        _ => EventKind::Other,
    }
}

/// Whether a chat is between the sender and us: it is private, and a private chat has the id of its user.
fn conversation(chat: &Chat, from: i64) -> Conversation {
    match chat.kind.as_str() {
        "private" if chat.id == from => Conversation::Direct,
        "group" | "supergroup" | "channel" => Conversation::Group,
        _ => Conversation::Unknown,
    }
}

fn origin(from: &User, own_id: i64, is_chat: bool) -> Origin {
    match from.is_bot {
        _ if from.id == own_id => Origin::Own,
        // Telegram always says; who does not say so is not known to be a person.
        Some(false) if !is_chat => Origin::Person,
        _ => Origin::Bot,
    }
}

/// When it was sent. A press of a button has no stamp; the message under it is older.
fn sent_at(date: Option<i64>) -> Option<Timestamp> {
    let seconds = date.filter(|date| PLAUSIBLE.contains(date))?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1_000)))
}

fn display_name(user: &User) -> Option<String> {
    let full = [&user.first_name, &user.last_name].into_iter().flatten();
    let full = full.map(String::as_str).collect::<Vec<_>>().join(" ");
    if full.trim().is_empty() { user.username.clone() } else { Some(full) }
}

impl Media {
    fn is_any(&self) -> bool {
        !self.describe().is_empty()
    }

    /// What came with a message, described.
    fn describe(&self) -> Vec<Attachment> {
        // A photo comes in several sizes: the largest is it.
        let photo = self.photo.iter().flatten().max_by_key(|size| (size.area(), size.file_size));
        // An animation comes a second time as a document, for old programs.
        let document = self.document.as_ref().filter(|_| self.animation.is_none());
        let files = [
            ("image", photo, Some("image/jpeg")),
            ("video", self.animation.as_ref(), None),
            ("file", document, None),
            ("audio", self.audio.as_ref(), None),
            ("audio", self.voice.as_ref(), None),
            ("video", self.video.as_ref(), None),
            ("video", self.video_note.as_ref(), None),
            ("sticker", self.sticker.as_ref(), None),
        ];
        let files = files.into_iter().filter_map(|(kind, file, media_type)| {
            file.map(|file| Attachment {
                kind: kind.to_owned(),
                media_type: file.mime_type.clone().or_else(|| media_type.map(str::to_owned)),
                name: file.file_name.clone(),
                size: file.file_size,
                reference: file.file_id.clone(),
            })
        });
        let location = self
            .location
            .as_ref()
            .map(|place| in_words("location", None, format!("geo:{},{}", place.latitude, place.longitude)));
        let contact = self.contact.as_ref().map(|contact| {
            in_words("contact", contact.first_name.clone(), format!("tel:{}", contact.phone_number))
        });
        files.chain(location).chain(contact).collect()
    }
}

impl File {
    fn area(&self) -> u64 {
        self.width.unwrap_or_default().saturating_mul(self.height.unwrap_or_default())
    }
}
