//! Commands and buttons: what people do with an app beside writing to it.
//!
//! Neither says whether its conversation is ours: a command can be typed in a direct conversation of two people. So
//! it is unknown until Slack was asked.

use dmgate::{Authenticity, Conversation, EventKind, InboundMessage, Sender, Strength};
use serde::Deserialize;
use serde_json::Value;

use super::event::{Reading, Said, Way, sent_at};
use super::mrkdwn::plain;
use super::route::Route;
use crate::webhook::Form;

/// A slash command.
#[derive(Deserialize)]
pub(super) struct Command {
    team_id: Option<String>,
    enterprise_id: Option<String>,
    channel_id: Option<String>,
    user_id: Option<String>,
    user_name: Option<String>,
    command: Option<String>,
    text: Option<String>,
    trigger_id: Option<String>,
}

#[derive(Deserialize)]
struct Interaction {
    #[serde(rename = "type")]
    kind: String,
    team: Option<Team>,
    user: Option<User>,
    channel: Option<Channel>,
    message: Option<Under>,
    #[serde(default)]
    actions: Vec<Action>,
    trigger_id: Option<String>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
    enterprise_id: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: Option<String>,
    username: Option<String>,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
}

/// The message that a button belongs to.
#[derive(Deserialize)]
struct Under {
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    value: Option<String>,
    selected_option: Option<Chosen>,
    action_ts: Option<String>,
}

#[derive(Deserialize)]
struct Chosen {
    value: Option<String>,
}

/// Who did something, and where.
struct Done<'a> {
    kind: EventKind,
    /// Where it was done, and the organisation of that.
    teams: [Option<&'a str>; 2],
    /// Where they are at home, if it says so.
    home: Option<&'a str>,
    user: &'a str,
    name: Option<&'a str>,
    channel: Option<&'a str>,
    thread: Option<&'a str>,
    trigger: Option<String>,
}

impl Command {
    /// A command as a web hook brings it.
    pub(super) fn of_form(form: &Form) -> Self {
        let field = |name| form.get(name).map(str::to_owned);
        Self {
            team_id: field("team_id"),
            enterprise_id: field("enterprise_id"),
            channel_id: field("channel_id"),
            user_id: field("user_id"),
            user_name: field("user_name"),
            command: field("command"),
            text: field("text"),
            trigger_id: field("trigger_id"),
        }
    }
}

impl Reading<'_> {
    /// What a command says.
    pub(super) fn command(self, command: Command) -> Result<Said, &'static str> {
        let user = command.user_id.as_deref().ok_or("nobody sent it")?;
        let name = command.command.as_deref().ok_or("it names no command")?;
        let text = command.text.as_deref().unwrap_or_default();
        let mut said = self.done(Done {
            kind: EventKind::Command,
            teams: [command.team_id.as_deref(), command.enterprise_id.as_deref()],
            home: None,
            user,
            name: command.user_name.as_deref(),
            channel: command.channel_id.as_deref(),
            thread: None,
            trigger: command.trigger_id,
        })?;
        said.message.text = plain(format!("{name} {text}").trim_end());
        Ok(said)
    }

    /// What a press of a button, or another interaction, says.
    pub(super) fn interaction(self, payload: &Value) -> Result<Said, &'static str> {
        let done = Interaction::deserialize(payload).map_err(|_| "it is malformed")?;
        let user = done.user.as_ref().ok_or("nobody did it")?;
        let kind = match done.kind.as_str() {
            "block_actions" | "interactive_message" => EventKind::Button,
            "shortcut" | "message_action" | "view_submission" => EventKind::Callback,
            _ => EventKind::Other,
        };
        let team = done.team.as_ref();
        let mut said = self.done(Done {
            kind,
            teams: [team.map(|team| team.id.as_str()), team.and_then(|team| team.enterprise_id.as_deref())],
            home: user.team_id.as_deref(),
            user: &user.id,
            name: user.name.as_deref().or(user.username.as_deref()),
            channel: done.channel.as_ref().map(|channel| channel.id.as_str()),
            thread: done.message.as_ref().and_then(|under| under.thread_ts.as_deref()),
            trigger: done.trigger_id,
        })?;
        if let Some(action) = done.actions.first() {
            let chosen = action.selected_option.as_ref().and_then(|chosen| chosen.value.as_ref());
            said.message.text = action.value.as_ref().or(chosen).cloned().unwrap_or_default();
            said.message.sent_at = action.action_ts.as_deref().and_then(sent_at);
        }
        Ok(said)
    }

    fn done(self, done: Done<'_>) -> Result<Said, &'static str> {
        let [team, _] = done.teams;
        let is_ours = done.teams.into_iter().flatten().any(|team| self.identity.is_home(team));
        let home = done.home.or(team).ok_or("it is of no workspace")?;
        let sender = self.identity.sender(self.account.channel(), home, done.user);
        let sender = sender.map_err(|_| "whoever did it is no user")?;
        let sender = Sender::with_parts(sender, Vec::new(), Strength::Authenticated, done.name);
        let mut message = InboundMessage::new(self.account.clone(), sender);
        message.authenticity = Authenticity::Verified;
        message.event = done.kind;
        message.origin = self.origin(done.user, None, false);
        if done.channel.is_some_and(|channel| channel.starts_with(['C', 'G'])) {
            message.conversation = Conversation::Group;
        }
        let trigger = done.trigger.filter(|trigger| !trigger.is_empty() && trigger.len() <= 256);
        message.message_id.clone_from(&trigger);
        let route = done.channel.and_then(|channel| Route::new(channel, done.thread)).filter(|_| is_ours);
        let way = route.map(|route| Way { route, user: done.user.to_owned() });
        Ok(Said { message, way, marks: trigger.into_iter().collect() })
    }
}
