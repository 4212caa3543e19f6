//! Texts to LINE.

use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};

use super::api::LineApi;
use super::{Line, route};
use crate::signature::Signature;

/// How long LINE may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// How long LINE shows that we are writing, in seconds: the longest that it does.
const LOADING: u8 = 60;

/// Pushes one text. It is plain: LINE finds no markup and no mentions in it.
pub(super) async fn text(line: &Line, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
    let Some(user) = route::user(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a user".to_owned() });
    };
    let key = retry_key(line, user, text);
    line.api.push(user, &text.body, &key).await.map_err(|error| error.outcome(is_hopeless))
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(api: &LineApi, route: &ReplyRoute) {
    if let Some(user) = route::user(route) {
        let _ = tokio::time::timeout(TYPING, api.show_loading(user, LOADING)).await;
    }
}

/// A UUID that is the same for every try of the same text to the same user, and nobody else's.
fn retry_key(line: &Line, user: &str, text: &OutboundText) -> String {
    let parts = [line.meta.account.to_string(), user.to_owned(), text.idempotency_key.clone()];
    let hex = Signature::hmac(&line.secret, &[parts.join("\n").as_bytes()]).to_hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// Whether a refusal is for good: the user or the text is none that LINE takes. (Who blocked us is not told: LINE accepts
/// a text to them, and nothing comes.)
fn is_hopeless(code: i64, _description: &str) -> bool {
    code == 400
}
