//! Calls: who said what where.

use dmgate::{
    AccountKey, Authenticity, Conversation, EventKind, InboundMessage, ReplyRoute, Sender, SenderId,
    Strength, Timestamp,
};

use crate::webhook::Form;

/// Stamps in milliseconds, from before Synology Chat until far from now.
const PLAUSIBLE: std::ops::Range<i64> = 1_356_998_400_000..10_000_000_000_000;

/// What a call says; the error is why it says nothing to us.
pub(super) fn parse(account: &AccountKey, form: &Form) -> Result<InboundMessage, &'static str> {
    let user = form.get("user_id").ok_or("nobody sent it")?;
    // A zero in front would be the same user, and another id.
    let id = user.parse().ok().filter(|id: &u64| *id > 0 && id.to_string() == user);
    let id = id.and_then(|_| SenderId::parse(account.channel(), user).ok()).ok_or("its sender is no user")?;
    let post = form.get("post_id").ok_or("it has no id")?;
    if !(1..=32).contains(&post.len()) || !post.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its id is none");
    }

    let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, form.get("username"));
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.conversation = conversation(form);
    if message.conversation == Conversation::Direct {
        message.route = ReplyRoute::new(user);
    }
    message.text = form.get("text").unwrap_or_default().to_owned();
    // A file, perhaps: the NAS says nothing of it.
    message.event = if message.text.is_empty() { EventKind::Other } else { EventKind::Message };
    let stamp = form.get("timestamp").and_then(|stamp| stamp.parse().ok());
    message.sent_at = stamp.filter(|stamp| PLAUSIBLE.contains(stamp)).map(Timestamp::from_millis);
    message.message_id = Some(post.to_owned());
    Ok(message)
}

/// Where it was said: a bot hears what is written to it, and a web hook what is posted in a channel.
fn conversation(form: &Form) -> Conversation {
    let is_said = |name| form.has(name, |value| !value.is_empty());
    if is_said("channel_name") || is_said("trigger_word") {
        return Conversation::Group;
    }
    // Left out for bots, as far as it is documented; another word or a number may be anything.
    if form.has("channel_type", |kind| !matches!(kind, "" | "anonymous" | "chatbot")) {
        return Conversation::Unknown;
    }
    Conversation::Direct
}
