//! Calls of the server's.

use bytes::Bytes;
use dmgate::Webhook;
use http::StatusCode;
use http::request::Parts;

use super::{BlueBubbles, event};
use crate::Secret;
use crate::adapter::Setup;
use crate::backoff::insist;
use crate::options::ConfigError;
use crate::webhook::{proven_by_header, proven_by_query, whole};

/// What the secret is called in an address, the one that we give first; established adapters take the others too.
const NAMES: &[&str] = &["password", "guid", "token"];

/// What a proxy may call the header that it moves the secret to.
const HEADERS: [&str; 2] = ["x-password", "x-guid"];

/// Where the server calls us, and how it proves itself.
pub(super) struct Hook {
    /// Without the secret.
    pub(super) address: String,
    secret: Secret,
}

impl Hook {
    pub(super) fn new(setup: &Setup, secret: Secret) -> Result<Self, ConfigError> {
        let is_word =
            secret.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !is_word || !(16..=256).contains(&secret.reveal().len()) {
            return Err(ConfigError::Invalid {
                name: "webhook_secret",
                reason: "16 to 256 of the characters A-Z a-z 0-9 _ - are expected".to_owned(),
            });
        }
        let address = setup.webhook_url().ok_or_else(|| {
            ConfigError::Setup(
                "web hooks need `public_url` in [gateway], where the Mac reaches us".to_owned(),
            )
        })?;
        Ok(Self { address, secret })
    }

    /// Where the server calls us, with the secret: for the server and nobody else.
    pub(super) fn url(&self) -> Secret {
        Secret::new(format!("{}?password={}", self.address, self.secret.reveal()))
    }

    /// Whether the head shows the secret: in its address, or else in a header.
    pub(super) fn proven(&self, head: &Parts) -> Result<(), StatusCode> {
        let secret = Some(&self.secret);
        match HEADERS.into_iter().find(|name| head.headers.contains_key(*name)) {
            Some(header) if head.uri.query().is_none() => proven_by_header(head, header, secret),
            _ => proven_by_query(head, NAMES, secret),
        }
    }
}

impl BlueBubbles {
    /// One call.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let (head, body) = request.into_parts();
        self.hook.proven(&head)?;
        let mut event: event::Event =
            serde_json::from_slice(&whole(body)?).map_err(|_| StatusCode::BAD_REQUEST)?;
        let mut answer = Webhook::status(StatusCode::OK);
        let account = &self.meta.account;
        let mut claim = None;
        if event.kind == "new-message" {
            let Some(guid) = event::guid(&event).map(str::to_owned) else {
                tracing::debug!(%account, "an event is dropped: it has no id");
                return Ok(answer);
            };
            claim = self.seen.claim([guid.clone()])?;
            if claim.is_none() {
                return Ok(answer);
            }
            if event::is_incomplete(&event) {
                match insist(&self.world, self.retry, || self.rest.message(&guid)).await {
                    Ok(data) => event.data = data,
                    Err(error) => {
                        tracing::warn!(%account, "a message lacks its chat, and it is not to be had: {error}");
                    }
                }
            }
        }
        match event::parse(account, self.sms, event) {
            // What is told of before it is whole may be told of again.
            Ok(message) => match claim.filter(|_| message.event.acts()) {
                Some(claim) => claim.answer(&mut answer, message),
                None => answer.messages.push(message),
            },
            Err(reason) => tracing::debug!(%account, "an event is dropped: {reason}"),
        }
        Ok(answer)
    }
}
