//! Events by web hook.

use bytes::Bytes;
use dmgate::Webhook;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use super::{GoogleChat, event};
use crate::jwt::Token;
use crate::webhook::{json, json_answer, whole};

impl GoogleChat {
    /// One call of Google's. The answer says nothing: texts go by the API.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let (head, body) = request.into_parts();
        let event = self.proven(&head, body).await?;
        let mut answer = json_answer(&json!({}));
        match event::parse(&self.meta.account, &event) {
            Ok(event) => self.seen.answer(&mut answer, Some(event.key), event.message)?,
            Err(reason) => {
                tracing::debug!(account = %self.meta.account, "an event is dropped: {reason}");
            }
        }
        Ok(answer)
    }

    /// The event, if the token is right.
    // INVARIANT I14: the token comes before the body, and an ID token has to be of one whole identity.
    async fn proven(&self, head: &Parts, body: Bytes) -> Result<Value, StatusCode> {
        let token = Token::of(head)?;
        let body = whole(body)?;
        let proof = self.verifier.verify(&token).await?;
        if let Some(identity) = &self.identity {
            let is_theirs = proof.text("email") == Some(identity) && proof.is_true("email_verified");
            if !is_theirs {
                return Err(StatusCode::UNAUTHORIZED);
            }
        }
        json(&body).and_then(|event| if event.is_object() { Ok(event) } else { Err(StatusCode::BAD_REQUEST) })
    }
}
