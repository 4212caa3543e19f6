//! Calls of the Bot API.

use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Secret;
use crate::api::{Api, ApiError};
use crate::client::with_json;
use crate::form::Form;
use crate::media::File;

/// The Bot API, for one bot.
pub(super) struct BotApi {
    api: Api,
    token: Secret,
}

/// What every answer looks like.
#[derive(Deserialize)]
struct Reply {
    ok: bool,
    result: Option<Value>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

#[derive(Deserialize)]
struct Place {
    file_path: Option<String>,
    file_size: Option<u64>,
}

impl BotApi {
    pub(super) fn new(
        base: &str,
        token: Secret,
        proxy: Option<&Secret>,
        patience: Duration,
    ) -> Result<Self, String> {
        // The token is in every URL.
        let api = Api::new("Telegram", base, proxy, vec![token.clone()], patience)?;
        Ok(Self { api, token })
    }

    /// Calls a method.
    pub(super) async fn call(&self, method: &str, parameters: &Value) -> Result<Value, ApiError> {
        self.call_slow(method, parameters, Duration::ZERO).await
    }

    /// Calls a method that may take `longer` than others.
    pub(super) async fn call_slow(
        &self,
        method: &str,
        parameters: &Value,
        longer: Duration,
    ) -> Result<Value, ApiError> {
        let request = self.request(method)?;
        self.answer(with_json(request, parameters), longer).await
    }

    /// Calls a method that takes a file.
    pub(super) async fn upload(&self, method: &str, form: Form) -> Result<Value, ApiError> {
        self.answer(form.on(self.request(method)?), Duration::ZERO).await
    }

    fn request(&self, method: &str) -> Result<RequestBuilder, ApiError> {
        self.api.request(Method::POST, &format!("bot{}/{method}", self.token.reveal()))
    }

    async fn answer(&self, request: RequestBuilder, longer: Duration) -> Result<Value, ApiError> {
        let answer = self.api.call_slow(request, longer).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(Reply { ok: true, result: Some(result), .. }) if answer.status.is_success() => Ok(result),
            Ok(reply) if !reply.ok => Err(self.refusal(answer.status, reply)),
            _ => Err(self.api.garbled(answer.status)),
        }
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        // Places and contacts are in the reference itself.
        if !super::is_word(&attachment.reference) {
            return Err(FetchError::Unsupported);
        }
        let failed = |reason: String| FetchError::Failed(reason);
        let place = self.call("getFile", &json!({ "file_id": attachment.reference })).await;
        let place = place.map_err(|error| failed(error.to_string()))?;
        let place: Place =
            serde_json::from_value(place).map_err(|_| failed("the Bot API says nothing of it".to_owned()))?;
        if place.file_size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        let path = place.file_path.unwrap_or_default();
        // It becomes part of a URL: it may only lead to a file of this bot.
        let is_plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if !path.split('/').all(is_plain) {
            return Err(failed("the Bot API says no place from where it can be had".to_owned()));
        }
        let request = self.api.request(Method::GET, &format!("file/bot{}/{path}", self.token.reveal()));
        let request = request.map_err(|error| failed(error.to_string()))?;
        self.api.fetch_answer(request, limit, file).await
    }

    fn refusal(&self, status: StatusCode, reply: Reply) -> ApiError {
        // Its codes are those of HTTP.
        let code = reply.error_code.unwrap_or(status.as_u16());
        let status = StatusCode::from_u16(code).unwrap_or(status);
        let retry_after = reply.parameters.and_then(|more| more.retry_after).map(Duration::from_secs);
        let description = reply.description.unwrap_or_default();
        self.api.refusal(status, code.into(), &description, retry_after)
    }

    /// That an answer holds nothing that can be used.
    pub(super) fn lost(&self, reason: &str) -> ApiError {
        self.api.lost(reason)
    }
}
