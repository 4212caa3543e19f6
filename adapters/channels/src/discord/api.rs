//! Calls of the REST API.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dmgate::FetchError;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::{self, Limits};
use super::route::snowflake;
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::{Answer, with_json};
use crate::form::Form;
use crate::hosts::Hosts;
use crate::kept::Latest;
use crate::media::File;

/// The form that Discord demands: it blocks others.
const AGENT: &str = concat!("DiscordBot (https://dmgate.example, ", env!("CARGO_PKG_VERSION"), ")");

/// The REST API, for one bot.
pub(super) struct RestApi {
    api: Api,
    token: Secret,
    pub(super) limits: Limits,
    /// Types of channels and private channels of users: neither ever changes.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    types: Latest<u64, u64, 1_024>,
    channels: Latest<u64, u64, 1_024>,
}

/// Where the gateway is.
#[derive(Deserialize)]
pub(super) struct Gateway {
    pub(super) url: String,
    pub(super) session_start_limit: Option<StartLimit>,
}

/// How many sessions may be begun until when.
#[derive(Deserialize)]
pub(super) struct StartLimit {
    pub(super) remaining: u64,
    /// Milliseconds.
    #[serde(default)]
    pub(super) reset_after: u64,
}

#[derive(Deserialize)]
struct Refusal {
    message: Option<String>,
    code: Option<i64>,
    retry_after: Option<f64>,
    global: Option<bool>,
}

#[derive(Deserialize)]
struct Channel {
    id: String,
    #[serde(rename = "type")]
    kind: u64,
}

impl RestApi {
    pub(super) fn new(
        base: &str,
        token: Secret,
        proxy: Option<&Secret>,
        patience: Duration,
    ) -> Result<Self, String> {
        let api = Api::new("Discord", base, proxy, vec![token.clone()], patience)?;
        Ok(Self { api, token, limits: Limits::default(), known: Mutex::default() })
    }

    pub(super) async fn gateway(&self) -> Result<Gateway, ApiError> {
        let gateway = self.call(None, Method::GET, "gateway/bot", None).await?;
        Gateway::deserialize(gateway).map_err(|_| self.api.lost("it does not say where the gateway is"))
    }

    /// The type of a channel; `None` where we are not told.
    pub(super) async fn channel_type(&self, channel: u64) -> Result<Option<u64>, ApiError> {
        if let Some(kind) = self.known.lock().unwrap_or_else(PoisonError::into_inner).types.get(&channel) {
            return Ok(Some(*kind));
        }
        match self.call(Some(channel), Method::GET, &format!("channels/{channel}"), None).await {
            Ok(answer) => {
                let kind = Channel::deserialize(answer).ok().map(|channel| channel.kind);
                if let Some(kind) = kind {
                    self.known.lock().unwrap_or_else(PoisonError::into_inner).types.put(channel, kind);
                }
                Ok(kind)
            }
            Err(ApiError { trouble: Trouble::Refused { status: 403 | 404, .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The private channel of a user, opened if it was not; `None` if Discord gives one that is no such.
    pub(super) async fn private_channel(&self, user: u64) -> Result<Option<u64>, ApiError> {
        if let Some(channel) = self.known.lock().unwrap_or_else(PoisonError::into_inner).channels.get(&user) {
            return Ok(Some(*channel));
        }
        let recipient = json!({ "recipient_id": user.to_string() });
        let opened = self.call(None, Method::POST, "users/@me/channels", Some(&recipient)).await?;
        let channel = Channel::deserialize(opened).ok().filter(|channel| channel.kind == 1);
        let channel = channel.and_then(|channel| snowflake(&channel.id));
        if let Some(channel) = channel {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).channels.put(user, channel);
        }
        Ok(channel)
    }

    pub(super) async fn create_message(&self, channel: u64, message: &Value) -> Result<(), ApiError> {
        let path = format!("channels/{channel}/messages");
        self.call(Some(channel), Method::POST, &path, Some(message)).await.map(drop)
    }

    /// The same with a file that the message names.
    pub(super) async fn create_message_with(
        &self,
        channel: u64,
        message: &Value,
        png: &[u8],
    ) -> Result<(), ApiError> {
        let form = Form::default().field("payload_json", &message.to_string());
        let form = form.png("files[0]", "code.png", png);
        let request = self.request(Method::POST, &format!("channels/{channel}/messages"))?;
        self.answer(Some(channel), form.on(request)).await.map(drop)
    }

    pub(super) async fn type_in(&self, channel: u64) -> Result<(), ApiError> {
        let path = format!("channels/{channel}/typing");
        self.call(Some(channel), Method::POST, &path, None).await.map(drop)
    }

    /// Fetches a file that came with a message. Its address is signed, so no token is shown.
    pub(super) async fn fetch(
        &self,
        address: &str,
        hosts: &Hosts,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        // Some stickers are no files.
        if !address.starts_with("http") {
            return Err(FetchError::Unsupported);
        }
        self.api.fetch(address, None, hosts, limit, file).await
    }

    /// Makes a call, about this channel if about one.
    async fn call(
        &self,
        channel: Option<u64>,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let request = self.request(method, path)?;
        let request = match body {
            Some(body) => with_json(request, body),
            None => request,
        };
        self.answer(channel, request).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        let request = self.api.request(method, path)?;
        let request = request.header(AUTHORIZATION, format!("Bot {}", self.token.reveal()));
        Ok(request.header(USER_AGENT, AGENT))
    }

    async fn answer(&self, channel: Option<u64>, request: RequestBuilder) -> Result<Value, ApiError> {
        let answer = self.api.call(request).await?;
        if !answer.status.is_success() {
            return Err(self.refused(channel, &answer));
        }
        if let (Some(channel), Some(wait)) = (channel, limits::used_up(&answer.headers)) {
            self.limits.note(Some(channel), wait);
        }
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|_| self.api.garbled(answer.status))
    }

    fn refused(&self, channel: Option<u64>, answer: &Answer) -> ApiError {
        let status = answer.status;
        let said = serde_json::from_slice::<Refusal>(&answer.body).ok();
        let is_slow = status == StatusCode::TOO_MANY_REQUESTS;
        // What stands before Discord answers with pages.
        let Some(said) = said.or_else(|| is_slow.then(Refusal::nothing)) else {
            return self.api.garbled(status);
        };
        let asked = said.retry_after.and_then(limits::seconds).or_else(|| answer.retry_after());
        if let Some(asked) = asked.filter(|_| is_slow) {
            // A wait of unknown reach is everybody's.
            self.limits.note(channel.filter(|_| said.global == Some(false)), asked);
        }
        let code = said.code.filter(|code| *code != 0).unwrap_or_else(|| status.as_u16().into());
        self.api.refusal(status, code, said.message.as_deref().unwrap_or_default(), asked)
    }
}

impl Refusal {
    fn nothing() -> Self {
        Self { message: None, code: None, retry_after: None, global: None }
    }
}
