//! Texts to Teams.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::{Value, json};

use super::api::Connector;
use super::route::Route;

/// How long Teams may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// What Teams says where the person does not want us, or is not there any more.
const GONE: &[&str] = &["BotNotInConversationRoster", "ConversationBlockedByUser", "MessageWritesBlocked"];

/// Sends one text, plain: nothing in it is markup or a mention.
pub(super) async fn text(
    connector: &Connector,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let Some(route) = Route::read(route, connector.services()) else {
        return Err(SendError::Impossible {
            reason: "this is no way to a one-to-one conversation".to_owned(),
        });
    };
    let mut activity = activity("message", &route);
    if let Some(fields) = activity.as_object_mut() {
        fields.insert("textFormat".to_owned(), json!("plain"));
        fields.insert("text".to_owned(), json!(text.body));
    }
    connector.post(&route, &activity).await.map_err(|error| error.outcome(is_hopeless))
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(connector: &Connector, route: &ReplyRoute) {
    if let Some(route) = Route::read(route, connector.services()) {
        let activity = activity("typing", &route);
        let _ = tokio::time::timeout(TYPING, connector.post(&route, &activity)).await;
    }
}

fn activity(kind: &str, route: &Route) -> Value {
    let Route { conversation, bot, user, .. } = route;
    json!({
        "type": kind,
        "from": { "id": bot },
        "recipient": { "id": user },
        "conversation": { "id": conversation },
    })
}

/// Whether a refusal is for good. A bot that the administrator disabled may be enabled again.
fn is_hopeless(code: i64, description: &str) -> bool {
    matches!(code, 400 | 404 | 413) || (code == 403 && GONE.iter().any(|gone| description.contains(gone)))
}
