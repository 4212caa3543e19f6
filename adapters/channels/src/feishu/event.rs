//! Events: who said what where. They are the same by connection and by web hook.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::post;
use crate::media::in_words;

/// The longest id of an event or a message.
const ID_LIMIT: usize = 128;

#[derive(Deserialize)]
struct Envelope {
    header: Header,
    event: Body,
}

#[derive(Deserialize)]
struct Header {
    event_type: String,
    event_id: Option<String>,
    create_time: Option<String>,
    app_id: Option<String>,
}

/// What is in an event, of whatever kind.
#[derive(Deserialize)]
struct Body {
    /// Who wrote.
    sender: Option<Author>,
    message: Option<Message>,
    /// Who reacted.
    user_id: Option<Ids>,
    operator_type: Option<String>,
    /// Who opened the conversation.
    operator_id: Option<Ids>,
    /// Who pressed a button.
    operator: Option<Ids>,
    /// Who has read.
    reader: Option<Reader>,
}

#[derive(Deserialize)]
struct Author {
    sender_id: Option<Ids>,
    sender_type: Option<String>,
}

#[derive(Deserialize)]
struct Reader {
    reader_id: Option<Ids>,
}

#[derive(Deserialize)]
struct Ids {
    open_id: Option<String>,
    union_id: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    message_id: Option<String>,
    create_time: Option<String>,
    chat_type: Option<String>,
    message_type: Option<String>,
    /// JSON, as a text.
    content: Option<String>,
}

/// A file at Feishu's.
pub(super) struct Resource<'a> {
    pub(super) message: &'a str,
    pub(super) key: &'a str,
    pub(super) kind: &'static str,
}

impl<'a> Resource<'a> {
    /// A reference as [`Resource::reference`] writes it. All of it becomes part of a URL.
    pub(super) fn parse(reference: &'a str) -> Option<Self> {
        let mut parts = reference.split('/');
        let (message, key, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let kind = ["image", "file"].into_iter().find(|known| *known == kind)?;
        (is_word(message) && is_word(key) && parts.next().is_none()).then_some(Self { message, key, kind })
    }

    fn reference(&self) -> String {
        format!("{}/{}/{}", self.message, self.key, self.kind)
    }
}

/// The id by which an event is known when it comes again: its message's, for a message. An edit has the id of the message
/// that was edited, and so its own counts.
pub(super) fn id(event: &Value) -> Option<&str> {
    let header = event.get("header")?;
    let own = || header.get("event_id")?.as_str();
    let id = match header.get("event_type")?.as_str()? {
        "im.message.receive_v1" => {
            let message = event.get("event").and_then(|event| event.get("message"));
            message.and_then(|message| message.get("message_id")?.as_str()).or_else(own)
        }
        _ => own(),
    };
    id.filter(|id| !id.is_empty() && id.len() <= ID_LIMIT)
}

/// When an event was made; the same each time that it is sent.
pub(super) fn made_at(event: &Value) -> Option<Timestamp> {
    stamp(event.get("header")?.get("create_time")?.as_str())
}

/// What an event says; the error is why it says nothing to us.
pub(super) fn parse(
    account: &AccountKey,
    app_id: &str,
    own_id: Option<&str>,
    event: &Value,
) -> Result<InboundMessage, &'static str> {
    let Envelope { header, event: body } = Envelope::deserialize(event).map_err(|_| "it is malformed")?;
    if header.app_id.as_deref() != Some(app_id) {
        return Err("it is another app's");
    }
    let author = body.sender.as_ref();
    let reader = body.reader.as_ref().and_then(|reader| reader.reader_id.as_ref());
    let ids = author.and_then(|author| author.sender_id.as_ref()).or(reader).or(body.user_id.as_ref());
    let ids = ids.or(body.operator_id.as_ref()).or(body.operator.as_ref()).ok_or("nobody sent it")?;
    let open_id = ids.open_id.as_deref().filter(|id| !id.is_empty()).ok_or("nobody sent it")?;
    let parse = |id: &str| SenderId::parse(account.channel(), id).map_err(|_| "its sender is no user");
    let union_id = ids.union_id.as_deref().filter(|id| !id.is_empty()).map(parse).transpose()?;
    let sender =
        Sender::with_parts(parse(open_id)?, union_id.into_iter().collect(), Strength::Authenticated, None);

    let mut parsed = InboundMessage::new(account.clone(), sender);
    parsed.authenticity = Authenticity::Verified;
    let author_type = author.map(|author| author.sender_type.as_deref().unwrap_or_default());
    parsed.origin = match author_type.or(body.operator_type.as_deref()) {
        _ if own_id == Some(open_id) => Origin::Own,
        // Only people press buttons, read, and open conversations.
        None | Some("user") if is_person(open_id) => Origin::Person,
        _ => Origin::Bot,
    };
    parsed.sent_at = stamp(header.create_time.as_deref());
    parsed.message_id = header.event_id.filter(|id| !id.is_empty() && id.len() <= ID_LIMIT);
    parsed.event = match header.event_type.as_str() {
        "im.message.updated_v1" => EventKind::Edit,
        "im.message.message_read_v1" => EventKind::Receipt,
        "card.action.trigger" => EventKind::Button,
        "im.chat.access_event.bot_p2p_chat_entered_v1" => EventKind::Membership,
        kind if kind.starts_with("im.message.reaction.") => EventKind::Reaction,
        _ => EventKind::Other,
    };
    let Some(message) = body.message else { return Ok(parsed) };
    parsed.conversation = conversation(&message, parsed.origin);
    if parsed.conversation == Conversation::Direct {
        parsed.route = ReplyRoute::new(open_id);
    }
    parsed.sent_at = stamp(message.create_time.as_deref()).or(parsed.sent_at);
    let message_id = message.message_id.as_deref().filter(|id| !id.is_empty() && id.len() <= ID_LIMIT);
    parsed.message_id = message_id.map(str::to_owned).or(parsed.message_id);
    let content = message.content.as_deref().unwrap_or("{}");
    let content: Value = serde_json::from_str(content).map_err(|_| "its content is malformed")?;
    let kind = message.message_type.as_deref().unwrap_or_default();
    parsed.text = words(kind, &content)?;
    parsed.attachments = message_id.map(|id| attachments(id, kind, &content)).unwrap_or_default();
    if header.event_type == "im.message.receive_v1" {
        parsed.event = match (kind, parsed.text.as_str()) {
            ("text", text) if text.starts_with('/') => EventKind::Command,
            (_, text) if !text.is_empty() || !parsed.attachments.is_empty() => EventKind::Message,
            // A card, a vote, a shared contact: nothing that could be handed on.
            _ => EventKind::Other,
        };
    }
    Ok(parsed)
}

/// Whether it is between a person and us.
fn conversation(message: &Message, origin: Origin) -> Conversation {
    match message.chat_type.as_deref() {
        Some("p2p") if origin == Origin::Person => Conversation::Direct,
        Some("group" | "topic_group") => Conversation::Group,
        _ => Conversation::Unknown,
    }
}

/// What was written.
fn words(kind: &str, content: &Value) -> Result<String, &'static str> {
    match (kind, content.get("text")) {
        ("text", Some(Value::String(text))) => Ok(text.clone()),
        ("text", _) => Err("its text is none"),
        ("post", _) => Ok(post::words(content)),
        ("location", _) => Ok(String::new()),
        _ => Ok(String::new()),
    }
}

/// What came with it, described. Stickers can't be fetched.
fn attachments(message: &str, kind: &str, content: &Value) -> Vec<Attachment> {
    let text = |name: &str| content.get(name).and_then(Value::as_str).map(str::to_owned);
    let file = |kind: &str, media_type: Option<&str>, key: Option<String>, resource| {
        let key = key.filter(|key| is_word(key))?;
        Some(Attachment {
            kind: kind.to_owned(),
            media_type: media_type.map(str::to_owned),
            name: text("file_name"),
            size: None,
            reference: Resource { message, key: &key, kind: resource }.reference(),
        })
    };
    match kind {
        "image" => file("image", None, text("image_key"), "image").into_iter().collect(),
        "file" => file("file", None, text("file_key"), "file").into_iter().collect(),
        "audio" => file("audio", Some("audio/ogg"), text("file_key"), "file").into_iter().collect(),
        "media" => file("video", Some("video/mp4"), text("file_key"), "file").into_iter().collect(),
        "sticker" => text("file_key")
            .map(|key| in_words("sticker", None, format!("sticker:{key}")))
            .into_iter()
            .collect(),
        "location" => {
            let place = text("latitude").zip(text("longitude"));
            let place = place.map(|(latitude, longitude)| format!("geo:{latitude},{longitude}"));
            place.map(|place| in_words("location", text("name"), place)).into_iter().collect()
        }
        "post" => {
            let pictures = post::keys(content, "img", "image_key");
            let pictures = pictures.into_iter().filter_map(|key| file("image", None, Some(key), "image"));
            let films = post::keys(content, "media", "file_key");
            let films =
                films.into_iter().filter_map(|key| file("video", Some("video/mp4"), Some(key), "file"));
            pictures.chain(films).collect()
        }
        _ => Vec::new(),
    }
}

/// A stamp in milliseconds.
fn stamp(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|millis| *millis > 0).map(Timestamp::from_millis)
}

/// Whether an id is a person's, for one app.
pub(super) fn is_person(id: &str) -> bool {
    id.strip_prefix("ou_").is_some_and(is_word)
}

/// One or more of the characters that ids and keys are made of.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 256
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
