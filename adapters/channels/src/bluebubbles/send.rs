//! Texts to a chat, and the sign that we write.

use std::time::Duration;

use dmgate::{AccountKey, OutboundText, ReplyRoute, SendError, SenderId};
use serde_json::json;

use super::rest::NO_IMESSAGE;
use super::{BlueBubbles, Method};
use crate::api::Trouble;

/// How long the server may take to show that we write.
const TYPING: Duration = Duration::from_secs(3);

/// Sends one text.
pub(super) async fn text(
    bubbles: &BlueBubbles,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let chat = route.as_str();
    if !is_route(&bubbles.meta.account, chat) {
        return Err(SendError::Impossible { reason: "this is no chat with one person".to_owned() });
    }
    // The server knows a text by this name as long as it is on its way.
    let name = format!("dmgate-{}", text.idempotency_key);
    let message =
        json!({ "chatGuid": chat, "tempGuid": name, "message": text.body, "method": bubbles.method.word() });
    let Err(error) = bubbles.rest.send(&message).await else { return Ok(()) };
    match &error.trouble {
        Trouble::Refused { code: 400, description, .. } if description.contains("already queued") => {
            Err(SendError::Unknown { reason: "an earlier try is still under way".to_owned() })
        }
        _ => Err(error.outcome(|code, _| matches!(code, NO_IMESSAGE | 400))),
    }
}

/// Shows that we write, where the server can; the answer itself does not wait for it for long.
pub(super) async fn typing(bubbles: &BlueBubbles, route: &ReplyRoute) {
    if bubbles.method == Method::PrivateApi && is_route(&bubbles.meta.account, route.as_str()) {
        let _ = tokio::time::timeout(TYPING, bubbles.rest.typing(route.as_str())).await;
    }
}

/// Whether a text is the id of a chat with one person: `iMessage;-;+15550001`, in newer systems `any;-;+15550001`.
pub(super) fn is_route(account: &AccountKey, chat: &str) -> bool {
    let mut parts = chat.split(';');
    let (service, mark, handle, end) = (parts.next(), parts.next(), parts.next(), parts.next());
    let is_service =
        |service: &str| (1..=16).contains(&service.len()) && service.bytes().all(|b| b.is_ascii_alphabetic());
    service.is_some_and(is_service)
        && mark == Some("-")
        && handle.is_some_and(|handle| SenderId::parse(account.channel(), handle).is_ok())
        && end.is_none()
}
