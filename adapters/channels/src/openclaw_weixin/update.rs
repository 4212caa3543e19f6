//! Messages: who said what where.

use dmgate::{
    AccountKey, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::attachment::{self, Picture, Recording, Stored, Video};
use super::route::{Route, is_token};

/// How the ids of people end.
const PERSON: &str = "@im.wechat";

/// How many parts of a message are looked at.
const ITEMS: usize = 64;

/// The longest id of a message.
const ID_LIMIT: usize = 64;

#[derive(Deserialize)]
struct Message {
    message_id: Option<Value>,
    from_user_id: Option<String>,
    to_user_id: Option<String>,
    create_time_ms: Option<i64>,
    delete_time_ms: Option<i64>,
    group_id: Option<String>,
    message_type: Option<i64>,
    message_state: Option<i64>,
    item_list: Option<Vec<Item>>,
}

/// A part of a message: one of these.
#[derive(Deserialize)]
pub(super) struct Item {
    text_item: Option<Text>,
    pub(super) image_item: Option<Picture>,
    pub(super) voice_item: Option<Recording>,
    pub(super) file_item: Option<Stored>,
    pub(super) video_item: Option<Video>,
}

#[derive(Deserialize)]
struct Text {
    text: Option<String>,
}

/// The id of a message, or of the first of its parts that has one. Numbers are 64 bits long.
pub(super) fn id(message: &Value) -> Option<String> {
    let items = message.get("item_list").and_then(Value::as_array).into_iter().flatten();
    let ids = message.get("message_id").into_iter().chain(items.filter_map(|item| item.get("msg_id")));
    ids.filter_map(number).next()
}

fn number(id: &Value) -> Option<String> {
    match id {
        Value::Number(number) => {
            number.as_u64().filter(|number| *number > 0).map(|number| number.to_string())
        }
        Value::String(text) if is_word(text) && text != "0" && text.len() <= ID_LIMIT => Some(text.clone()),
        _ => None,
    }
}

/// What an answer to this message must carry.
pub(super) fn context_token(message: &Value) -> Option<&str> {
    message.get("context_token")?.as_str().filter(|token| is_token(token))
}

/// What a message says; the error is why it says nothing to us. `own_id` is the bot's, where we know it.
pub(super) fn parse(
    account: &AccountKey,
    own_id: Option<&str>,
    message: &Value,
) -> Result<InboundMessage, &'static str> {
    let body = Message::deserialize(message).map_err(|_| "it is malformed")?;
    let from = body.from_user_id.as_deref().filter(|from| !from.is_empty()).ok_or("nobody sent it")?;
    let sender = SenderId::parse(account.channel(), from).map_err(|_| "its sender is no user")?;

    let mut parsed = InboundMessage::new(account.clone(), Sender::new(sender));
    parsed.authenticity = Authenticity::Verified;
    parsed.origin = match body.message_type {
        _ if own_id == Some(from) => Origin::Own,
        Some(1) if is_person(from) => Origin::Person,
        _ => Origin::Bot,
    };
    parsed.conversation = conversation(&body, from, own_id);
    if parsed.conversation == Conversation::Direct {
        parsed.route = Route { person: from, token: context_token(message) }.to_reply();
    }
    let stamp = body.create_time_ms.filter(|stamp| *stamp > 0);
    parsed.sent_at = stamp.map(Timestamp::from_millis);
    parsed.message_id = body.message_id.as_ref().and_then(number).or_else(|| id(message));
    let items = || body.item_list.iter().flatten().take(ITEMS);
    parsed.attachments = items().filter_map(attachment::describe).collect();
    parsed.text = items().filter_map(words).collect::<Vec<_>>().join("\n");
    parsed.event = match body.message_state {
        // It is still being written, or was taken back.
        Some(1) => EventKind::Other,
        _ if body.delete_time_ms.is_some_and(|at| at > 0) => EventKind::Other,
        _ if parsed.text.starts_with('/') => EventKind::Command,
        _ if parsed.text.is_empty() && parsed.attachments.is_empty() => EventKind::Other,
        _ => EventKind::Message,
    };
    Ok(parsed)
}

/// Whether it is between a person and this bot.
fn conversation(body: &Message, from: &str, own_id: Option<&str>) -> Conversation {
    let to = body.to_user_id.as_deref().unwrap_or_default();
    let is_to_us = to.is_empty() || own_id.is_none_or(|own_id| own_id == to) && !is_person(to);
    match body.group_id.as_deref() {
        Some(group) if !group.is_empty() => Conversation::Group,
        _ if body.message_type == Some(1) && is_person(from) && is_to_us => Conversation::Direct,
        _ => Conversation::Unknown,
    }
}

/// What was typed, or what WeChat understood of what was spoken.
fn words(item: &Item) -> Option<&str> {
    let typed = item.text_item.as_ref().and_then(|item| item.text.as_deref());
    let spoken = item.voice_item.as_ref().and_then(|item| item.text.as_deref());
    typed.or(spoken).filter(|text| !text.is_empty())
}

/// Whether an id is a person's.
pub(super) fn is_person(id: &str) -> bool {
    id.strip_suffix(PERSON).is_some_and(is_word)
}

/// One or more of the characters that ids are made of.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
