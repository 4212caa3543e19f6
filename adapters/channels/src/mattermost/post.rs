//! Posts and other events: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::route::{Route, is_id};

/// What says, in a post's `props`, that no person wrote it: a web hook, a bot, a plugin, a program.
const PROGRAMS: [&str; 5] =
    ["from_webhook", "from_bot", "from_plugin", "from_oauth_app", "override_username"];

/// What we read with.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) account: &'a AccountKey,
    pub(super) own_id: &'a str,
}

/// Where a post was posted.
#[derive(Clone, Copy)]
pub(super) struct Where<'a> {
    /// `D` for two, `G` for several, `O` and `P` for channels.
    pub(super) kind: &'a str,
    /// Of two: their ids, with two underscores between them.
    pub(super) name: &'a str,
}

/// A post, as the API gives it.
#[derive(Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    user_id: String,
    channel_id: String,
    /// In milliseconds.
    pub(super) create_at: i64,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    root_id: String,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    props: Option<Map<String, Value>>,
    #[serde(default)]
    file_ids: Option<Vec<String>>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    files: Option<Vec<File>>,
}

#[derive(Deserialize)]
struct File {
    id: String,
    name: Option<String>,
    mime_type: Option<String>,
    size: Option<u64>,
}

/// What the server sends over the socket, beside answers.
#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) event: String,
    /// Its number on this connection.
    pub(super) seq: i64,
    #[serde(default)]
    pub(super) data: Value,
}

/// What happened to a post.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Posted,
    Changed,
    Other,
}

impl Event {
    /// The post that it tells of as new, with where it was posted and the name of who wrote it.
    pub(super) fn posted(&self) -> Option<(Post, Where<'_>, Option<&str>)> {
        let post = self.data.get("post").filter(|_| self.event == "posted")?;
        let post = serde_json::from_str(post.as_str()?).ok()?;
        let text = |name: &str| self.data.get(name).and_then(Value::as_str);
        let place = Where {
            kind: text("channel_type").unwrap_or_default(),
            name: text("channel_name").unwrap_or_default(),
        };
        Some((post, place, text("sender_name").map(|name| name.trim_start_matches('@'))))
    }
}

impl Reading<'_> {
    /// What a new post says.
    pub(super) fn post(
        self,
        post: Post,
        place: Where<'_>,
        name: Option<&str>,
    ) -> Result<InboundMessage, &'static str> {
        let fate = if post.delete_at == 0 { Fate::Posted } else { Fate::Other };
        let mut message = self.tell(&post, fate, name)?;
        message.conversation = self.conversation(&post, place);
        if message.conversation == Conversation::Direct {
            let root = Some(post.root_id).filter(|root| is_id(root));
            message.route = Route::Channel { id: post.channel_id, root }.to_reply();
        }
        Ok(message)
    }

    /// What any other event says, if somebody did it.
    pub(super) fn event(self, event: &Event) -> Result<InboundMessage, &'static str> {
        let inside = |name: &str| {
            let text = event.data.get(name).and_then(Value::as_str);
            text.and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        match event.event.as_str() {
            "post_edited" | "post_deleted" | "ephemeral_message" => {
                let post = inside("post").and_then(|post| serde_json::from_value(post).ok());
                let post: Post = post.ok_or("its post can't be read")?;
                let fate = if event.event == "post_edited" { Fate::Changed } else { Fate::Other };
                self.tell(&post, fate, None)
            }
            "reaction_added" | "reaction_removed" => {
                self.done(inside("reaction").as_ref().unwrap_or(&Value::Null), EventKind::Reaction)
            }
            "typing" => self.done(&event.data, EventKind::Receipt),
            "user_added" | "user_removed" | "direct_added" | "group_added" => {
                self.done(&event.data, EventKind::Membership)
            }
            // Whether somebody is there is nothing that they sent.
            "status_change" => Err("it is about nobody's doing"),
            _ => self.done(&event.data, EventKind::Other),
        }
    }

    fn tell(self, post: &Post, fate: Fate, name: Option<&str>) -> Result<InboundMessage, &'static str> {
        if !is_id(&post.id) || !is_id(&post.channel_id) {
            return Err("its ids are none");
        }
        let mut message = self.by(&post.user_id, name)?;
        message.event = match fate {
            Fate::Posted => event(&post.kind),
            Fate::Changed => EventKind::Edit,
            Fate::Other => EventKind::Other,
        };
        if message.origin == Origin::Person && post.is_of_program() {
            message.origin = Origin::Bot;
        }
        message.sent_at = (post.create_at > 0).then(|| Timestamp::from_millis(post.create_at));
        message.message_id = Some(post.id.clone());
        message.text.clone_from(&post.message);
        message.attachments = post.describe();
        Ok(message)
    }

    /// What somebody did, of whom only the id is told.
    fn done(self, data: &Value, event: EventKind) -> Result<InboundMessage, &'static str> {
        let user = data.get("user_id").and_then(Value::as_str).ok_or("nobody did it")?;
        let mut message = self.by(user, None)?;
        message.event = event;
        Ok(message)
    }

    fn by(self, user: &str, name: Option<&str>) -> Result<InboundMessage, &'static str> {
        let id = SenderId::parse(self.account.channel(), user).ok().filter(|_| is_id(user));
        let sender =
            Sender::with_parts(id.ok_or("its sender is no user")?, Vec::new(), Strength::Authenticated, name);
        let mut message = InboundMessage::new(self.account.clone(), sender);
        message.authenticity = Authenticity::Verified;
        message.origin = if user == self.own_id { Origin::Own } else { Origin::Person };
        Ok(message)
    }

    // INVARIANT I16: a channel of two is ours if its name has our id and that of who wrote.
    fn conversation(self, post: &Post, place: Where<'_>) -> Conversation {
        let is_ours = place.name.split_once("__").is_some_and(|(one, other)| {
            let is_between =
                |own: &str, user: &str| own == self.own_id && (user == post.user_id || post.user_id == own);
            is_between(one, other) || is_between(other, one)
        });
        match place.kind {
            "D" if is_ours => Conversation::Direct,
            "G" | "O" | "P" => Conversation::Group,
            _ => Conversation::Unknown,
        }
    }
}

/// What kind of post it is. One that has a type is the server's or a plugin's own.
fn event(kind: &str) -> EventKind {
    match kind {
        "" | "me" | "slack_attachment" => EventKind::Message,
        "system_join_channel"
        | "system_leave_channel"
        | "system_add_to_channel"
        | "system_remove_from_channel" => EventKind::Membership,
        _ => EventKind::Other,
    }
}

impl Post {
    fn is_of_program(&self) -> bool {
        let is_said = |name: &&str| match self.props.as_ref().and_then(|props| props.get(*name)) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !matches!(text.as_str(), "" | "false"),
            Some(_) => true,
        };
        PROGRAMS.iter().any(is_said)
    }

    fn describe(&self) -> Vec<Attachment> {
        let files = self.metadata.iter().flat_map(|metadata| metadata.files.iter().flatten());
        let described: Vec<Attachment> = files.map(File::describe).collect();
        if !described.is_empty() {
            return described;
        }
        let ids = self.file_ids.iter().flatten().filter(|id| is_id(id));
        ids.map(|id| File { id: id.clone(), name: None, mime_type: None, size: None }.describe()).collect()
    }
}

impl File {
    fn describe(&self) -> Attachment {
        let family = self.mime_type.as_deref().and_then(|kind| kind.split('/').next());
        let kind = family.filter(|family| matches!(*family, "image" | "audio" | "video")).unwrap_or("file");
        Attachment {
            kind: kind.to_owned(),
            media_type: self.mime_type.clone().filter(|kind| !kind.is_empty()),
            name: self.name.clone(),
            size: self.size,
            reference: self.id.clone(),
        }
    }
}
