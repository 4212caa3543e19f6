//! Events of the gateway: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::route::{Route, snowflake};

/// When Discord began to count, in milliseconds: the upper bits of each id are its time.
const EPOCH: i64 = 1_420_070_400_000;

/// The type of a private channel between two.
const PRIVATE: u64 = 1;

/// A conversation between a person and a bot, as interactions say it.
const BOT_DM: u64 = 1;

/// An event that somebody is behind.
pub(super) struct Event {
    pub(super) message: InboundMessage,
    channel: u64,
    /// The id by which a repetition is known; edits and reactions have none of their own.
    pub(super) id: Option<u64>,
}

/// What is in an event, of whatever kind.
#[derive(Deserialize)]
struct Body {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<u64>,
    channel_id: Option<String>,
    /// Of what happens in a server.
    guild_id: Option<IgnoredAny>,
    member: Option<Member>,
    author: Option<User>,
    /// Who used a button or a command in private.
    user: Option<User>,
    /// Who reacted or types.
    user_id: Option<String>,
    webhook_id: Option<IgnoredAny>,
    channel_type: Option<u64>,
    /// Where a button or a command was used.
    channel: Option<Channel>,
    /// Between whom a button or a command was used.
    context: Option<u64>,
    data: Option<Used>,
    #[serde(flatten)]
    said: Said,
    /// What was forwarded.
    message_snapshots: Option<Vec<Snapshot>>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    attachments: Option<Vec<File>>,
    sticker_items: Option<Vec<Sticker>>,
}

#[derive(Deserialize)]
struct Snapshot {
    message: Said,
}

#[derive(Deserialize)]
struct Member {
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    bot: Option<bool>,
    system: Option<bool>,
    username: Option<String>,
    global_name: Option<String>,
}

#[derive(Deserialize)]
struct Channel {
    #[serde(rename = "type")]
    kind: Option<u64>,
}

/// A command with what was given to it, or a button.
#[derive(Deserialize)]
struct Used {
    name: Option<String>,
    custom_id: Option<String>,
    options: Option<Vec<Given>>,
}

#[derive(Deserialize)]
struct Given {
    value: Option<Value>,
}

#[derive(Deserialize)]
struct File {
    filename: Option<String>,
    content_type: Option<String>,
    size: Option<u64>,
    url: String,
}

#[derive(Deserialize)]
struct Sticker {
    id: String,
    name: Option<String>,
    format_type: Option<u64>,
}

impl Event {
    /// What an event of this name says; the error is why it says nothing to us.
    pub(super) fn parse(
        account: &AccountKey,
        own_id: u64,
        name: &str,
        data: &Value,
    ) -> Result<Self, &'static str> {
        let mut body = Body::deserialize(data).map_err(|_| "it is malformed")?;
        let user = body.author.take().or(body.user.take());
        let user = user.or_else(|| body.member.as_mut().and_then(|member| member.user.take()));
        let user = user.or_else(|| body.user_id.take().map(User::of)).ok_or("nobody sent it")?;
        let channel = body.channel_id.as_deref().and_then(snowflake).ok_or("it is in no channel")?;
        let sender = SenderId::parse(account.channel(), &user.id).map_err(|_| "its sender is no user")?;
        let event = kind(name, body.kind);
        let id = body.id.as_deref().and_then(snowflake);
        if event.acts() && id.is_none() {
            return Err("it has no id");
        }

        let name = user.global_name.as_deref().or(user.username.as_deref());
        let sender = Sender::with_parts(sender, Vec::new(), Strength::Authenticated, name);
        let mut message = InboundMessage::new(account.clone(), sender);
        message.authenticity = Authenticity::Verified;
        message.event = event;
        message.origin = match user {
            _ if snowflake(&user.id) == Some(own_id) => Origin::Own,
            User { bot: Some(true), .. } | User { system: Some(true), .. } => Origin::Bot,
            _ if body.webhook_id.is_some() => Origin::Bot,
            _ => Origin::Person,
        };
        message.sent_at = id.map(stamp);
        message.message_id = body.id.clone();
        message.attachments = body.said.describe();
        message.text = body.said.content.take().filter(|text| !text.is_empty()).unwrap_or_default();
        for forwarded in body.message_snapshots.take().unwrap_or_default() {
            message.attachments.extend(forwarded.message.describe());
            if let Some(text) = forwarded.message.content.filter(|_| message.text.is_empty()) {
                message.text = text;
            }
        }
        if let Some(used) = body.data.take() {
            message.text = used.text();
        }
        let mut event = Self { message, channel, id: id.filter(|_| event.acts()) };
        event.place(body.conversation());
        Ok(event)
    }

    /// The channel whose type decides what this is, where the event does not say it.
    pub(super) fn asks_for(&self) -> Option<u64> {
        let Self { message, channel, .. } = self;
        let is_open = message.conversation == Conversation::Unknown;
        let may_matter = matches!(message.event, EventKind::Message) && message.origin == Origin::Person;
        (is_open && may_matter).then_some(*channel)
    }

    /// Discord says of what type its channel is.
    pub(super) fn is_in(&mut self, channel_type: Option<u64>) {
        self.place(channel_type.map_or(Conversation::Unknown, conversation));
    }

    fn place(&mut self, conversation: Conversation) {
        // INVARIANT I16: only what is proven to be between two is, and has a way back.
        self.message.conversation = conversation;
        if conversation == Conversation::Direct {
            self.message.route = Route::Channel(self.channel).to_reply();
        }
    }
}

/// What kind of event it is. Of messages, texts and replies are a person's; the others Discord writes itself: somebody
/// joined, called, pinned.
fn kind(name: &str, message_type: Option<u64>) -> EventKind {
    match (name, message_type) {
        ("MESSAGE_CREATE", Some(0 | 19)) => EventKind::Message,
        ("MESSAGE_CREATE", Some(1 | 2 | 7)) => EventKind::Membership,
        ("MESSAGE_UPDATE", _) => EventKind::Edit,
        (
            "MESSAGE_REACTION_ADD"
            | "MESSAGE_REACTION_REMOVE"
            | "MESSAGE_POLL_VOTE_ADD"
            | "MESSAGE_POLL_VOTE_REMOVE",
            _,
        ) => EventKind::Reaction,
        ("TYPING_START", _) => EventKind::Receipt,
        ("INTERACTION_CREATE", Some(2)) => EventKind::Command,
        ("INTERACTION_CREATE", Some(3)) => EventKind::Button,
        ("INTERACTION_CREATE", Some(5)) => EventKind::Callback,
        _ => EventKind::Other,
    }
}

/// Group direct messages are of type 3, and are groups.
fn conversation(channel_type: u64) -> Conversation {
    match channel_type {
        PRIVATE => Conversation::Direct,
        0 | 2..=5 | 10..=16 => Conversation::Group,
        _ => Conversation::Unknown,
    }
}

fn stamp(id: u64) -> Timestamp {
    // 42 bits.
    Timestamp::from_millis(i64::try_from(id >> 22).unwrap_or_default().saturating_add(EPOCH))
}

impl Body {
    fn conversation(&self) -> Conversation {
        if self.guild_id.is_some() || self.member.is_some() {
            return Conversation::Group;
        }
        match &self.channel {
            // A button or a command: the channel of two other people is of the same type as ours.
            Some(Channel { kind: Some(kind) }) if self.context == Some(BOT_DM) => conversation(*kind),
            Some(_) => Conversation::Unknown,
            None => self.channel_type.map_or(Conversation::Unknown, conversation),
        }
    }
}

impl User {
    /// Somebody of whom nothing but the id is said.
    fn of(id: String) -> Self {
        Self { id, bot: None, system: None, username: None, global_name: None }
    }
}

impl Used {
    /// A command as it could be typed; what is behind a button.
    fn text(self) -> String {
        let name = self.name.map(|name| format!("/{name}"));
        let given = self.options.into_iter().flatten().filter_map(|given| match given.value? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        });
        name.or(self.custom_id).into_iter().chain(given).collect::<Vec<_>>().join(" ")
    }
}

impl Said {
    /// What came with a message, described.
    fn describe(&self) -> Vec<Attachment> {
        let files = self.attachments.iter().flatten().map(|file| {
            let media_type = file.content_type.as_deref().unwrap_or_default();
            let kind = ["image", "audio", "video"].into_iter().find(|kind| media_type.starts_with(kind));
            Attachment {
                kind: kind.unwrap_or("file").to_owned(),
                media_type: file.content_type.clone(),
                name: file.filename.clone(),
                size: file.size,
                reference: file.url.clone(),
            }
        });
        let stickers = self.sticker_items.iter().flatten().map(|sticker| {
            let id = &sticker.id;
            let (media_type, reference) = match sticker.format_type {
                Some(1 | 2) => (Some("image/png"), format!("https://cdn.discordapp.com/stickers/{id}.png")),
                Some(4) => (Some("image/gif"), format!("https://media.discordapp.net/stickers/{id}.gif")),
                _ => (None, format!("sticker:{id}")),
            };
            Attachment {
                kind: "sticker".to_owned(),
                media_type: media_type.map(str::to_owned),
                name: sticker.name.clone(),
                size: None,
                reference,
            }
        });
        files.chain(stickers).collect()
    }
}
