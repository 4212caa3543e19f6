//! Texts to Telegram.

use std::time::Duration;

use dmgate::{OutboundPicture, OutboundText, ReplyRoute, SendError};
use serde_json::json;

use super::api::BotApi;
use crate::form::Form;

/// How long Telegram may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// Sends one text, plain: nothing in it is markup, and links get no preview.
pub(super) async fn text(api: &BotApi, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
    let Some(chat) = private_chat(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a private chat".to_owned() });
    };
    let message = json!({
        "chat_id": chat,
        "text": text.body,
        "link_preview_options": { "is_disabled": true },
    });
    api.call("sendMessage", &message).await.map(drop).map_err(|error| error.outcome(is_hopeless))
}

/// Sends one picture with a plain caption.
pub(super) async fn picture(
    api: &BotApi,
    route: &ReplyRoute,
    picture: &OutboundPicture,
) -> Result<(), SendError> {
    let Some(chat) = private_chat(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a private chat".to_owned() });
    };
    let form = Form::default().field("chat_id", &chat.to_string()).field("caption", &picture.caption);
    let form = form.png("photo", "code.png", &picture.png);
    api.upload("sendPhoto", form).await.map(drop).map_err(|error| error.outcome(is_hopeless))
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(api: &BotApi, route: &ReplyRoute) {
    if let Some(chat) = private_chat(route) {
        let action = json!({ "chat_id": chat, "action": "typing" });
        let _ = tokio::time::timeout(TYPING, api.call("sendChatAction", &action)).await;
    }
}

/// The chat behind a route. Groups and channels have negative ids: nothing is ever sent there.
fn private_chat(route: &ReplyRoute) -> Option<i64> {
    route.as_str().parse().ok().filter(|chat| *chat > 0)
}

/// Whether a refusal is for good: the user blocked the bot or is gone; the chat is not there; the text is not one.
fn is_hopeless(code: i64, _description: &str) -> bool {
    matches!(code, 400 | 403)
}
