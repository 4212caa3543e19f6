//! Activities by web hook.

use bytes::Bytes;
use dmgate::Webhook;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use super::{Teams, activity};
use crate::jwt::Token;
use crate::webhook::{json, json_answer, whole};

/// The channel that this adapter is for, as activities and endorsements name it.
const CHANNEL_ID: &str = "msteams";

impl Teams {
    /// One call of the Bot Connector's.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let (head, body) = request.into_parts();
        let activity = self.proven(&head, body).await?;
        // An `invoke` wants a body, the rest none.
        let mut answer = match activity::text(&activity, "type") {
            Some("invoke") => json_answer(&json!({})),
            _ => Webhook::status(StatusCode::OK),
        };
        let message = activity::parse(&self.meta.account, &self.own, self.connector.services(), &activity);
        match message {
            // An edit has the id of what it changes, so only what acts is compared.
            Ok(message) => {
                let mark = mark(&activity).filter(|_| message.event.acts());
                self.seen.answer(&mut answer, mark, message)?;
            }
            Err(reason) => {
                tracing::debug!(account = %self.meta.account, "an activity is dropped: {reason}");
            }
        }
        Ok(answer)
    }

    /// The activity, if the token is right and speaks of it.
    // INVARIANT I14: the token comes before the body, and what it says of the body must be so.
    async fn proven(&self, head: &Parts, body: Bytes) -> Result<Value, StatusCode> {
        let token = Token::of(head)?;
        let body = whole(body)?;
        let proof = self.verifier.verify(&token).await?;
        let activity = json(&body)?;
        let service = activity::text(&activity, "serviceUrl").ok_or(StatusCode::BAD_REQUEST)?;
        if proof.text("serviceurl") != Some(service) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let is_teams = activity::text(&activity, "channelId") == Some(CHANNEL_ID);
        if !is_teams || !proof.endorses(CHANNEL_ID) {
            return Err(StatusCode::FORBIDDEN);
        }
        if self.connector.services().allow(service).is_none() {
            let (account, service) = (&self.meta.account, dmgate::escape(service));
            tracing::warn!(%account, "a conversation at a host that is not known: {service}; see `service_urls`");
            return Err(StatusCode::FORBIDDEN);
        }
        Ok(activity)
    }
}

/// What an activity is known by when it comes again: its conversation and its id.
fn mark(activity: &Value) -> Option<(String, String)> {
    let conversation = activity::text(activity.get("conversation")?, "id")?;
    Some((conversation.to_owned(), activity::text(activity, "id")?.to_owned()))
}
