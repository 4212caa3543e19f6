//! Updates: who said what where. Zalo's documents and libraries disagree about names of fields; all are read.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::is_id;

/// Stamps in milliseconds, from before Zalo's bots until far from now.
const PLAUSIBLE: std::ops::Range<i64> = 1_356_998_400_000..10_000_000_000_000;

#[derive(Deserialize)]
struct Update {
    event_name: Option<String>,
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    message_id: String,
    from: Option<User>,
    chat: Option<Chat>,
    date: Option<i64>,
    text: Option<String>,
    caption: Option<String>,
    #[serde(alias = "photo_url")]
    photo: Option<String>,
    sticker: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    is_bot: Option<bool>,
    display_name: Option<String>,
    name: Option<String>,
    first_name: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: String,
    chat_type: Option<String>,
}

/// What an update says; the error is why it says nothing to us.
pub(super) fn parse(
    account: &AccountKey,
    own_id: &str,
    update: &Value,
) -> Result<InboundMessage, &'static str> {
    let Update { event_name, message: said } = Update::deserialize(update).map_err(|_| "it is malformed")?;
    let from = said.from.as_ref().ok_or("nobody sent it")?;
    let id = SenderId::parse(account.channel(), &from.id).ok().filter(|_| is_id(&from.id));
    let id = id.ok_or("its sender is no user")?;
    if !is_id(&said.message_id) {
        return Err("it has no id");
    }

    let name = [&from.display_name, &from.name, &from.first_name].into_iter().flatten().next();
    let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, name.map(String::as_str));
    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.conversation = said.chat.as_ref().map_or(Conversation::Unknown, Chat::conversation);
    if let (Conversation::Direct, Some(chat)) = (message.conversation, &said.chat) {
        message.route = ReplyRoute::new(chat.id.as_str());
    }
    message.event = said.event(event_name.as_deref());
    message.origin = match from.is_bot {
        _ if from.id == own_id => Origin::Own,
        Some(true) => Origin::Bot,
        // It is left out of some of Zalo's own examples of what people write.
        Some(false) | None => Origin::Person,
    };
    message.sent_at = said.date.filter(|date| PLAUSIBLE.contains(date)).map(Timestamp::from_millis);
    message.attachments = said.attachments();
    message.text = said.text.or(said.caption).unwrap_or_default();
    message.message_id = Some(said.message_id);
    Ok(message)
}

impl Chat {
    fn conversation(&self) -> Conversation {
        match self.chat_type.as_deref() {
            Some("PRIVATE") if is_id(&self.id) => Conversation::Direct,
            Some("GROUP") => Conversation::Group,
            _ => Conversation::Unknown,
        }
    }
}

impl Message {
    /// What kind of event it is. A message without anything that we can read (a voice, a place) makes nobody act.
    fn event(&self, name: Option<&str>) -> EventKind {
        let is_received = name.is_none_or(|name| name.starts_with("message.") && name.ends_with(".received"));
        match &self.text {
            _ if !is_received => EventKind::Other,
            Some(text) if text.starts_with('/') => EventKind::Command,
            Some(_) => EventKind::Message,
            None if self.photo.is_some() || self.sticker.is_some() => EventKind::Message,
            None => EventKind::Other,
        }
    }

    /// What came with it, described.
    fn attachments(&self) -> Vec<Attachment> {
        let photo = self.photo.as_ref().map(|url| ("image", url.clone()));
        let sticker = self.sticker.as_ref().map(|id| ("sticker", format!("sticker:{id}")));
        let described = photo.into_iter().chain(sticker).map(|(kind, reference)| Attachment {
            kind: kind.to_owned(),
            media_type: None,
            name: None,
            size: None,
            reference,
        });
        described.collect()
    }
}
