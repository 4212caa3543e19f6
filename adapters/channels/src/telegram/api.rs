//! Calls of the Bot API, and what can become of them.

use std::time::Duration;

use bytes::Bytes;
use dmgate::{Attachment, FetchError, escape};
use http::StatusCode;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Secret;
use crate::client::{CallError, HttpClient};

/// The longest answer that is read: a hundred updates are a fraction of it.
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;

/// How long a file may take.
const FETCH: Duration = Duration::from_secs(120);

/// The Bot API, for one bot.
pub(super) struct BotApi {
    http: HttpClient,
    base: String,
    token: Secret,
    /// How long an answer may take.
    pub(super) patience: Duration,
}

/// Why a call gave nothing. No text in it holds the token.
#[derive(Debug)]
pub(super) enum ApiError {
    /// The call did not leave.
    NotSent(String),
    /// The call left, and what became of it is not known.
    Lost(String),
    /// Telegram refuses the call.
    Refused {
        /// The error code, which is an HTTP status.
        code: u16,
        /// What Telegram says.
        description: String,
        /// How long it wants us to wait.
        retry_after: Option<Duration>,
    },
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
struct File {
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
        let base = base.trim().trim_end_matches('/');
        let url = Url::parse(base).map_err(|error| format!("not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err("a URL like `https://api.telegram.org` is expected".to_owned());
        }
        Ok(Self { http: HttpClient::new(&url, proxy)?, base: base.to_owned(), token, patience })
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
        let url = self.url(&format!("bot{}/{method}", self.token.reveal())).map_err(ApiError::NotSent)?;
        let timeout = self.patience + longer;
        let answer = self.http.post_json(url, parameters, ANSWER_LIMIT, timeout).await;
        let answer = answer.map_err(|error| self.trouble(error))?;
        match serde_json::from_slice(&answer.body) {
            Ok(Reply { ok: true, result: Some(result), .. }) if answer.status.is_success() => Ok(result),
            Ok(reply) if !reply.ok => Err(self.refusal(answer.status, reply)),
            _ => Err(garbled(answer.status)),
        }
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(&self, attachment: &Attachment, limit: u64) -> Result<Bytes, FetchError> {
        // Places and contacts are in the reference itself.
        if !super::is_word(&attachment.reference) {
            return Err(FetchError::Unsupported);
        }
        let failed = |reason: String| FetchError::Failed(reason);
        let file = self.call("getFile", &json!({ "file_id": attachment.reference })).await;
        let file = file.map_err(|error| failed(error.to_string()))?;
        let file: File =
            serde_json::from_value(file).map_err(|_| failed("the Bot API says nothing of it".to_owned()))?;
        if file.file_size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        let path = file.file_path.unwrap_or_default();
        // It becomes part of a URL: it may only lead to a file of this bot.
        let is_plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if !path.split('/').all(is_plain) {
            return Err(failed("the Bot API says no place from where it can be had".to_owned()));
        }
        let url = self.url(&format!("file/bot{}/{path}", self.token.reveal())).map_err(failed)?;
        match self.http.get(url, limit, FETCH).await {
            Ok(answer) if answer.status.is_success() => Ok(answer.body),
            Ok(answer) => Err(failed(format!("the Bot API answered {}", answer.status))),
            Err(CallError::TooLarge) => Err(FetchError::TooLarge(limit)),
            Err(error) => Err(failed(self.trouble(error).to_string())),
        }
    }

    fn url(&self, path: &str) -> Result<Url, String> {
        Url::parse(&format!("{}/{path}", self.base)).map_err(|error| format!("not a URL: {error}"))
    }

    fn trouble(&self, error: CallError) -> ApiError {
        match error {
            CallError::NotSent(reason) => ApiError::NotSent(self.token.mask(&reason)),
            CallError::Lost(reason) => ApiError::Lost(self.token.mask(&reason)),
            CallError::TooLarge => ApiError::Lost("the answer is too large".to_owned()),
        }
    }

    fn refusal(&self, status: StatusCode, reply: Reply) -> ApiError {
        ApiError::Refused {
            code: reply.error_code.unwrap_or_else(|| status.as_u16()),
            description: escape(&self.token.mask(&reply.description.unwrap_or_default())),
            retry_after: reply.parameters.and_then(|more| more.retry_after).map(Duration::from_secs),
        }
    }
}

/// An answer that the Bot API does not give: something before it, or something else.
fn garbled(status: StatusCode) -> ApiError {
    match status.as_u16() {
        code @ 300..=499 => ApiError::NotSent(format!(
            "something else answers {code} in its place; check `api_base` and proxies"
        )),
        code => ApiError::Lost(format!("an answer with status {code} that the Bot API does not give")),
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSent(reason) => write!(f, "Telegram can't be reached: {reason}"),
            Self::Lost(reason) => write!(f, "no answer from Telegram: {reason}"),
            Self::Refused { code, description, .. } => write!(f, "Telegram answers {code}: {description}"),
        }
    }
}
