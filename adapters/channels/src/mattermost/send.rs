//! Texts to Mattermost.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::json;

use super::Mattermost;
use super::route::Route;
use crate::api::{ApiError, unsent};

/// How long the server may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

impl Mattermost {
    /// Sends one text. Nobody but the person reads it, so there is nobody whom it could mention.
    pub(super) async fn send(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let Some(route) = Route::parse(route) else {
            return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
        };
        let (channel, root) = match route {
            Route::Channel { id, root } => (id, root),
            Route::User(user) => (self.channel_with(&user).await.map_err(|error| unsaid(&error))?, None),
        };
        let post = json!({
            "channel_id": channel,
            "root_id": root.unwrap_or_default(),
            "message": text.body,
            // For half a minute the server takes a second post with the same for the first one.
            "pending_post_id": text.idempotency_key,
        });
        self.api.post(&post).await.map_err(|error| error.outcome(is_hopeless))
    }

    /// Shows that we are writing; the answer itself does not wait for it for long.
    pub(super) async fn type_at(&self, route: &ReplyRoute) {
        if let Some(Route::Channel { id, root }) = Route::parse(route) {
            let _ = tokio::time::timeout(TYPING, self.api.typing(&id, root.as_deref())).await;
        }
    }

    async fn channel_with(&self, user: &str) -> Result<String, ApiError> {
        let own_id = match self.own_id.get() {
            Some(own_id) => own_id.clone(),
            None => self.api.own_id().await?,
        };
        self.api.direct_channel(&own_id, user).await
    }
}

/// What becomes of a text for which there is no channel: nothing was said yet, whatever became of the call.
fn unsaid(error: &ApiError) -> SendError {
    unsent(error.outcome(is_hopeless))
}

/// Whether a refusal is for good: the person or the channel is gone, or the text is none. What the owner can mend (a
/// token that was revoked) is not.
fn is_hopeless(code: i64, _description: &str) -> bool {
    matches!(code, 400 | 403 | 404 | 413)
}
