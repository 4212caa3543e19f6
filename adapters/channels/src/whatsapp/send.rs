//! Texts to people, and the sign that we write.

use std::time::Duration;

use dmgate::{AccountKey, OutboundText, ReplyRoute, SendError, SenderId};
use serde_json::{Value, json};

use super::graph::Graph;
use super::update::is_message_id;

/// How long Meta may take to show that we write.
const TYPING: Duration = Duration::from_secs(3);

/// Sends one text, plain, without a preview of links.
pub(super) async fn text(
    graph: &Graph,
    account: &AccountKey,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let Some((to, _)) = parse(account, route) else {
        return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
    };
    let (field, to) = match to.as_str().strip_prefix('+') {
        Some(number) => ("to", number),
        None => ("recipient", to.as_str()),
    };
    let message = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        field: to,
        "type": "text",
        "text": { "body": text.body, "preview_url": false },
    });
    let sent = graph.send(&message).await;
    let sent = sent.and_then(|answer| {
        let is_accepted = answer.get("messages").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty());
        if is_accepted { Ok(()) } else { Err(graph.lost("the answer names no message")) }
    });
    sent.map_err(|error| error.outcome(|code, _| is_hopeless(code)))
}

/// Shows that we write, and that the message was read; the answer itself does not wait for it for long.
pub(super) async fn typing(graph: &Graph, account: &AccountKey, route: &ReplyRoute) {
    if let Some((_, Some(message))) = parse(account, route) {
        let sign = json!({
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message,
            "typing_indicator": { "type": "text" },
        });
        let _ = tokio::time::timeout(TYPING, graph.send(&sign)).await;
    }
}

/// A person, and the message that is answered where there is one: `+15550001 wamid.…`.
fn parse<'a>(account: &AccountKey, route: &'a ReplyRoute) -> Option<(SenderId, Option<&'a str>)> {
    let (to, message) = match route.as_str().split_once(' ') {
        Some((to, message)) => (to, Some(message)),
        None => (route.as_str(), None),
    };
    let to = SenderId::parse(account.channel(), to).ok()?;
    message.is_none_or(is_message_id).then_some((to, message))
}

/// Whether a refusal is for good.
fn is_hopeless(code: i64) -> bool {
    match code {
        // A day since the last message of this person's is over. Writing again opens it, and brings a new route.
        131_047 => true,
        // They can't be reached, do not want it, or are ourselves.
        131_026 | 131_021 | 131_049 | 131_050 | 130_472 | 130_497 => true,
        // The text is none.
        131_008 | 131_009 | 131_051 => true,
        _ => false,
    }
}
