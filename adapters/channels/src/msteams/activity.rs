//! Activities: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId,
    Strength, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::route::Route;
use crate::hosts::Hosts;

/// The longest id of an activity.
const ID_LIMIT: usize = 512;

/// Who we are.
pub(super) struct Own {
    pub(super) app_id: String,
    pub(super) tenant: String,
}

/// What is in an activity of whatever type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    timestamp: Option<String>,
    service_url: String,
    from: Option<Party>,
    recipient: Option<Party>,
    conversation: Option<Place>,
    channel_data: Option<ChannelData>,
    text: Option<String>,
    /// What is behind a card's button.
    value: Option<Value>,
    /// What kind of `event` it is.
    name: Option<String>,
    attachments: Option<Vec<File>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Party {
    id: String,
    name: Option<String>,
    aad_object_id: Option<String>,
    role: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    id: String,
    conversation_type: Option<String>,
    is_group: Option<bool>,
    tenant_id: Option<String>,
}

#[derive(Deserialize)]
struct ChannelData {
    tenant: Option<Tenant>,
}

#[derive(Deserialize)]
struct Tenant {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    content_type: String,
    content_url: Option<String>,
    name: Option<String>,
    content: Option<Value>,
}

/// A field that is a text.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// What an activity says; the error is why it says nothing to us.
pub(super) fn parse(
    account: &AccountKey,
    own: &Own,
    services: &Hosts,
    activity: &Value,
) -> Result<InboundMessage, &'static str> {
    let activity = Activity::deserialize(activity).map_err(|_| "it is malformed")?;
    let from = activity.from.as_ref().ok_or("nobody sent it")?;
    let is_of_our_tenant = activity.is_of(&own.tenant);
    let sender = from.sender(account, is_of_our_tenant)?;
    if activity.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_LIMIT) {
        return Err("its id is none");
    }

    let mut message = InboundMessage::new(account.clone(), sender);
    message.authenticity = Authenticity::Verified;
    message.event = activity.event();
    message.origin = from.origin(&own.app_id);
    message.conversation = match &activity.conversation {
        Some(place) => place.conversation(is_of_our_tenant),
        None => Conversation::Unknown,
    };
    if message.conversation == Conversation::Direct {
        let route = activity.route(from).and_then(|route| route.write(services));
        message.route = route.ok_or("there is no way back")?;
    }
    message.sent_at = activity.timestamp.as_deref().and_then(Timestamp::parse);
    message.attachments = activity.files();
    message.text = match (activity.text, &activity.value) {
        (Some(text), _) if !text.is_empty() => text,
        (_, Some(Value::String(text))) => text.clone(),
        (_, Some(value)) if message.event == EventKind::Button => value.to_string(),
        _ => String::new(),
    };
    message.message_id = activity.id;
    Ok(message)
}

impl Activity {
    /// Whether it came from this tenant, by all that it says of that.
    fn is_of(&self, tenant: &str) -> bool {
        let place = self.conversation.as_ref().and_then(|place| place.tenant_id.as_deref());
        let data = self.channel_data.as_ref().and_then(|data| data.tenant.as_ref()?.id.as_deref());
        let mut said = [place, data].into_iter().flatten().peekable();
        said.peek().is_some() && said.all(|said| said.eq_ignore_ascii_case(tenant))
    }

    fn event(&self) -> EventKind {
        let has_text = self.text.as_ref().is_some_and(|text| !text.trim().is_empty());
        match self.kind.as_str() {
            "message" if self.value.is_some() => EventKind::Button,
            "message" if has_text || !self.files().is_empty() => EventKind::Message,
            "messageUpdate" | "messageDelete" => EventKind::Edit,
            "messageReaction" => EventKind::Reaction,
            "typing" => EventKind::Receipt,
            "event"
                if self.name.as_ref().is_some_and(|name| name.ends_with("/vnd.microsoft.readReceipt")) =>
            {
                EventKind::Receipt
            }
            "conversationUpdate" | "installationUpdate" | "contactRelationUpdate" => EventKind::Membership,
            _ => EventKind::Other,
        }
    }

    fn route(&self, from: &Party) -> Option<Route> {
        Some(Route {
            service: self.service_url.clone(),
            conversation: self.conversation.as_ref()?.id.clone(),
            bot: self.recipient.as_ref()?.id.clone(),
            user: from.id.clone(),
        })
    }

    /// What came with it, described. Cards have no address, and a text comes a second time as HTML.
    fn files(&self) -> Vec<Attachment> {
        self.attachments.iter().flatten().filter_map(File::describe).collect()
    }
}

impl Party {
    /// The object id is of a directory, and means nothing in another one's; the Teams id is this bot's name for somebody.
    // INVARIANT I15: an object id of another directory never counts.
    fn sender(&self, account: &AccountKey, is_of_our_tenant: bool) -> Result<Sender, &'static str> {
        let id = |text: &str| SenderId::parse(account.channel(), text).ok();
        let object = self.aad_object_id.as_deref().filter(|_| is_of_our_tenant);
        let object = object.and_then(|object| id(&object.to_ascii_lowercase()));
        let is_teams_id = self.id.starts_with("29:") || self.id.starts_with("28:");
        let teams = id(&self.id).filter(|_| is_teams_id);
        let (primary, aliases) = match (object, teams) {
            (Some(object), teams) => (object, teams.into_iter().collect()),
            (None, Some(teams)) => (teams, Vec::new()),
            (None, None) => return Err("its sender is no user"),
        };
        Ok(Sender::with_parts(primary, aliases, Strength::Authenticated, self.name.as_deref()))
    }

    fn origin(&self, app_id: &str) -> Origin {
        match self.id.strip_prefix("28:") {
            Some(bot) if bot.eq_ignore_ascii_case(app_id) => Origin::Own,
            Some(_) => Origin::Bot,
            None => match self.role.as_deref() {
                None | Some("user") => Origin::Person,
                Some(_) => Origin::Bot,
            },
        }
    }
}

impl Place {
    fn conversation(&self, is_of_our_tenant: bool) -> Conversation {
        match self.conversation_type.as_deref() {
            _ if self.is_group == Some(true) => Conversation::Group,
            Some("personal") if is_of_our_tenant => Conversation::Direct,
            Some("groupChat" | "channel") => Conversation::Group,
            _ => Conversation::Unknown,
        }
    }
}

impl File {
    fn describe(&self) -> Option<Attachment> {
        // An uploaded file says in its content from where it can be had, and its extension.
        let content = |name: &str| self.content.as_ref().and_then(|content| text(content, name));
        let is_upload = self.content_type == "application/vnd.microsoft.teams.file.download.info";
        let reference = if is_upload { content("downloadUrl") } else { self.content_url.as_deref() };
        let kind = match self.content_type.split_once('/') {
            _ if is_upload => "file",
            Some((kind @ ("image" | "audio" | "video"), _)) => kind,
            _ => "file",
        };
        Some(Attachment {
            kind: kind.to_owned(),
            media_type: (!is_upload).then(|| self.content_type.clone()),
            name: self.name.clone(),
            size: None,
            reference: reference.filter(|reference| !reference.is_empty())?.to_owned(),
        })
    }
}
