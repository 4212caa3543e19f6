//! Calls of the Messaging API.

use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Config;
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::{Answer, with_json};
use crate::media::File;
use crate::options::ConfigError;

/// How often LINE is asked whether a video is ready.
const READYING: usize = 30;

/// The Messaging API, for one channel.
pub(super) struct LineApi {
    api: Api,
    data: Api,
    token: Secret,
}

/// Where LINE calls.
#[derive(Deserialize)]
pub(super) struct Hook {
    pub(super) endpoint: String,
    /// Whether it does.
    pub(super) active: bool,
}

/// What is wrong with a call.
#[derive(Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    message: Option<String>,
    property: Option<String>,
}

impl LineApi {
    pub(super) fn new(config: &Config, patience: Duration) -> Result<Self, ConfigError> {
        let api = |name, base: &str| {
            let secrets = vec![config.channel_access_token.clone(), config.channel_secret.clone()];
            Api::new("LINE", base, config.proxy.as_ref(), secrets, patience)
                .map_err(|reason| ConfigError::Invalid { name, reason })
        };
        let (data, api) = (api("data_base", &config.data_base)?, api("api_base", &config.api_base)?);
        Ok(Self { api, data, token: config.channel_access_token.clone() })
    }

    /// Where LINE calls, if it was told.
    pub(super) async fn webhook(&self) -> Result<Option<Hook>, ApiError> {
        match self.call(Method::GET, "v2/bot/channel/webhook/endpoint", None).await {
            Ok(hook) => Hook::deserialize(hook).map(Some).map_err(|_| self.api.lost("it names no web hook")),
            Err(ApiError { trouble: Trouble::Refused { status: 404, .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells LINE where to call.
    pub(super) async fn set_webhook(&self, url: &str) -> Result<(), ApiError> {
        let place = json!({ "endpoint": url });
        self.call(Method::PUT, "v2/bot/channel/webhook/endpoint", Some(&place)).await.map(drop)
    }

    /// Sends one text to a user; a second one with the same key is not sent.
    // INVARIANT I6: LINE takes a text with this key once, so a try whose outcome is not known can be made again.
    pub(super) async fn push(&self, user: &str, text: &str, key: &str) -> Result<(), ApiError> {
        let message = json!({ "to": user, "messages": [{ "type": "text", "text": text }] });
        let request = self.request(&self.api, Method::POST, "v2/bot/message/push")?;
        let answer = self.api.call(with_json(request, &message).header("x-line-retry-key", key)).await?;
        match self.read(&answer) {
            // An earlier try was accepted.
            Err(ApiError { trouble: Trouble::Refused { status: 409, .. }, .. }) => Ok(()),
            read => read.map(drop),
        }
    }

    /// Shows for so many seconds that an answer is being written; less if it comes.
    pub(super) async fn show_loading(&self, user: &str, seconds: u8) -> Result<(), ApiError> {
        let loading = json!({ "chatId": user, "loadingSeconds": seconds });
        self.call(Method::POST, "v2/bot/chat/loading/start", Some(&loading)).await.map(drop)
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        pause: Duration,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let id = attachment.reference.as_str();
        // Places, stickers and what others have are no files of LINE's.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FetchError::Unsupported);
        }
        if attachment.size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        if matches!(attachment.kind.as_str(), "video" | "audio") {
            self.ready(id, pause).await?;
        }
        let path = format!("v2/bot/message/{id}/content");
        let request = self.request(&self.data, Method::GET, &path).map_err(|error| unfetched(&error))?;
        self.data.fetch_answer(request, limit, file).await
    }

    /// Waits until a video can be had.
    async fn ready(&self, id: &str, pause: Duration) -> Result<(), FetchError> {
        let path = format!("v2/bot/message/{id}/content/transcoding");
        for _ in 0..READYING {
            let request = self.request(&self.data, Method::GET, &path).map_err(|error| unfetched(&error))?;
            let answer = self.data.call(request).await.map_err(|error| unfetched(&error))?;
            match self.read(&answer).map_err(|error| unfetched(&error))?.get("status").and_then(Value::as_str)
            {
                Some("succeeded") => return Ok(()),
                Some("processing") => tokio::time::sleep(pause).await,
                _ => return Err(FetchError::Failed("LINE could not get it ready".to_owned())),
            }
        }
        Err(FetchError::Failed("LINE does not get it ready".to_owned()))
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        let request = self.request(&self.api, method, path)?;
        let request = match body {
            Some(body) => with_json(request, body),
            None => request,
        };
        self.read(&self.api.call(request).await?)
    }

    fn request(&self, api: &Api, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        Ok(api.request(method, path)?.bearer_auth(self.token.reveal()))
    }

    /// What an answer says; every one is JSON.
    fn read(&self, answer: &Answer) -> Result<Value, ApiError> {
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| self.api.garbled(answer.status));
        }
        let refusal = serde_json::from_slice::<Refusal>(&answer.body);
        let Ok(Refusal { message, details }) = refusal else { return Err(self.unreadable(answer)) };
        let details = details.iter().filter_map(|detail| {
            let property = detail.property.as_deref().unwrap_or("the body");
            detail.message.as_ref().map(|message| format!("; `{property}`: {message}"))
        });
        let description = message + &details.collect::<String>();
        Err(self.api.refusal(
            answer.status,
            answer.status.as_u16().into(),
            &description,
            answer.retry_after(),
        ))
    }

    /// A refusal in other words than LINE's: a server before it may be busy or broken.
    fn unreadable(&self, answer: &Answer) -> ApiError {
        match answer.status {
            StatusCode::TOO_MANY_REQUESTS => {
                self.api.refusal(answer.status, 429, "slow down", answer.retry_after())
            }
            status => self.api.garbled(status),
        }
    }
}

fn unfetched(error: &ApiError) -> FetchError {
    FetchError::Failed(error.to_string())
}
