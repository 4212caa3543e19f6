//! Calls of the Bot API.

use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::Secret;
use crate::api::{Api, ApiError};
use crate::client::{Answer, with_json};
use crate::hosts::Hosts;
use crate::media::File;

/// Where pictures are: Zalo's servers for files.
const MEDIA: &[&str] = &["*.zdn.vn", "*.zadn.vn", "*.dlfl.vn"];

/// The Bot API, for one bot.
pub(super) struct BotApi {
    api: Api,
    token: Secret,
    hosts: Hosts,
}

/// What every answer looks like. Its status is 200 also where it is a refusal.
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

impl BotApi {
    pub(super) fn new(
        base: &str,
        token: Secret,
        proxy: Option<&Secret>,
        patience: Duration,
    ) -> Result<Self, String> {
        // The token is in every URL.
        let api = Api::new("Zalo", base, proxy, vec![token.clone()], patience)?;
        Ok(Self { api, token, hosts: Hosts::new(MEDIA, [base]) })
    }

    /// Calls a method; null where nothing is told but that it was done.
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
        let request = self.api.request(Method::POST, &format!("bot{}/{method}", self.token.reveal()))?;
        let answer = self.api.call_slow(with_json(request, parameters), longer).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(Reply { ok: true, result, .. }) if answer.status.is_success() => {
                Ok(result.unwrap_or_default())
            }
            Ok(reply) if !reply.ok => Err(self.refusal(&answer, reply)),
            _ => Err(self.api.garbled(answer.status)),
        }
    }

    /// Fetches a picture that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        if attachment.kind != "image" {
            return Err(FetchError::Unsupported);
        }
        self.api.fetch(&attachment.reference, None, &self.hosts, limit, file).await
    }

    fn refusal(&self, answer: &Answer, reply: Reply) -> ApiError {
        // Its codes are those of HTTP.
        let code = reply.error_code.unwrap_or(answer.status.as_u16());
        let status = StatusCode::from_u16(code).unwrap_or(answer.status);
        let asked = reply.parameters.and_then(|more| more.retry_after).map(Duration::from_secs);
        let description = reply.description.unwrap_or_default();
        self.api.refusal(status, code.into(), &description, asked.or_else(|| answer.retry_after()))
    }
}
