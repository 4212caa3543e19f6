//! Events: who said what where, in the words of Activity Streams.
//!
//! Which conversation is one-to-one they do not say; `rooms.rs` asks.

use dmgate::{
    AccountKey, Attachment, Authenticity, EventKind, InboundMessage, Origin, Sender, SenderId, Strength,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// An event, and the conversation that it is from.
pub(super) struct Event {
    pub(super) message: InboundMessage,
    /// The token of the conversation, where the event has one.
    pub(super) room: Option<String>,
}

#[derive(Deserialize)]
struct Activity {
    #[serde(rename = "type")]
    kind: String,
    actor: Actor,
    object: Object,
    target: Option<Named>,
}

#[derive(Deserialize)]
struct Actor {
    /// The kind of attendee, a slash, and an id that is unique within that kind.
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    id: Option<Value>,
    /// `message` for what somebody wrote, else the name of a system message. Empty for files before Talk 23.
    name: Option<String>,
    /// JSON in a text.
    content: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

/// What was written: a text with places in it, and what stands in these places.
#[derive(Deserialize)]
struct Content {
    message: String,
    /// An empty one is a list, as PHP has it.
    #[serde(default)]
    parameters: Value,
}

/// What an event says; the error is why it says nothing to us. `own_uid` is the user whom people write to.
pub(super) fn parse(account: &AccountKey, own_uid: &str, event: &[u8]) -> Result<Event, &'static str> {
    let activity: Activity = serde_json::from_slice(event).map_err(|_| "it is no event")?;
    let Activity { kind, actor, object, target } = activity;
    let (sort, uid) = actor.id.split_once('/').ok_or("nobody sent it")?;
    // An id of another sort keeps its sort: it has a slash, which no uid has.
    let (id, strength) = match sort {
        "users" => (uid, Strength::Authenticated),
        _ => (actor.id.as_str(), Strength::Mutable),
    };
    let id = SenderId::parse(account.channel(), id).map_err(|_| "its sender is no user")?;
    let name = actor.name.as_deref();
    let mut message =
        InboundMessage::new(account.clone(), Sender::with_parts(id, Vec::new(), strength, name));
    message.authenticity = Authenticity::Verified;
    message.event = event_kind(&kind, &object);
    message.origin = match sort {
        // Only the bot that comes or goes is told of it.
        "bots" if matches!(kind.as_str(), "Join" | "Leave") => Origin::Own,
        "bots" | "bridged" => Origin::Bot,
        "users" if uid.eq_ignore_ascii_case(own_uid) => Origin::Own,
        _ => Origin::Person,
    };
    message.message_id = object.id.as_ref().and_then(id_text);
    if message.event.acts() {
        let content = object.content.as_deref().unwrap_or_default();
        let content: Content = serde_json::from_str(content).map_err(|_| "its content is malformed")?;
        let nothing = Map::new();
        let parameters = content.parameters.as_object().unwrap_or(&nothing);
        message.text = filled_in(&content.message, parameters);
        message.attachments = parameters.values().filter_map(attachment).collect();
    }
    Ok(Event { message, room: target.and_then(|target| target.id) })
}

/// What kind of event it is.
fn event_kind(kind: &str, object: &Object) -> EventKind {
    let name = object.name.as_deref().unwrap_or_default();
    match (kind, object.kind.as_str()) {
        ("Create", "Note") if matches!(name, "message" | "") => EventKind::Message,
        ("Like", _) => EventKind::Reaction,
        ("Undo", "Like") => EventKind::Reaction,
        ("Join" | "Leave", _) => EventKind::Membership,
        ("Activity", _) => match name {
            "message_edited" | "message_deleted" => EventKind::Edit,
            "reaction" | "reaction_deleted" | "reaction_revoked" => EventKind::Reaction,
            name if name.starts_with("user_") || name.starts_with("guest_") => EventKind::Membership,
            _ => EventKind::Other,
        },
        _ => EventKind::Other,
    }
}

fn id_text(id: &Value) -> Option<String> {
    let text = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|id| id.to_string()))?;
    (!text.is_empty() && text.len() <= 64).then_some(text)
}

/// A text with names in the place of `{…}`. A name is not looked at again.
fn filled_in(text: &str, parameters: &Map<String, Value>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known =
            after.split_once('}').and_then(|(key, after)| Some((key, name_of(parameters, key)?, after)));
        match known {
            Some((key, name, after)) => {
                if key.starts_with("mention-") {
                    filled.push('@');
                }
                filled.push_str(name);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

fn name_of<'a>(parameters: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    parameters.get(key)?.get("name")?.as_str()
}

/// What a parameter describes, if it is something that came with the message.
fn attachment(parameter: &Value) -> Option<Attachment> {
    let text = |key: &str| parameter.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let reference = parameter.get("id").and_then(id_text)?;
    let name = text("name").map(str::to_owned);
    match text("type")? {
        "file" => {
            let media_type = text("mimetype");
            let kind = media_type.and_then(|kind| kind.split_once('/')).map(|(head, _)| head);
            let kind = kind.filter(|kind| ["image", "audio", "video"].contains(kind)).unwrap_or("file");
            // It is a number in newer versions and a text in older ones.
            let size = parameter.get("size").and_then(id_text).and_then(|size| size.parse().ok());
            let media_type = media_type.map(str::to_owned);
            Some(Attachment { kind: kind.to_owned(), media_type, name, size, reference })
        }
        "geo-location" => {
            Some(Attachment { kind: "location".to_owned(), media_type: None, name, size: None, reference })
        }
        _ => None,
    }
}
