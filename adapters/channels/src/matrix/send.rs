//! Texts to people.
//!
//! Before each text the homeserver is asked who is in the room now. What stays open is the moment between its answer and
//! our text: who is invited or joins just then may read it. The protocol has nothing better.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::json;

use super::Matrix;
use super::room::Members;
use super::route::Route;
use crate::api::{ApiError, unsent};

/// When to try again where a person is not alone with us.
const LATER: Duration = Duration::from_secs(120);

/// How long it is shown that we are writing.
const WRITING: Duration = Duration::from_secs(10);

/// How long the homeserver may take to show it.
const TYPING: Duration = Duration::from_secs(3);

impl Matrix {
    /// Sends one text, plain: nothing in it is markup, and it mentions nobody.
    pub(super) async fn send(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let impossible = |reason: &str| SendError::Impossible { reason: reason.to_owned() };
        let route = Route::parse(route).ok_or_else(|| impossible("this is no way to a person"))?;
        let own = self.own().await.map_err(|error| unsaid(&error))?;
        let state = self.api.state(&route.room).await.map_err(|error| unsaid(&error))?;
        let members = Members::of(&state);
        // INVARIANT I16: it goes to who was let in, or asked, and only while nobody else is there to read it.
        if !members.is_between(&own, &route.user) {
            let reason = "they are not alone with us in the room now".to_owned();
            return Err(SendError::Failed { reason, retry_after: Some(LATER) });
        }
        if members.is_encrypted {
            return Err(impossible("the room is encrypted"));
        }
        let message = json!({ "msgtype": "m.notice", "body": text.body, "m.mentions": {} });
        let sent = self.api.send(&route.room, &text.idempotency_key, &message).await;
        sent.map_err(|error| error.outcome(|_, description| is_hopeless(description)))
    }

    /// Shows that we are writing; the answer itself does not wait for it for long.
    pub(super) async fn typing(&self, route: &ReplyRoute) {
        if let (Some(route), Some(own)) = (Route::parse(route), self.own.get()) {
            let _ = tokio::time::timeout(TYPING, self.api.typing(&route.room, own, WRITING)).await;
        }
    }

    async fn own(&self) -> Result<String, ApiError> {
        self.own.get_or_try_init(|| self.api.whoami()).await.cloned()
    }
}

/// What becomes of a text when what comes before it fails.
fn unsaid(error: &ApiError) -> SendError {
    unsent(error.outcome(|_, description| is_hopeless(description)))
}

/// Whether a refusal is for good: we are not in the room any more, or may not write there; the text is too long.
fn is_hopeless(description: &str) -> bool {
    let word = description.split(':').next().unwrap_or_default();
    matches!(
        word,
        "M_FORBIDDEN" | "M_NOT_FOUND" | "M_TOO_LARGE" | "M_BAD_JSON" | "M_UNSUPPORTED_ROOM_VERSION"
    )
}
