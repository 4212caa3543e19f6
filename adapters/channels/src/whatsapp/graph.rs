//! Calls of the Graph API, for one number.

use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::Method;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::Value;

use super::{Cloud, update};
use crate::Secret;
use crate::api::{Api, ApiError};
use crate::client::with_json;
use crate::hosts::Hosts;
use crate::media::File;

/// How long Meta may take to say something.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where Meta gives files.
const FILES: &[&str] = &["lookaside.fbsbx.com"];

/// The API, for one number.
pub(super) struct Graph {
    api: Api,
    token: Secret,
    phone_number_id: String,
    pub(super) hosts: Hosts,
}

/// What a refusal looks like.
#[derive(Deserialize)]
struct Refusal {
    error: Refused,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: i64,
    error_data: Option<Value>,
}

/// Where a file is.
#[derive(Deserialize)]
struct Place {
    url: String,
    file_size: Option<u64>,
}

impl Graph {
    pub(super) fn new(config: &Cloud) -> Result<Self, String> {
        let secrets =
            vec![config.access_token.clone(), config.app_secret.clone(), config.verify_token.clone()];
        let api = Api::new("WhatsApp", &config.api_base, config.proxy.as_ref(), secrets, PATIENCE)?;
        let hosts = Hosts::new(FILES, [config.api_base.as_str()]);
        let (token, phone_number_id) = (config.access_token.clone(), config.phone_number_id.clone());
        Ok(Self { api, token, phone_number_id, hosts })
    }

    /// Whether the token is good for the number.
    pub(super) async fn number(&self) -> Result<(), ApiError> {
        let path = format!("{}?fields=display_phone_number", self.phone_number_id);
        let number = self.call(self.request(Method::GET, &path)?).await?;
        number.get("id").map(drop).ok_or_else(|| self.api.lost("the answer is about no number"))
    }

    /// Sends a text, or the sign that we write one.
    pub(super) async fn send(&self, message: &Value) -> Result<Value, ApiError> {
        let request = self.request(Method::POST, &format!("{}/messages", self.phone_number_id))?;
        self.call(with_json(request, message)).await
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let id = &attachment.reference;
        if !update::is_number(id) {
            return Err(FetchError::Unsupported);
        }
        let failed = |error: ApiError| FetchError::Failed(error.to_string());
        let path = format!("{id}?phone_number_id={}", self.phone_number_id);
        let place = self.call(self.request(Method::GET, &path).map_err(failed)?).await.map_err(failed)?;
        let Place { url, file_size } = Place::deserialize(place)
            .map_err(|_| FetchError::Failed("WhatsApp does not say where it is".to_owned()))?;
        if file_size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        self.api.fetch(&url, Some(&self.token), &self.hosts, limit, file).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        Ok(self.api.request(method, path)?.bearer_auth(self.token.reveal()))
    }

    async fn call(&self, request: RequestBuilder) -> Result<Value, ApiError> {
        let answer = self.api.call(request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| self.api.garbled(answer.status));
        }
        let Ok(Refusal { error }) = serde_json::from_slice(&answer.body) else {
            return Err(self.api.garbled(answer.status));
        };
        let Refused { message, code, error_data } = error;
        let details = error_data.as_ref().and_then(|data| data.get("details")?.as_str()).unwrap_or_default();
        let said = if details.is_empty() { message } else { format!("{message}; {details}") };
        Err(self.api.refusal(answer.status, code, &said, answer.retry_after()))
    }

    /// That an answer holds nothing that can be used.
    pub(super) fn lost(&self, reason: &str) -> ApiError {
        self.api.lost(reason)
    }
}
