//! Events of both kinds of apps: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, ReplyRoute,
    Sender, SenderId, Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

/// The longest name of a message or a space.
const NAME_LIMIT: usize = 256;

/// An event that was read, and what makes it this one.
pub(super) struct Event {
    pub(super) key: String,
    pub(super) message: InboundMessage,
}

/// An event of an app of the older kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Classic {
    #[serde(rename = "type")]
    kind: String,
    event_time: Option<String>,
    user: Option<User>,
    action: Option<Action>,
    #[serde(flatten)]
    payload: Payload,
}

/// An event of an add-on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddOn {
    chat: Chat,
    common_event_object: Option<Common>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    user: Option<User>,
    event_time: Option<String>,
    message_payload: Option<Payload>,
    added_to_space_payload: Option<Payload>,
    removed_from_space_payload: Option<Payload>,
    button_clicked_payload: Option<Payload>,
    app_command_payload: Option<Payload>,
}

#[derive(Default, Deserialize)]
struct Payload {
    space: Option<Value>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    #[serde(rename = "displayName")]
    display_name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    name: Option<String>,
    sender: Option<User>,
    create_time: Option<String>,
    text: Option<String>,
    space: Option<Place>,
    slash_command: Option<serde::de::IgnoredAny>,
    attachment: Option<Vec<File>>,
}

#[derive(Deserialize)]
struct Place {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    content_name: Option<String>,
    content_type: Option<String>,
    attachment_data_ref: Option<Data>,
    drive_data_ref: Option<Drive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    resource_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Drive {
    drive_file_id: String,
}

/// What is behind a button, in the older kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    action_method_name: Option<String>,
}

/// The same, of an add-on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Common {
    invoked_function: Option<String>,
}

/// What both kinds have in common.
struct Happened {
    kind: Kind,
    user: Option<User>,
    time: Option<String>,
    button: Option<String>,
    payload: Payload,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Message,
    Added,
    Removed,
    Clicked,
    Command,
    Other,
}

/// What an event says; the error is why it says nothing to us.
pub(super) fn parse(account: &AccountKey, event: &Value) -> Result<Event, &'static str> {
    let Happened { kind, user, time, button, payload } = read(event)?;
    let Payload { space, message } = payload;
    let user = sender_of(kind, user, message.as_ref())?;
    let id = SenderId::parse(account.channel(), &user.name).map_err(|_| "its sender is no user")?;
    let files = message.as_ref().map(Message::files).unwrap_or_default();
    let what = event_kind(kind, message.as_ref(), !files.is_empty());
    let name = message.as_ref().and_then(|message| message.name.clone());
    if name.as_ref().is_some_and(|name| name.is_empty() || name.len() > NAME_LIMIT) {
        return Err("its message has no name");
    }

    let sender = Sender::with_parts(id, Vec::new(), Strength::Authenticated, user.display_name.as_deref());
    let mut told = InboundMessage::new(account.clone(), sender);
    told.authenticity = Authenticity::Verified;
    told.event = what;
    told.origin = match user.kind.as_deref() {
        Some("HUMAN") => Origin::Person,
        // Who is not said to be one is not known to be a person.
        _ => Origin::Bot,
    };
    let space_name = space.as_ref().and_then(|space| space.get("name")?.as_str()).unwrap_or_default();
    let elsewhere = message.as_ref().and_then(|message| message.space.as_ref());
    let is_elsewhere = elsewhere.is_some_and(|place| place.name != space_name);
    told.conversation = match &space {
        Some(space) if is_space(space_name) && !is_elsewhere => conversation(space),
        _ => Conversation::Unknown,
    };
    if told.conversation == Conversation::Direct {
        told.route = ReplyRoute::new(space_name);
    }
    let stamp = |time: &Option<String>| time.as_deref().and_then(Timestamp::parse);
    // A button is on a message that is older.
    let sent_at =
        message.as_ref().filter(|_| kind != Kind::Clicked).and_then(|sent| stamp(&sent.create_time));
    told.sent_at = sent_at.or_else(|| stamp(&time));
    let time = time.unwrap_or_default();
    let key = match (&name, what) {
        // The message that an app was added with may come as a message, too.
        (Some(name), EventKind::Message) => name.clone(),
        _ => format!("{} {time} {} {}", kind as u8, user.name, name.as_deref().unwrap_or_default()),
    };
    told.attachments = files;
    told.text = match kind {
        Kind::Clicked => button.unwrap_or_default(),
        _ => message.and_then(|message| message.text).unwrap_or_default(),
    };
    told.message_id = name;
    Ok(Event { key, message: told })
}

/// Reads an event of either kind.
fn read(event: &Value) -> Result<Happened, &'static str> {
    let malformed = |_| "it is malformed";
    if event.get("chat").is_none() {
        let Classic { kind, event_time, user, action, payload } =
            Classic::deserialize(event).map_err(malformed)?;
        let kind = match kind.as_str() {
            "MESSAGE" => Kind::Message,
            "ADDED_TO_SPACE" => Kind::Added,
            "REMOVED_FROM_SPACE" => Kind::Removed,
            "CARD_CLICKED" => Kind::Clicked,
            "APP_COMMAND" => Kind::Command,
            _ => Kind::Other,
        };
        let button = action.and_then(|action| action.action_method_name);
        return Ok(Happened { kind, user, time: event_time, button, payload });
    }
    let AddOn { chat, common_event_object } = AddOn::deserialize(event).map_err(malformed)?;
    let payloads = [
        (Kind::Message, chat.message_payload),
        (Kind::Added, chat.added_to_space_payload),
        (Kind::Removed, chat.removed_from_space_payload),
        (Kind::Clicked, chat.button_clicked_payload),
        (Kind::Command, chat.app_command_payload),
    ];
    let mut given = payloads.into_iter().filter_map(|(kind, payload)| Some((kind, payload?)));
    let (kind, payload) = match (given.next(), given.next()) {
        (Some(one), None) => one,
        (None, _) => (Kind::Other, Payload::default()),
        (Some(_), Some(_)) => return Err("it is two events"),
    };
    let button = common_event_object.and_then(|common| common.invoked_function);
    Ok(Happened { kind, user: chat.user, time: chat.event_time, button, payload })
}

/// Who did it. A message says so twice: both must say the same.
fn sender_of(kind: Kind, user: Option<User>, message: Option<&Message>) -> Result<User, &'static str> {
    let user = user.ok_or("nobody sent it")?;
    let sender = message.and_then(|message| message.sender.as_ref()).filter(|_| kind == Kind::Message);
    match sender {
        Some(sender) if sender.name != user.name || sender.kind != user.kind => Err("it has two senders"),
        _ => Ok(user),
    }
}

fn event_kind(kind: Kind, message: Option<&Message>, has_files: bool) -> EventKind {
    let has_text =
        message.and_then(|message| message.text.as_ref()).is_some_and(|text| !text.trim().is_empty());
    match kind {
        Kind::Message if message.is_some_and(|message| message.slash_command.is_some()) => EventKind::Command,
        // With the first message of a conversation the app is added to it.
        Kind::Message | Kind::Added if has_text || has_files => EventKind::Message,
        Kind::Added | Kind::Removed => EventKind::Membership,
        Kind::Clicked => EventKind::Button,
        Kind::Command => EventKind::Command,
        Kind::Message | Kind::Other => EventKind::Other,
    }
}

/// Whether a space is one-to-one: it is a direct message by each field that says so, and between one user and an app.
// INVARIANT I16: a direct message of two people in which an app takes part is none with us.
pub(super) fn is_direct(space: &Value) -> bool {
    let says = |name: &str, value: &str| space.get(name).map(|said| said.as_str() == Some(value));
    let (new, old) = (says("spaceType", "DIRECT_MESSAGE"), says("type", "DM"));
    let is_dm = new.is_some_and(|is| is) && old != Some(false) || new.is_none() && old == Some(true);
    is_dm && space.get("singleUserBotDm") == Some(&Value::Bool(true))
}

fn conversation(space: &Value) -> Conversation {
    let says = |name: &str, values: &[&str]| {
        space.get(name).and_then(Value::as_str).is_some_and(|said| values.contains(&said))
    };
    if is_direct(space) {
        Conversation::Direct
    } else if says("spaceType", &["SPACE", "GROUP_CHAT"]) || says("type", &["ROOM"]) {
        Conversation::Group
    } else {
        Conversation::Unknown
    }
}

/// The name of a space, which becomes part of a URL.
pub(super) fn is_space(name: &str) -> bool {
    let id = name.strip_prefix("spaces/").unwrap_or_default();
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (1..=NAME_LIMIT).contains(&id.len()) && is_plain
}

impl Message {
    /// What came with it, described.
    fn files(&self) -> Vec<Attachment> {
        self.attachment.iter().flatten().filter_map(File::describe).collect()
    }
}

impl File {
    fn describe(&self) -> Option<Attachment> {
        let uploaded = self.attachment_data_ref.as_ref().and_then(|data| data.resource_name.clone());
        let drive = self.drive_data_ref.as_ref().map(|drive| format!("drive:{}", drive.drive_file_id));
        let media_type = self.content_type.clone();
        let kind = match media_type.as_deref().and_then(|kind| kind.split_once('/')) {
            Some((kind @ ("image" | "audio" | "video"), _)) => kind,
            _ => "file",
        };
        Some(Attachment {
            kind: kind.to_owned(),
            name: self.content_name.clone(),
            size: None,
            reference: uploaded.or(drive).filter(|reference| !reference.is_empty())?,
            media_type,
        })
    }
}
