//! Texts to a conversation.

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::json;

use super::NextcloudTalk;
use crate::Secret;
use crate::signature::Signature;

/// Sends one text. It is signed over a random value and the text itself, not over the JSON around it.
pub(super) async fn text(
    talk: &NextcloudTalk,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let token = route.as_str();
    if !is_token(token) {
        return Err(SendError::Impossible { reason: "this is no conversation".to_owned() });
    }
    let mut random = [0; 32];
    if talk.world.entropy.fill(&mut random).is_err() {
        let reason = "the system gives no random numbers to sign with".to_owned();
        return Err(SendError::Failed { reason, retry_after: None });
    }
    let random = hex::encode(random);
    let signature = Signature::hmac(&talk.secret, &[random.as_bytes(), text.body.as_bytes()]).to_hex();
    // A name for the text, by which it is found again; the server does not drop a second one.
    let reference =
        Signature::sha256(&Secret::new(text.idempotency_key.as_str()), &[text.idempotency_key.as_bytes()]);
    let message = json!({ "message": text.body, "referenceId": reference.to_hex() });
    let said = talk.cloud.say(token, &message, &random, &signature).await;
    said.map_err(|error| error.outcome(|code, _| is_hopeless(code)))
}

/// What conversations are called: letters and digits. It becomes part of a path.
pub(super) fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a refusal is for good: an empty text, a conversation that is gone, a text that is too long. With 401 the owner can
/// set the bot up again.
fn is_hopeless(code: i64) -> bool {
    matches!(code, 400 | 404 | 413)
}
