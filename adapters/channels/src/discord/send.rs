//! Texts to Discord.

use std::time::Duration;

use dmgate::{OutboundPicture, OutboundText, ReplyRoute, SendError, TextKind};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::api::RestApi;
use super::route::Route;
use crate::api::ApiError;

/// How long Discord may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// A wait of up to this is waited for here; of a longer one the caller learns.
const SHORT: Duration = Duration::from_secs(10);

/// No link gets a preview.
const SUPPRESS_EMBEDS: u64 = 1 << 2;

/// Sends one text. It mentions nobody, whatever is in it.
///
/// It carries a number of its own, and for some minutes Discord makes only one message of texts with the same. So where
/// nobody knows whether it arrived it is sent `again` at once; later that would no longer be safe.
pub(super) async fn text(
    api: &RestApi,
    route: &ReplyRoute,
    text: &OutboundText,
    again: &[Duration],
) -> Result<(), SendError> {
    let channel = channel_of(api, route).await?;
    let content = match text.kind {
        TextKind::Challenge | TextKind::Notice => escape(&text.body),
        // What agents write is mostly meant to be read as Discord shows it.
        TextKind::Reply => text.body.clone(),
    };
    let message = json!({
        "content": content,
        "allowed_mentions": { "parse": [] },
        "flags": SUPPRESS_EMBEDS,
        "nonce": nonce(channel, &text.idempotency_key),
        "enforce_nonce": true,
    });
    let mut again = again.iter();
    let mut doubt = None;
    loop {
        let wait = api.limits.wait(channel);
        if wait > SHORT {
            let reason = "Discord asked us to wait".to_owned();
            return Err(doubt.unwrap_or(SendError::Failed { reason, retry_after: Some(wait) }));
        }
        tokio::time::sleep(wait).await;
        let Err(error) = api.create_message(channel, &message).await else { return Ok(()) };
        match error.outcome(is_hopeless) {
            impossible @ SendError::Impossible { .. } => return Err(impossible),
            // INVARIANT I6: after a try of unknown outcome no refusal of another makes sure that nothing arrived.
            outcome if doubt.is_none() && matches!(outcome, SendError::Failed { .. }) => return Err(outcome),
            outcome => {
                let doubt = doubt.get_or_insert(outcome);
                match again.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(doubt.clone()),
                }
            }
        }
    }
}

/// Sends one picture with a plain caption that mentions nobody, once.
pub(super) async fn picture(
    api: &RestApi,
    route: &ReplyRoute,
    picture: &OutboundPicture,
) -> Result<(), SendError> {
    let channel = channel_of(api, route).await?;
    let wait = api.limits.wait(channel);
    if wait > SHORT {
        let reason = "Discord asked us to wait".to_owned();
        return Err(SendError::Failed { reason, retry_after: Some(wait) });
    }
    tokio::time::sleep(wait).await;
    let message = json!({
        "content": escape(&picture.caption),
        "allowed_mentions": { "parse": [] },
        "flags": SUPPRESS_EMBEDS,
        "nonce": nonce(channel, &picture.idempotency_key),
        "enforce_nonce": true,
        "attachments": [{ "id": 0, "filename": "code.png" }],
    });
    let sent = api.create_message_with(channel, &message, &picture.png).await;
    sent.map_err(|error| error.outcome(is_hopeless))
}

/// The private channel that a route leads to.
async fn channel_of(api: &RestApi, route: &ReplyRoute) -> Result<u64, SendError> {
    let impossible = |reason: &str| SendError::Impossible { reason: reason.to_owned() };
    match Route::parse(route).ok_or_else(|| impossible("this is no way to a person"))? {
        Route::Channel(channel) => Ok(channel),
        Route::User(user) => match api.private_channel(user).await {
            Ok(channel) => {
                channel.ok_or_else(|| impossible("Discord opens no private channel with this user"))
            }
            // Nothing was sent yet.
            Err(error) => Err(unsent(&error)),
        },
    }
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(api: &RestApi, route: &ReplyRoute) {
    if let Some(Route::Channel(channel)) = Route::parse(route) {
        let _ = tokio::time::timeout(TYPING, api.type_in(channel)).await;
    }
}

/// Why a private channel could not be opened: whatever happened, no text left.
fn unsent(error: &ApiError) -> SendError {
    match error.outcome(is_hopeless) {
        SendError::Unknown { reason } => SendError::Failed { reason, retry_after: None },
        outcome => outcome,
    }
}

/// Whether a refusal is for good: the channel or the user is gone; the user takes no messages from us, or shares no server
/// with us; the text is not one.
fn is_hopeless(code: i64, _description: &str) -> bool {
    matches!(code, 10_003 | 10_013 | 50_001 | 50_006 | 50_007 | 50_035 | 50_278)
}

/// The number by which Discord knows a text again: at most 25 characters.
fn nonce(channel: u64, key: &str) -> String {
    let hash = Sha256::digest(format!("{channel} {key}"));
    hex::encode(hash).chars().take(24).collect()
}

/// A text that Discord shows as it is: nothing in it is markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut is_line_start = true;
    for letter in text.chars() {
        let is_markup = matches!(letter, '\\' | '*' | '_' | '~' | '`' | '|' | '[' | '<');
        if is_markup || is_line_start && matches!(letter, '#' | '>' | '-') {
            escaped.push('\\');
        }
        is_line_start = letter == '\n' || is_line_start && letter == ' ';
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_escaped_text_is_markup() {
        assert_eq!(
            escape("dmgate pairing approve discord ABCD2345"),
            "dmgate pairing approve discord ABCD2345"
        );
        assert_eq!(escape("a_b *c* <@1> `d` [e](f) g-h #i"), "a\\_b \\*c\\* \\<@1> \\`d\\` \\[e](f) g-h #i");
        assert_eq!(escape("# a\n - b\n> c\n\\"), "\\# a\n \\- b\n\\> c\n\\\\");
    }

    #[test]
    fn a_text_has_one_number_in_one_channel() {
        assert_eq!(nonce(1, "a"), nonce(1, "a"));
        assert!(nonce(1, "a") != nonce(2, "a") && nonce(1, "a") != nonce(1, "b"));
        assert!(nonce(1, &"long".repeat(100)).len() <= 25);
    }
}
