//! Calls of Meta's.

use std::time::Duration;

use bytes::Bytes;
use dmgate::{InboundMessage, Webhook};
use http::request::Parts;
use http::{Method, StatusCode};

use super::{Cloud, WhatsApp, update};
use crate::Secret;
use crate::signature::Signature;
use crate::webhook::{Form, header, text_answer, whole};

const HEADER: &str = "x-hub-signature-256";

/// How old a message may be: Meta sends it for seven days. What is older is a copy.
const WINDOW: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// The longest challenge that is given back.
const CHALLENGE: usize = 256;

/// How Meta proves itself, and whose messages are ours.
pub(super) struct Hook {
    app_secret: Secret,
    verify_token: Secret,
    phone_number_id: String,
}

impl Hook {
    pub(super) fn new(config: Cloud) -> Self {
        let Cloud { app_secret, verify_token, phone_number_id, .. } = config;
        Self { app_secret, verify_token, phone_number_id }
    }

    /// The status for a call that is not Meta's, as its head shows.
    pub(super) fn refuses(&self, head: &Parts) -> Option<StatusCode> {
        match head.method {
            Method::GET => self.challenge(head).err(),
            Method::POST => signature(head).err(),
            _ => Some(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    /// What Meta wants back, before it calls for the first time.
    fn challenge(&self, head: &Parts) -> Result<String, StatusCode> {
        let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
        let is_meta =
            query.get("hub.mode") == Some("subscribe") && query.is(&["hub.verify_token"], &self.verify_token);
        if !is_meta {
            return Err(StatusCode::FORBIDDEN);
        }
        let is_plain = |text: &&str| {
            (1..=CHALLENGE).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        query.get("hub.challenge").filter(is_plain).map(str::to_owned).ok_or(StatusCode::BAD_REQUEST)
    }

    // INVARIANT I14: what is not signed with the app's secret is not parsed.
    fn proven(&self, head: &Parts, body: &[u8]) -> Result<(), StatusCode> {
        let given = signature(head)?;
        if Signature::hmac(&self.app_secret, &[body]).is_hex(given) {
            Ok(())
        } else {
            Err(StatusCode::UNAUTHORIZED)
        }
    }
}

/// The signature that a head holds, in hex.
fn signature(head: &Parts) -> Result<&str, StatusCode> {
    header(head, HEADER)?.strip_prefix("sha256=").ok_or(StatusCode::UNAUTHORIZED)
}

impl WhatsApp {
    /// One call.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET {
            return self.hook.challenge(&head).map(text_answer);
        }
        if let Some(refused) = self.hook.refuses(&head) {
            return Err(refused);
        }
        self.hook.proven(&head, &body)?;
        let account = &self.meta.account;
        let update = update::parse(account, &self.hook.phone_number_id, &whole(body)?);
        let update = update.ok_or(StatusCode::BAD_REQUEST)?;
        for failure in update.failures {
            tracing::warn!(%account, "a text did not arrive: {failure}");
        }
        let mut answer = Webhook::status(StatusCode::OK);
        let now = self.world.clock.now();
        let is_copy = |message: &InboundMessage| message.sent_at.is_some_and(|at| at.age_at(now) > WINDOW);
        let messages = update.messages.into_iter().filter(|message| !is_copy(message));
        let messages = messages.map(|message| (message.message_id.clone(), message));
        self.memory.answer(&mut answer, messages).await?;
        Ok(answer)
    }
}
