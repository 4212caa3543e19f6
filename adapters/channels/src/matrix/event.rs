//! Events: who said what in which room.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::room::Members;
use super::route::{ID_BYTES, Route, is_user};

/// Stamps before Matrix and far from now are none: each sender's server writes its own.
const PLAUSIBLE: std::ops::Range<i64> = 1_400_000_000_000..10_000_000_000_000;

/// Where an event was found.
pub(super) struct Found<'a> {
    pub(super) account: &'a AccountKey,
    pub(super) own: &'a str,
    pub(super) room: &'a str,
    /// With whom the room is a direct chat by our account data, if it is one.
    pub(super) direct_user: Option<&'a str>,
    /// Who is in the room, where that was asked.
    pub(super) members: Option<&'a Members>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    sender: String,
    event_id: String,
    #[serde(default)]
    content: Value,
    origin_server_ts: Option<i64>,
    state_key: Option<Value>,
}

/// The id of an event.
pub(super) fn id(event: &Value) -> Option<&str> {
    text(event, "/event_id").filter(|id| !id.is_empty() && id.len() <= ID_BYTES)
}

/// Who sent an event.
pub(super) fn sender(event: &Value) -> Option<&str> {
    text(event, "/sender")
}

/// Whether an event says who is in the room.
pub(super) fn is_of_a_member(event: &Value) -> bool {
    text(event, "/type") == Some("m.room.member")
}

/// Whether an event invites a user.
pub(super) fn invites(event: &Value, user: &str) -> bool {
    is_of_a_member(event)
        && text(event, "/state_key") == Some(user)
        && text(event, "/content/membership") == Some("invite")
}

/// Whether nobody without the room's keys can read an event.
pub(super) fn is_encrypted(event: &Value) -> bool {
    text(event, "/type") == Some("m.room.encrypted")
}

impl Found<'_> {
    /// What an event says; the error is why it says nothing to us.
    pub(super) fn parse(&self, event: &Value) -> Result<InboundMessage, &'static str> {
        let event = Event::deserialize(event).map_err(|_| "it is malformed")?;
        if event.event_id.is_empty() || event.event_id.len() > ID_BYTES || !is_user(&event.sender) {
            return Err("it is malformed");
        }
        let id =
            SenderId::parse(self.account.channel(), &event.sender).map_err(|_| "its sender is no user")?;
        let name = self.members.and_then(|members| members.name(&event.sender));
        let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, name);
        let mut message = InboundMessage::new(self.account.clone(), sender);
        message.authenticity = Authenticity::Verified;
        message.conversation = self.conversation(&event.sender);
        message.event = event.event();
        message.origin = match text(&event.content, "/msgtype") {
            _ if event.sender == self.own => Origin::Own,
            // So bots mark what they say, lest another bot answers it.
            Some("m.notice" | "m.server_notice") => Origin::Bot,
            _ => Origin::Person,
        };
        if message.conversation == Conversation::Direct {
            let route = Route::new(self.room, &event.sender);
            message.route = route.map(|route| route.to_reply()).unwrap_or_default();
        }
        message.sent_at =
            event.origin_server_ts.filter(|at| PLAUSIBLE.contains(at)).map(Timestamp::from_millis);
        message.attachments = event.attachment().into_iter().collect();
        message.text = event.said();
        message.message_id = Some(event.event_id);
        Ok(message)
    }

    fn conversation(&self, sender: &str) -> Conversation {
        match self.members {
            Some(members) if members.are_many() => Conversation::Group,
            Some(members)
                if self.direct_user == Some(sender)
                    && !members.is_encrypted
                    && members.is_between(self.own, sender) =>
            {
                Conversation::Direct
            }
            _ => Conversation::Unknown,
        }
    }
}

impl Event {
    fn event(&self) -> EventKind {
        match self.kind.as_str() {
            "m.room.member" => EventKind::Membership,
            // Whatever its name is, it is not said but set.
            _ if self.state_key.is_some() => EventKind::Other,
            "m.reaction" => EventKind::Reaction,
            "m.room.redaction" => EventKind::Edit,
            "m.room.message" | "m.sticker" if self.relation() == Some("m.replace") => EventKind::Edit,
            "m.sticker" => EventKind::Message,
            "m.room.message" => match text(&self.content, "/msgtype") {
                Some("m.text" | "m.emote" | "m.notice" | "m.server_notice") => EventKind::Message,
                Some(_) if self.attachment().is_some() => EventKind::Message,
                // Redacted, of a kind that we don't know, or to verify a device.
                _ => EventKind::Other,
            },
            _ => EventKind::Other,
        }
    }

    fn relation(&self) -> Option<&str> {
        text(&self.content, "/m.relates_to/rel_type")
    }

    /// What came with it: in a room that is not encrypted each file is a message of its own.
    fn attachment(&self) -> Option<Attachment> {
        let kind = match (self.kind.as_str(), text(&self.content, "/msgtype")) {
            ("m.sticker", _) => "sticker",
            ("m.room.message", Some("m.image")) => "image",
            ("m.room.message", Some("m.audio")) => "audio",
            ("m.room.message", Some("m.video")) => "video",
            ("m.room.message", Some("m.file")) => "file",
            ("m.room.message", Some("m.location")) => "location",
            _ => return None,
        };
        let reference = if kind == "location" { "/geo_uri" } else { "/url" };
        let reference = text(&self.content, reference).filter(|reference| !reference.is_empty())?;
        let name = text(&self.content, "/filename").or_else(|| text(&self.content, "/body"));
        Some(Attachment {
            kind: kind.to_owned(),
            media_type: text(&self.content, "/info/mimetype").map(str::to_owned),
            name: name.filter(|_| kind != "location").map(str::to_owned),
            size: self.content.pointer("/info/size").and_then(Value::as_u64),
            reference: reference.to_owned(),
        })
    }

    fn said(&self) -> String {
        let body = text(&self.content, "/m.new_content/body").or_else(|| text(&self.content, "/body"));
        let body = body.unwrap_or_default();
        if self.attachment().is_some() {
            // Beside a file's name the body is what is said of it; without one it is the name.
            let caption = text(&self.content, "/filename").filter(|name| *name != body);
            return caption.map_or_else(String::new, |_| body.to_owned());
        }
        match self.content.pointer("/m.relates_to/m.in_reply_to") {
            Some(_) => without_quote(body).to_owned(),
            None => body.to_owned(),
        }
    }
}

/// An answer without what it answers to, which older clients put before it: another person's words.
fn without_quote(body: &str) -> &str {
    let mut rest = body;
    while rest.starts_with('>') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    if rest.is_empty() || rest.len() == body.len() { body } else { rest.trim_start_matches('\n') }
}

/// A text in JSON; a `/` in a name does not occur.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}
