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
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Webhook {
        let (head, body) = request.into_parts();
        let event = match self.proven(&head, body).await {
            Ok(event) => event,
            Err(refused) => return Webhook::status(refused),
        };
        let mut answer = json_answer(&json!({}));
        match event::parse(&self.meta.account, &event) {
            Ok(event) => answer.messages.extend(self.seen.is_new(event.key).then_some(event.message)),
            Err(reason) => {
                tracing::debug!(account = %self.meta.account, "an event is dropped: {reason}");
            }
        }
        answer
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
