//! Whispers: who said what.

use dmgate::{
    AccountKey, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::api::WHISPERS;

#[derive(Deserialize)]
struct Whisper {
    from_user_id: Option<String>,
    from_user_login: Option<String>,
    from_user_name: Option<String>,
    to_user_id: Option<String>,
    whisper_id: Option<String>,
    whisper: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    text: Option<String>,
}

/// What a notification's payload says, which was sent then; the error is why it says nothing to us.
pub(super) fn parse(
    account: &AccountKey,
    own_id: &str,
    payload: &Value,
    stamp: Option<Timestamp>,
) -> Result<InboundMessage, &'static str> {
    let event = payload.get("event").ok_or("there is no event in it")?;
    let whisper = Whisper::deserialize(event).map_err(|_| "it is malformed")?;
    let from = whisper.from_user_id.ok_or("nobody sent it")?;
    let to = whisper.to_user_id.ok_or("it is to nobody")?;
    let id = SenderId::parse(account.channel(), &from).map_err(|_| "its sender is no user")?;
    let is_whisper = payload.pointer("/subscription/type").and_then(Value::as_str) == Some(WHISPERS);

    let name = whisper.from_user_name.filter(|name| !name.is_empty()).or(whisper.from_user_login);
    let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, name.as_deref());
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.event =
        if is_whisper && whisper.whisper.is_some() { EventKind::Message } else { EventKind::Other };
    // Twitch does not say who is a bot.
    message.origin = if from == own_id { Origin::Own } else { Origin::Person };
    // INVARIANT I16: between two is a whisper that is to us.
    if is_whisper && to == own_id {
        message.conversation = Conversation::Direct;
        message.route = ReplyRoute::new(from);
    }
    message.sent_at = stamp;
    message.message_id = whisper.whisper_id.filter(|id| !id.is_empty() && id.len() <= 256);
    message.text = whisper.whisper.and_then(|said| said.text).unwrap_or_default();
    Ok(message)
}

/// A user's id: digits. It becomes part of URLs.
pub(super) fn user_id(text: &str) -> Option<u64> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}
