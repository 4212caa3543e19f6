//! Calls of the server's REST API. Its password is in the address of each.

use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::event::is_plain;
use super::{Config, hook};
use crate::Secret;
use crate::api::{Api, ApiError};
use crate::client::{Answer, with_json};
use crate::media::File;

/// How long the server may take to say something.
const PATIENCE: Duration = Duration::from_secs(15);

/// How much longer it may take to send a text: the Mac's Messages is told by a script, and may hang.
const SENDING: Duration = Duration::from_secs(105);

/// What Apple says of a handle that has no iMessage.
pub(super) const NO_IMESSAGE: i64 = 22;

/// One server's API.
pub(super) struct Rest {
    api: Api,
    /// As it stands in addresses.
    password: Secret,
}

/// A text as it stands in an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Rest {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let password = Secret::new(encoded(config.password.reveal()));
        let secrets = vec![config.password.clone(), password.clone(), config.webhook_secret.clone()];
        let api = Api::new("BlueBubbles", &config.server_url, config.proxy.as_ref(), secrets, PATIENCE)?;
        Ok(Self { api, password })
    }

    /// Tells the server where to call us, unless it knows. Addresses of ours with another secret are taken away.
    pub(super) async fn register(&self, hook: &hook::Hook) -> Result<(), ApiError> {
        let url = hook.url();
        let known = self.call(Method::GET, "webhook", None).await?;
        let mut is_there = false;
        for known in known.as_array().into_iter().flatten() {
            let address = known.get("url").and_then(Value::as_str).unwrap_or_default();
            let is_ours = address.split('?').next() == Some(hook.address.as_str());
            if is_ours && !is_there && address == url.reveal() && hears_messages(known) {
                is_there = true;
            } else if is_ours && let Some(id) = known.get("id").and_then(Value::as_u64) {
                self.call(Method::DELETE, &format!("webhook/{id}"), None).await?;
            }
        }
        if !is_there {
            let ours = json!({ "url": url.reveal(), "events": ["new-message"] });
            self.call(Method::POST, "webhook", Some(&ours)).await?;
        }
        Ok(())
    }

    /// A message with its handle and its chats.
    pub(super) async fn message(&self, guid: &str) -> Result<Value, ApiError> {
        self.call_with(
            Method::GET,
            &format!("message/{guid}"),
            "with=chats,attachments&",
            None,
            Duration::ZERO,
        )
        .await
    }

    /// Sends a text.
    pub(super) async fn send(&self, text: &Value) -> Result<(), ApiError> {
        self.call_with(Method::POST, "message/text", "", Some(text), SENDING).await.map(drop)
    }

    /// Shows that we write.
    pub(super) async fn typing(&self, chat: &str) -> Result<(), ApiError> {
        self.call(Method::POST, &format!("chat/{}/typing", encoded(chat)), None).await.map(drop)
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let guid = &attachment.reference;
        if !is_plain(guid) {
            return Err(FetchError::Unsupported);
        }
        if attachment.size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        let path = format!("api/v1/attachment/{guid}/download?password={}", self.password.reveal());
        let request = self.api.request(Method::GET, &path);
        let request = request.map_err(|error| FetchError::Failed(error.to_string()))?;
        self.api.fetch_answer(request, limit, file).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        self.call_with(method, path, "", body, Duration::ZERO).await
    }

    /// Makes a call that may take `longer` than others; what its answer holds.
    async fn call_with(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: Option<&Value>,
        longer: Duration,
    ) -> Result<Value, ApiError> {
        let path = format!("api/v1/{path}?{query}password={}", self.password.reveal());
        let mut request = self.api.request(method, &path)?;
        if let Some(body) = body {
            request = with_json(request, body);
        }
        let Answer { status, headers, body } = self.api.call_slow(request, longer).await?;
        let said: Option<Value> = serde_json::from_slice(&body).ok();
        if status.is_success() {
            let said = said.ok_or_else(|| self.api.garbled(status))?;
            return Ok(said.get("data").cloned().unwrap_or_default());
        }
        let Some(said) = said.filter(|said| said.get("status").is_some()) else {
            return Err(self.api.garbled(status));
        };
        let words = said.pointer("/error/message").or_else(|| said.get("message"));
        let words = words.and_then(Value::as_str).unwrap_or_default();
        // A text that Apple refused comes back with the number of the reason: then it is known that it did not arrive.
        if let Some(reason) =
            said.pointer("/data/error").and_then(Value::as_i64).filter(|reason| *reason != 0)
        {
            return Err(self.api.refusal(StatusCode::UNPROCESSABLE_ENTITY, reason, words, None));
        }
        let retry_after = Answer { status, headers, body }.retry_after();
        Err(self.api.refusal(status, status.as_u16().into(), words, retry_after))
    }
}

/// Whether a web hook is called for new messages.
fn hears_messages(hook: &Value) -> bool {
    let events = hook.get("events").and_then(Value::as_array);
    events.is_some_and(|events| events.iter().any(|event| event == "new-message" || event == "*"))
}
