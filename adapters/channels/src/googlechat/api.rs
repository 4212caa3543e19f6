//! Calls of the Chat API, and the token for them.

use dmgate::{Attachment, FetchError, World};
use form_urlencoded::Serializer;
use http::Method;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{Config, PATIENCE};
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::{with_form, with_json};
use crate::jwt::signer::Signer;
use crate::life::End;
use crate::media::File;
use crate::options::ConfigError;
use crate::token::{Token, TokenCache};

/// What the token is for: all that an app may do in its own name.
const SCOPE: &str = "https://www.googleapis.com/auth/chat.bot";

/// How long an assertion counts, in seconds; Google takes no more.
const ASSERTION: i64 = 3_600;

/// The Chat API, for one app.
pub(super) struct ChatApi {
    api: Api,
    login: Api,
    account: ServiceAccount,
    signer: Signer,
    token: TokenCache,
    world: World,
}

/// What is in the JSON key of a service account.
#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: String,
}

impl ChatApi {
    pub(super) fn new(config: &Config, world: &World) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::Invalid { name: "service_account", reason };
        // Nothing of what is wrong is shown: it is a secret.
        let account: ServiceAccount = serde_json::from_str(config.service_account.reveal())
            .map_err(|_| invalid("this is no JSON key of a service account".to_owned()))?;
        let signer = Signer::new(&Secret::new(account.private_key.as_str()), account.private_key_id.clone());
        let proxy = config.proxy.as_ref();
        let login = Api::new("Google's login", &account.token_uri, proxy, Vec::new(), PATIENCE);
        let api = Api::new("Google Chat", &config.api_base, proxy, Vec::new(), PATIENCE);
        Ok(Self {
            api: api.map_err(|reason| ConfigError::Invalid { name: "api_base", reason })?,
            login: login.map_err(|reason| invalid(format!("its `token_uri`: {reason}")))?,
            signer: signer.map_err(invalid)?,
            account,
            token: TokenCache::new(world.clone()),
            world: world.clone(),
        })
    }

    /// The token that is held, or a new one.
    pub(super) async fn token(&self) -> Result<Secret, ApiError> {
        self.token.get(|| self.ask()).await
    }

    /// Writes into a space; what has the same key is written once.
    pub(super) async fn write(&self, space: &str, text: &str, key: &str) -> Result<(), ApiError> {
        let query = Serializer::new(String::new()).append_pair("requestId", key).finish();
        let request = || {
            let request = self.api.request(Method::POST, &format!("v1/{space}/messages?{query}"))?;
            Ok(with_json(request, &json!({ "text": text })))
        };
        self.call(request).await.map(drop)
    }

    /// The direct message between somebody and us.
    pub(super) async fn direct_message(&self, user: &str) -> Result<Value, ApiError> {
        let query = Serializer::new(String::new()).append_pair("name", user).finish();
        self.call(|| self.api.request(Method::GET, &format!("v1/spaces:findDirectMessage?{query}"))).await
    }

    /// Fetches what was uploaded with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let name = &attachment.reference;
        // It becomes part of a URL; files of Drive (`drive:…`) are not ours to read.
        let is_plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._=+-".contains(&byte))
        };
        if !name.split('/').all(is_plain) {
            return Err(FetchError::Unsupported);
        }
        let failed = |error: ApiError| FetchError::Failed(error.to_string());
        let token = self.token().await.map_err(failed)?;
        let request = self.api.request(Method::GET, &format!("v1/media/{name}?alt=media")).map_err(failed)?;
        self.api.fetch_answer(request.bearer_auth(token.reveal()), limit, file).await
    }

    /// Makes a call with the token; where that is refused, with another one, once.
    async fn call(&self, request: impl Fn() -> Result<RequestBuilder, ApiError>) -> Result<Value, ApiError> {
        let with = async |token: &Secret| self.api.call_json(request()?.bearer_auth(token.reveal())).await;
        let token = self.token().await.map_err(|error| error.without_token())?;
        let outcome = with(&token).await;
        if !matches!(&outcome, Err(ApiError { trouble: Trouble::Refused { code: 401, .. }, .. })) {
            return outcome;
        }
        self.token.forget(&token).await;
        let token = self.token().await.map_err(|error| error.without_token())?;
        with(&token).await
    }

    /// A token for an assertion that the service account signs (RFC 7523).
    async fn ask(&self) -> Result<Token, ApiError> {
        let now = self.world.clock.now().as_millis().div_euclid(1_000);
        let claims = json!({
            "iss": self.account.client_email,
            "scope": SCOPE,
            "aud": self.account.token_uri,
            "iat": now,
            "exp": now + ASSERTION,
        });
        let assertion = self.signer.sign(&claims);
        let assertion = assertion.ok_or_else(|| self.login.lost("the machine gives no random bytes"))?;
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let request = self.login.request_to(Method::POST, self.login.base().clone());
        let form = [("grant_type", grant), ("assertion", assertion.reveal())];
        let answer = self.login.call_json(with_form(request, &form)).await?;
        let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| self.login.lost("the answer holds no token"))?;
        let seconds = answer.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        Ok(Token::lasting(&self.world, Secret::new(token), seconds))
    }
}

/// What a refused token means for the channel: a key that is wrong, or taken back, will not get better.
pub(super) fn end(error: &ApiError) -> End {
    let mend = "check `service_account`, and the machine's clock";
    error.end(|_, code, _| matches!(code, 400 | 401).then_some(mend))
}
