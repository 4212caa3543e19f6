//! Calls of the server's.

use bytes::Bytes;
use dmgate::{InboundMessage, Webhook};
use http::StatusCode;
use http::request::Parts;

use super::{BlueBubbles, event};
use crate::Secret;
use crate::adapter::Setup;
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
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Webhook {
        let (head, body) = request.into_parts();
        let body = match self.hook.proven(&head).and_then(|()| whole(body)) {
            Ok(body) => body,
            Err(refused) => return Webhook::status(refused),
        };
        let Ok(event) = serde_json::from_slice(&body) else {
            return Webhook::status(StatusCode::BAD_REQUEST);
        };
        let mut answer = Webhook::status(StatusCode::OK);
        answer.messages.extend(self.read(event).await);
        answer
    }

    async fn read(&self, mut event: event::Event) -> Option<InboundMessage> {
        let account = &self.meta.account;
        let dropped = |reason: &str| tracing::debug!(%account, "an event is dropped: {reason}");
        let mut noted = None;
        if event.kind == "new-message" {
            let guid = event::guid(&event).map(str::to_owned);
            let Some(guid) = guid else {
                dropped("it has no id");
                return None;
            };
            if !self.seen.is_new(guid.clone()) {
                return None;
            }
            if event::is_incomplete(&event) {
                match self.rest.message(&guid).await {
                    Ok(data) => event.data = data,
                    Err(error) => {
                        tracing::warn!(%account, "a message lacks its chat, and it is not to be had: {error}");
                    }
                }
            }
            noted = Some(guid);
        }
        let message = event::parse(account, self.sms, event).inspect_err(|reason| dropped(reason)).ok();
        // What is told of before it is whole may be told of again.
        if let Some(guid) = noted.filter(|_| !message.as_ref().is_some_and(|message| message.event.acts())) {
            self.seen.forget(&guid);
        }
        message
    }
}
