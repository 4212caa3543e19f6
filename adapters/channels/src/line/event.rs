//! Events: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, ReplyRoute, Sender,
    SenderId, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::route;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    mode: Option<String>,
    /// In milliseconds.
    timestamp: Option<i64>,
    source: Option<Source>,
    message: Option<Message>,
    postback: Option<Postback>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "userId")]
    user: Option<String>,
}

#[derive(Deserialize)]
struct Postback {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    text: Option<String>,
    content_provider: Option<Provider>,
    file_name: Option<String>,
    file_size: Option<u64>,
    title: Option<String>,
    address: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    package_id: Option<String>,
    sticker_id: Option<String>,
}

/// Who has a file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    #[serde(rename = "type")]
    kind: String,
    original_content_url: Option<String>,
}

/// The id of an event, which is the same when it comes again.
pub(super) fn id(event: &Value) -> Option<&str> {
    event.get("webhookEventId")?.as_str().filter(|id| !id.is_empty() && id.len() <= 64)
}

/// What an event says; the error is why it says nothing to us.
pub(super) fn parse(account: &AccountKey, event: &Value) -> Result<InboundMessage, &'static str> {
    let number = id(event).ok_or("it has no id")?;
    let event = Event::deserialize(event).map_err(|_| "it is malformed")?;
    let source = event.source.as_ref().ok_or("it is of no conversation")?;
    let user = source.user.as_deref().ok_or("nobody sent it")?;
    let id = SenderId::parse(account.channel(), user).ok().filter(|_| route::is_user(user));
    let id = id.ok_or("its sender is no user")?;

    let mut message = InboundMessage::new(account.clone(), Sender::new(id));
    message.authenticity = Authenticity::Verified;
    message.conversation = match source.kind.as_str() {
        "user" => Conversation::Direct,
        "group" | "room" => Conversation::Group,
        _ => Conversation::Unknown,
    };
    if message.conversation == Conversation::Direct {
        message.route = ReplyRoute::new(user);
    }
    message.event = kind(&event);
    message.sent_at = event.timestamp.filter(|stamp| *stamp > 0).map(Timestamp::from_millis);
    message.message_id = Some(event.message.as_ref().map_or(number, |message| &message.id).to_owned());
    message.attachments = event.message.iter().filter_map(Message::describe).collect();
    let text = event.message.and_then(|message| message.text);
    message.text = text.or(event.postback.map(|postback| postback.data)).unwrap_or_default();
    Ok(message)
}

/// What kind of event it is.
fn kind(event: &Event) -> EventKind {
    // On standby another channel, or a person, has the chat in hand.
    if event.mode.as_deref() != Some("active") {
        return EventKind::Other;
    }
    match event.kind.as_str() {
        // A kind of message that is not known yet holds nothing that could be answered.
        "message" if event.message.as_ref().is_some_and(Message::says_something) => EventKind::Message,
        "postback" if event.postback.is_some() => EventKind::Button,
        "unsend" => EventKind::Edit,
        "videoPlayComplete" => EventKind::Receipt,
        "follow" | "unfollow" | "join" | "leave" | "memberJoined" | "memberLeft" => EventKind::Membership,
        _ => EventKind::Other,
    }
}

impl Message {
    fn says_something(&self) -> bool {
        self.text.is_some() || self.describe().is_some()
    }

    /// What came with it, described.
    fn describe(&self) -> Option<Attachment> {
        let reference = match self.kind.as_str() {
            "image" | "video" | "audio" => match &self.content_provider {
                // Somebody else has it, and we go only to LINE's own servers.
                Some(Provider { kind, original_content_url }) if kind == "external" => {
                    original_content_url.clone()?
                }
                _ => self.id.clone(),
            },
            "file" => self.id.clone(),
            "sticker" => format!("sticker:{}/{}", self.package_id.as_ref()?, self.sticker_id.as_ref()?),
            "location" => format!("geo:{},{}", self.latitude?, self.longitude?),
            _ => return None,
        };
        let media_type = match self.kind.as_str() {
            "image" => Some("image/jpeg"),
            "video" => Some("video/mp4"),
            "audio" => Some("audio/x-m4a"),
            _ => None,
        };
        let name = self.file_name.as_ref().or(self.title.as_ref()).or(self.address.as_ref());
        Some(Attachment {
            kind: self.kind.clone(),
            media_type: media_type.map(str::to_owned),
            name: name.cloned(),
            size: self.file_size,
            reference,
        })
    }
}
