//! Events: who said what where.

use dmgate::{
    AccountKey, Attachment, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, Strength,
    Timestamp,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::identity::Identity;
use super::mrkdwn::plain;
use super::route::Route;

/// Stamps from before Slack and far from now are none.
const PLAUSIBLE: std::ops::Range<i64> = 1_356_998_400..10_000_000_000;

/// The longest mark that is remembered; Slack's are much shorter.
const MARK_LIMIT: usize = 128;

/// What we read with.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) account: &'a AccountKey,
    pub(super) identity: &'a Identity,
}

/// What was read.
pub(super) struct Said {
    /// Without its route, since whether there is one may have to be asked.
    pub(super) message: InboundMessage,
    /// The way back, if the conversation is one-to-one, or may turn out to be.
    pub(super) way: Option<Way>,
    /// What it is known by when it comes again.
    pub(super) marks: Vec<String>,
}

/// A way back to a person.
pub(super) struct Way {
    pub(super) route: Route,
    /// The person, as Slack writes them.
    pub(super) user: String,
}

/// What an event comes in, by web hook or socket.
#[derive(Deserialize)]
struct Envelope {
    event_id: Option<String>,
    team_id: Option<String>,
    /// The workspace through which it reaches us, where it is about another one.
    context_team_id: Option<String>,
    /// As whom it reaches us.
    authorizations: Option<Vec<Authorization>>,
    event: Event,
}

#[derive(Deserialize)]
struct Authorization {
    enterprise_id: Option<String>,
    team_id: Option<String>,
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    user: Option<Named>,
    bot_id: Option<String>,
    bot_profile: Option<IgnoredAny>,
    text: Option<String>,
    channel: Option<Named>,
    channel_type: Option<String>,
    ts: Option<String>,
    event_ts: Option<String>,
    thread_ts: Option<String>,
    #[serde(flatten)]
    home: Home,
    /// What was changed, as it is now; and as it was.
    message: Option<Changed>,
    previous_message: Option<Changed>,
    #[serde(default)]
    files: Vec<File>,
}

/// Something by its id, or whole.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Id(String),
    Whole { id: String },
}

#[derive(Deserialize)]
struct Changed {
    user: Option<String>,
    bot_id: Option<String>,
    text: Option<String>,
    #[serde(flatten)]
    home: Home,
}

/// Where a sender is at home; `team` may also be where something was said.
#[derive(Deserialize)]
struct Home {
    user_team: Option<String>,
    source_team: Option<String>,
    team: Option<String>,
}

#[derive(Deserialize)]
struct File {
    id: String,
    name: Option<String>,
    mimetype: Option<String>,
    size: Option<u64>,
    mode: Option<String>,
}

impl Reading<'_> {
    /// What an envelope of the Events API says; the error is why it says nothing to us.
    pub(super) fn event(self, payload: &Value) -> Result<Said, &'static str> {
        let envelope = Envelope::deserialize(payload).map_err(|_| "it is malformed")?;
        let is_ours = self.is_ours(&envelope);
        let as_bot = is_ours && self.is_as_bot(&envelope);
        let event = &envelope.event;
        let changed = event.message.as_ref().or(event.previous_message.as_ref());
        let user = event.user.as_ref().map(Named::id).or_else(|| changed?.user.as_deref());
        let user = user.ok_or("nobody sent it")?.to_owned();
        let home = event.home.team().or_else(|| changed?.home.team());
        let home = home.or(envelope.team_id.as_deref()).unwrap_or(&self.identity.team);
        // A workspace of our organisation.
        let home =
            if self.is_of_organisation(home, &envelope.authorizations) { &self.identity.team } else { home };
        let sender = self.identity.sender(self.account.channel(), home, &user);
        let sender = sender.map_err(|_| "its sender is no user")?;
        let bot = event.bot_id.as_deref().or_else(|| changed?.bot_id.as_deref());
        let is_bot =
            bot.is_some() || event.bot_profile.is_some() || event.subtype.as_deref() == Some("bot_message");
        let channel = event.channel.as_ref().map(Named::id).unwrap_or_default();
        let stamp = event.ts.as_deref().or(event.event_ts.as_deref());

        let sender = Sender::with_parts(sender, Vec::new(), Strength::Authenticated, None);
        let mut message = InboundMessage::new(self.account.clone(), sender);
        message.authenticity = Authenticity::Verified;
        message.event = event.kind();
        message.conversation = match event.channel_type.as_deref() {
            Some("im") if as_bot && channel.starts_with('D') => Conversation::Direct,
            Some("channel" | "group" | "mpim") => Conversation::Group,
            None if channel.starts_with(['C', 'G']) => Conversation::Group,
            _ => Conversation::Unknown,
        };
        message.origin = self.origin(&user, bot, is_bot);
        message.sent_at = stamp.and_then(sent_at);
        message.message_id = event.ts.clone().filter(|ts| ts.len() <= MARK_LIMIT);
        let text = event.text.as_deref().or_else(|| changed?.text.as_deref());
        message.text = text.map(plain).unwrap_or_default();
        message.attachments = event.files.iter().filter_map(File::describe).collect();

        // One message may come as several events, to a person's token and to the bot's.
        let subtype = event.subtype.as_deref().unwrap_or_default();
        let of_message = event.ts.as_ref().filter(|_| message.event != EventKind::Other);
        let of_message = of_message.map(|ts| format!("{channel} {ts} {subtype}"));
        let marks = envelope.event_id.clone().into_iter().chain(of_message);
        let route = Route::new(channel, event.thread_ts.as_deref()).filter(|_| is_ours);
        Ok(Said {
            message,
            way: route.map(|route| Way { route, user }),
            marks: marks.filter(|mark| mark.len() <= MARK_LIMIT).collect(),
        })
    }

    /// Whether it is of the workspace, or organisation, that our token is for: the same app may be installed in others.
    fn is_ours(self, envelope: &Envelope) -> bool {
        let is_home = |team: &Option<String>| team.as_deref().is_some_and(|team| self.identity.is_home(team));
        match &envelope.authorizations {
            Some(given) if !given.is_empty() => {
                given.iter().any(|given| is_home(&given.team_id) || is_home(&given.enterprise_id))
            }
            _ => is_home(&envelope.context_team_id) || is_home(&envelope.team_id),
        }
    }

    /// Whether a team is a workspace of our organisation, where the app is installed in all of it.
    fn is_of_organisation(self, team: &str, authorizations: &Option<Vec<Authorization>>) -> bool {
        authorizations.iter().flatten().any(|given| {
            let organisation = given.enterprise_id.as_deref();
            organisation.is_some_and(|it| self.identity.is_home(it)) && given.team_id.as_deref() == Some(team)
        })
    }

    /// Whether it reaches us as our bot, and not as a person who gave the app a token.
    fn is_as_bot(self, envelope: &Envelope) -> bool {
        let given = envelope.authorizations.iter().flatten();
        given.into_iter().any(|given| given.user_id.as_deref() == Some(&self.identity.user))
    }

    pub(super) fn origin(self, user: &str, bot: Option<&str>, is_bot: bool) -> Origin {
        if user == self.identity.user || bot.is_some() && bot == self.identity.bot.as_deref() {
            return Origin::Own;
        }
        if is_bot || user == "USLACKBOT" { Origin::Bot } else { Origin::Person }
    }
}

/// When something was sent, of a stamp like `1771442483.260129`.
pub(super) fn sent_at(stamp: &str) -> Option<Timestamp> {
    let (seconds, part) = stamp.split_once('.')?;
    let seconds: i64 = seconds.parse().ok().filter(|seconds| PLAUSIBLE.contains(seconds))?;
    let millis: i64 = part.get(..3)?.parse().ok().filter(|millis| (0..1_000).contains(millis))?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(millis)))
}

impl Event {
    /// What kind of event it is. A subtype that is not known is Slack's own: a topic, a pin, a huddle.
    fn kind(&self) -> EventKind {
        match (self.kind.as_str(), self.subtype.as_deref()) {
            ("message", None | Some("file_share" | "me_message" | "thread_broadcast" | "bot_message"))
            | ("app_mention", None) => EventKind::Message,
            ("message", Some("message_changed")) => EventKind::Edit,
            ("message", Some("channel_join" | "channel_leave" | "group_join" | "group_leave"))
            | ("member_joined_channel" | "member_left_channel", _) => EventKind::Membership,
            ("reaction_added" | "reaction_removed", _) => EventKind::Reaction,
            _ => EventKind::Other,
        }
    }
}

impl Home {
    fn team(&self) -> Option<&str> {
        [&self.user_team, &self.source_team, &self.team].into_iter().flatten().map(String::as_str).next()
    }
}

impl Named {
    fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Whole { id } => id,
        }
    }
}

impl File {
    /// What it is; `None` for one that is gone.
    fn describe(&self) -> Option<Attachment> {
        let is_gone = matches!(self.mode.as_deref(), Some("tombstone" | "hidden_by_limit"));
        let family = self.mimetype.as_deref().and_then(|kind| kind.split('/').next());
        let kind = family.filter(|family| matches!(*family, "image" | "audio" | "video")).unwrap_or("file");
        (!is_gone).then(|| Attachment {
            kind: kind.to_owned(),
            media_type: self.mimetype.clone(),
            name: self.name.clone(),
            size: self.size,
            reference: self.id.clone(),
        })
    }
}
