//! Calls of the iLink server.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::World;
use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{Config, PACE};
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::with_json;

/// The version of the protocol that we speak: that of Tencent's own program for OpenClaw.
const VERSION: (u32, u32, u32) = (2, 4, 9);

/// What the server says of a token that it does not take any more.
const EXPIRED: i64 = -14;

/// The way to a server, with a token or, for a login, without.
pub(super) struct Link {
    api: Api,
    token: Option<Secret>,
    world: World,
}

impl Link {
    pub(super) fn new(
        base: &str,
        token: Option<Secret>,
        config: &Config,
        world: World,
    ) -> Result<Self, String> {
        let secrets = token.iter().cloned().collect();
        let api = Api::new("WeChat", base, config.proxy.as_ref(), secrets, PACE.patience)?;
        Ok(Self { api, token, world })
    }

    /// Makes a call with these fields.
    pub(super) async fn call(&self, path: &str, fields: Value) -> Result<Value, ApiError> {
        self.call_slow(path, fields, Duration::ZERO).await
    }

    /// Makes a call that may take `longer` than others.
    pub(super) async fn call_slow(
        &self,
        path: &str,
        mut fields: Value,
        longer: Duration,
    ) -> Result<Value, ApiError> {
        if let Value::Object(fields) = &mut fields {
            let (major, minor, patch) = VERSION;
            let agent = concat!("dmgate/", env!("CARGO_PKG_VERSION"));
            let version = format!("{major}.{minor}.{patch}");
            fields.insert("base_info".to_owned(), json!({ "channel_version": version, "bot_agent": agent }));
        }
        self.post(path, &fields, longer).await
    }

    /// Makes a call with a body as it is, as logins want it.
    pub(super) async fn post(&self, path: &str, body: &Value, longer: Duration) -> Result<Value, ApiError> {
        let request = self.common(Method::POST, path)?;
        let request =
            request.header("AuthorizationType", "ilink_bot_token").header("X-WECHAT-UIN", self.uin());
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        };
        self.answer(with_json(request, body), longer).await
    }

    /// Asks for something without a proof of who we are.
    pub(super) async fn get(&self, path: &str, longer: Duration) -> Result<Value, ApiError> {
        self.answer(self.common(Method::GET, path)?, longer).await
    }

    fn common(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        let (major, minor, patch) = VERSION;
        let version = (major << 16 | minor << 8 | patch).to_string();
        let request = self.api.request(method, path)?;
        Ok(request.header("iLink-App-Id", "bot").header("iLink-App-ClientVersion", version))
    }

    async fn answer(&self, request: RequestBuilder, longer: Duration) -> Result<Value, ApiError> {
        let answer = self.api.call_slow(request, longer).await?;
        let value = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        let Some(value) = value else {
            // A refusal by status has a page in it, or nothing.
            return match answer.status.as_u16() {
                429 => Err(self.api.refusal(answer.status, 429, "", answer.retry_after())),
                _ => Err(self.api.garbled(answer.status)),
            };
        };
        let code =
            ["ret", "errcode"].iter().filter_map(|key| value.get(key)?.as_i64()).find(|code| *code != 0);
        match code {
            None if answer.status.is_success() => Ok(value),
            code => {
                let said = value.get("errmsg").and_then(Value::as_str).unwrap_or_default();
                let code = code.unwrap_or(answer.status.as_u16().into());
                Err(self.api.refusal(answer.status, code, said, answer.retry_after()))
            }
        }
    }

    /// A number by chance, as Tencent's program sends one with each call.
    fn uin(&self) -> String {
        let mut random = [0; 4];
        // Nothing depends on it.
        let _ = self.world.entropy.fill(&mut random);
        STANDARD.encode(u32::from_be_bytes(random).to_string())
    }

    /// That an answer holds nothing that can be used.
    pub(super) fn lost(&self, reason: &str) -> ApiError {
        self.api.lost(reason)
    }
}

/// Whether the server does not take the token any more.
pub(super) fn is_expired(error: &ApiError) -> bool {
    matches!(error.trouble, Trouble::Refused { code: EXPIRED, .. } | Trouble::Refused { status: 401, .. })
}
