//! Texts to Slack.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};

use super::api::SlackApi;
use super::mrkdwn::escaped;
use super::route::Route;

/// How long Slack may take to show that we are at work.
const TYPING: Duration = Duration::from_secs(3);

/// Sends one text, plain: nothing in it is markup or mentions anybody, and links get no preview.
pub(super) async fn text(api: &SlackApi, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
    let Some(route) = Route::parse(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
    };
    let channel = if route.is_open() { route.to } else { api.open(&route.to).await? };
    let body = escaped(&text.body);
    let mut fields = vec![
        ("channel", channel.as_str()),
        ("text", &body),
        ("parse", "none"),
        ("link_names", "false"),
        ("mrkdwn", "false"),
        ("unfurl_links", "false"),
        ("unfurl_media", "false"),
    ];
    if let Some(thread) = &route.thread {
        fields.push(("thread_ts", thread));
    }
    let sent = api.call("chat.postMessage", &fields).await;
    sent.map(drop).map_err(|error| error.outcome(is_hopeless))
}

/// Shows that we are at work. Slack has a place for that only in threads, of apps that are assistants.
pub(super) async fn typing(api: &SlackApi, route: &ReplyRoute) {
    if let Some(Route { to, thread: Some(thread) }) = Route::parse(route) {
        let fields = [("channel_id", to.as_str()), ("thread_ts", &thread), ("status", "is typing…")];
        let _ = tokio::time::timeout(TYPING, api.call("assistant.threads.setStatus", &fields)).await;
    }
}

/// Whether a refusal is for good: the person or the conversation is gone, or never takes a text of ours. What the owner
/// can mend (tokens, scopes, the messages tab of the app) is not.
pub(super) fn is_hopeless(_code: i64, description: &str) -> bool {
    matches!(
        description.split(' ').next().unwrap_or_default(),
        "channel_not_found"
            | "is_archived"
            | "not_in_channel"
            | "user_not_found"
            | "user_disabled"
            | "user_not_visible"
            | "users_not_found"
            | "cannot_dm_bot"
            | "cannot_reply_to_message"
            | "thread_not_found"
            | "invalid_thread_ts"
            | "no_text"
            | "msg_too_long"
            | "restricted_action_read_only_channel"
    )
}
