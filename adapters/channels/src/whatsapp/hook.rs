//! Calls of Meta's.

use bytes::Bytes;
use dmgate::Webhook;
use http::request::Parts;
use http::{Method, StatusCode};

use super::{Cloud, WhatsApp, update};
use crate::Secret;
use crate::signature::Signature;
use crate::webhook::{Form, header, text_answer, whole};

const HEADER: &str = "x-hub-signature-256";

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
    pub(super) fn take(&self, request: http::Request<Bytes>) -> Webhook {
        let (head, body) = request.into_parts();
        if head.method == Method::GET {
            return self.hook.challenge(&head).map_or_else(Webhook::status, text_answer);
        }
        if let Some(refused) = self.hook.refuses(&head) {
            return Webhook::status(refused);
        }
        let body = match self.hook.proven(&head, &body).and_then(|()| whole(body)) {
            Ok(body) => body,
            Err(refused) => return Webhook::status(refused),
        };
        let account = &self.meta.account;
        let Some(update) = update::parse(account, &self.hook.phone_number_id, &body) else {
            return Webhook::status(StatusCode::BAD_REQUEST);
        };
        for failure in update.failures {
            tracing::warn!(%account, "a text did not arrive: {failure}");
        }
        let mut answer = Webhook::status(StatusCode::OK);
        let is_new = |id: &Option<String>| id.as_ref().is_none_or(|id| self.seen.is_new(id.clone()));
        answer.messages.extend(update.messages.into_iter().filter(|message| is_new(&message.message_id)));
        answer
    }
}
