//! Calls of Feishu's API, with the app's token of the moment.

use std::time::Duration;

use dmgate::{Attachment, FetchError, World};
use http::{HeaderMap, Method};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::Config;
use super::event::Resource;
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::with_json;
use crate::life::End;
use crate::media::File;
use crate::token::{Token, TokenCache};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What Feishu says of a token that it does not take any more.
const STALE: &[i64] = &[99_991_661, 99_991_663, 99_991_664, 99_991_671];

/// What it says of an app that is none, whose secret is another, or that it does not let connect.
const REFUSED: &[i64] = &[403, 514, 10_003, 10_012, 10_014, 10_015, 1_000_040_345];

/// Feishu's API, for one app.
pub(super) struct FeishuApi {
    api: Api,
    app_id: String,
    app_secret: Secret,
    tokens: TokenCache,
    world: World,
}

/// A way to a connection.
pub(super) struct Endpoint {
    /// With a ticket in it.
    pub(super) url: Secret,
    /// How often a sign of life is wanted, if it is said.
    pub(super) ping: Option<Duration>,
}

impl FeishuApi {
    pub(super) fn new(config: Config, world: World) -> Result<Self, String> {
        let secrets =
            [Some(&config.app_secret), config.encrypt_key.as_ref(), config.verification_token.as_ref()];
        let secrets = secrets.into_iter().flatten().cloned().collect();
        let api = Api::new("Feishu", config.base(), config.proxy.as_ref(), secrets, PATIENCE)?;
        let tokens = TokenCache::new(world.clone());
        let Config { app_id, app_secret, .. } = config;
        Ok(Self { api, app_id, app_secret, tokens, world })
    }

    pub(super) fn app_id(&self) -> &str {
        &self.app_id
    }

    /// Makes a call as the app; what the answer holds. A token that is not taken any more is asked for anew, once.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let request = || {
            let request = self.api.request(method.clone(), path)?;
            Ok(match body {
                Some(body) => with_json(request, body),
                None => request,
            })
        };
        let token = self.token().await?;
        match self.answer(request()?.bearer_auth(token.reveal())).await {
            Err(ApiError { trouble: Trouble::Refused { code, .. }, .. }) if STALE.contains(&code) => {
                self.tokens.forget(&token).await;
                self.answer(request()?.bearer_auth(self.token().await?.reveal())).await
            }
            answer => answer,
        }
    }

    /// Who we are to others: our own `open_id`.
    pub(super) async fn own_id(&self) -> Result<Option<String>, ApiError> {
        let answer = self.call(Method::GET, "open-apis/bot/v3/info", None).await?;
        let id = answer.get("bot").and_then(|bot| bot.get("open_id")).and_then(Value::as_str);
        Ok(id.map(str::to_owned))
    }

    /// Asks for a connection.
    pub(super) async fn endpoint(&self) -> Result<Endpoint, ApiError> {
        let request = self.api.request(Method::POST, "callback/ws/endpoint")?.header("locale", "zh");
        let asked = json!({ "AppID": self.app_id, "AppSecret": self.app_secret.reveal() });
        let answer = self.answer(with_json(request, &asked)).await?;
        let data = answer.get("data").unwrap_or(&Value::Null);
        let url = data.get("URL").and_then(Value::as_str);
        let url = url.ok_or_else(|| self.api.lost("the answer holds no address"))?;
        Ok(Endpoint { url: Secret::new(url), ping: data.get("ClientConfig").and_then(ping_interval) })
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let Resource { message, key, kind } =
            Resource::parse(&attachment.reference).ok_or(FetchError::Unsupported)?;
        let failed = |error: ApiError| FetchError::Failed(error.to_string());
        let token = self.token().await.map_err(failed)?;
        let path = format!("open-apis/im/v1/messages/{message}/resources/{key}?type={kind}");
        let request = self.api.request(Method::GET, &path).map_err(failed)?;
        self.api.fetch_answer(request.bearer_auth(token.reveal()), limit, file).await
    }

    async fn token(&self) -> Result<Secret, ApiError> {
        self.tokens.get(|| self.ask_for_token()).await
    }

    async fn ask_for_token(&self) -> Result<Token, ApiError> {
        let request = self.api.request(Method::POST, "open-apis/auth/v3/tenant_access_token/internal")?;
        let asked = json!({ "app_id": self.app_id, "app_secret": self.app_secret.reveal() });
        let answer = self.answer(with_json(request, &asked)).await?;
        let token = answer.get("tenant_access_token").and_then(Value::as_str);
        let lasts = answer.get("expire").and_then(Value::as_u64);
        let (Some(token), Some(lasts)) = (token, lasts) else {
            return Err(self.api.lost("the answer holds no token"));
        };
        Ok(Token::lasting(&self.world, Secret::new(token), lasts))
    }

    /// What an answer holds; any code but zero is a refusal, whatever the status.
    async fn answer(&self, request: RequestBuilder) -> Result<Value, ApiError> {
        let answer = self.api.call(request).await?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let wait = reset(&answer.headers).or_else(|| answer.retry_after());
        match value.get("code").and_then(Value::as_i64) {
            Some(0) if answer.status.is_success() => Ok(value),
            Some(code) => {
                let said = value.get("msg").and_then(Value::as_str).unwrap_or_default();
                Err(self.api.refusal(answer.status, code, said, wait))
            }
            // It may stop us before it looks at what we want.
            None if answer.status.as_u16() == 429 => Err(self.api.refusal(answer.status, 429, "", wait)),
            None => Err(self.api.garbled(answer.status)),
        }
    }
}

/// How often a sign of life is wanted.
pub(super) fn ping_interval(settings: &Value) -> Option<Duration> {
    settings.get("PingInterval")?.as_u64().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// What an error means for a connection.
pub(super) fn end(error: &ApiError) -> End {
    let mend = "check `app_id`, `app_secret` and `domain`, and that the app is published";
    error.end(|_, code, _| REFUSED.contains(&code).then_some(mend))
}

/// When we may call again, by Feishu's own header.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    headers.get("x-ogw-ratelimit-reset")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
