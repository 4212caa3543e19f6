//! Texts to Zalo.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::json;

use super::api::BotApi;
use super::is_id;
use crate::api::{ApiError, Trouble};

/// How long Zalo may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// Sends one text, plain: Zalo finds no markup in it.
pub(super) async fn text(api: &BotApi, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
    let Some(chat) = chat(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a chat".to_owned() });
    };
    let message = json!({ "chat_id": chat, "text": text.body });
    match api.call("sendMessage", &message).await {
        Ok(_) => Ok(()),
        // It took Zalo too long, whatever it did.
        Err(error @ ApiError { trouble: Trouble::Refused { code: 408, .. }, .. }) => {
            Err(SendError::Unknown { reason: error.to_string() })
        }
        Err(error) => Err(error.outcome(is_hopeless)),
    }
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(api: &BotApi, route: &ReplyRoute) {
    if let Some(chat) = chat(route) {
        let action = json!({ "chat_id": chat, "action": "typing" });
        let _ = tokio::time::timeout(TYPING, api.call("sendChatAction", &action)).await;
    }
}

/// The chat behind a route.
fn chat(route: &ReplyRoute) -> Option<&str> {
    Some(route.as_str()).filter(|chat| is_id(chat))
}

/// Whether a refusal is for good: the user blocked the bot or is gone; the text is not one.
fn is_hopeless(code: i64, _description: &str) -> bool {
    matches!(code, 400 | 403)
}
