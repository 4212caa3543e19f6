//! Calls of the Bot Connector, each at the place of its conversation, and the token for them.

use dmgate::{Attachment, FetchError, World};
use http::Method;
use reqwest::Url;
use serde_json::Value;

use super::config::{Config, PATIENCE};
use super::route::Route;
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::{with_form, with_json};
use crate::hosts::Hosts;
use crate::life::End;
use crate::media::File;
use crate::options::ConfigError;
use crate::token::{Token, TokenCache};

/// The hosts of conversations: the public cloud, and those of governments.
const SERVICES: &[&str] = &[
    "smba.trafficmanager.net",
    "smba.infra.gcc.teams.microsoft.com",
    "smba.infra.gov.teams.microsoft.us",
    "smba.infra.dod.teams.microsoft.us",
];

/// Where uploaded files lie; their addresses hold what opens them.
const FILES: &[&str] = &["*.sharepoint.com", "*.sharepoint.us"];

/// The Bot Connector, for one bot.
pub(super) struct Connector {
    api: Api,
    login: Api,
    /// The path to the token, and what it is asked with.
    path: String,
    app_id: String,
    password: Secret,
    scope: String,
    token: TokenCache,
    world: World,
    /// Where conversations may be: the token goes nowhere else.
    services: Hosts,
    files: Hosts,
}

impl Connector {
    pub(super) fn new(config: &Config, world: &World) -> Result<Self, ConfigError> {
        let api = |name, base: &str| {
            let secrets = vec![config.app_password.clone()];
            let api = Api::new("Teams", base, config.proxy.as_ref(), secrets, PATIENCE);
            api.map_err(|reason| ConfigError::Invalid { name, reason })
        };
        let service = config.service_urls.first().map_or("https://smba.trafficmanager.net", String::as_str);
        let configured = || config.service_urls.iter().map(String::as_str);
        Ok(Self {
            api: api("service_urls", service)?,
            login: api("login_base", &config.login_base)?,
            path: format!("{}/oauth2/v2.0/token", config.tenant_id),
            app_id: config.app_id.clone(),
            password: config.app_password.clone(),
            scope: format!("{}/.default", config.issuer.trim_end_matches('/')),
            token: TokenCache::new(world.clone()),
            world: world.clone(),
            services: Hosts::new(SERVICES, configured()),
            files: Hosts::new(FILES, configured()),
        })
    }

    /// Where conversations may be.
    pub(super) fn services(&self) -> &Hosts {
        &self.services
    }

    /// The token that is held, or a new one.
    pub(super) async fn token(&self) -> Result<Secret, ApiError> {
        self.token.get(|| self.ask()).await
    }

    /// Posts an activity into a conversation.
    pub(super) async fn post(&self, route: &Route, activity: &Value) -> Result<(), ApiError> {
        let url = route.activities(&self.services).ok_or_else(|| self.api.lost("this is no way"))?;
        let token = self.token().await.map_err(|error| error.without_token())?;
        let outcome = self.post_with(&token, url.clone(), activity).await;
        if !matches!(&outcome, Err(ApiError { trouble: Trouble::Refused { code: 401, .. }, .. })) {
            return outcome;
        }
        // A token may be taken back before its time: with another one, once.
        self.token.forget(&token).await;
        let token = self.token().await.map_err(|error| error.without_token())?;
        self.post_with(&token, url, activity).await
    }

    /// Fetches what came with a message: pictures lie with the conversations, files elsewhere.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let place = &attachment.reference;
        if self.services.allow(place).is_none() {
            return self.api.fetch(place, None, &self.files, limit, file).await;
        }
        let token = self.token().await.map_err(|error| FetchError::Failed(error.to_string()))?;
        self.api.fetch(place, Some(&token), &self.services, limit, file).await
    }

    async fn post_with(&self, token: &Secret, url: Url, activity: &Value) -> Result<(), ApiError> {
        let request = self.api.request_to(Method::POST, url).bearer_auth(token.reveal());
        let answer = self.api.call(with_json(request, activity)).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&answer.body);
        let code = answer.status.as_u16().into();
        Err(self.api.refusal(answer.status, code, &said, answer.retry_after()))
    }

    async fn ask(&self) -> Result<Token, ApiError> {
        let request = with_form(
            self.login.request(Method::POST, &self.path)?,
            &[
                ("grant_type", "client_credentials"),
                ("client_id", &self.app_id),
                ("client_secret", self.password.reveal()),
                ("scope", &self.scope),
            ],
        );
        let answer = self.login.call_json(request).await?;
        let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| self.login.lost("the answer holds no token"))?;
        let seconds = answer.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        Ok(Token::lasting(&self.world, Secret::new(token), seconds))
    }
}

/// What a refused token means for the channel: an id or a secret that is wrong will not get better.
pub(super) fn end(error: &ApiError) -> End {
    error.end(|_, code, _| {
        matches!(code, 400 | 401).then_some("check `app_id`, `app_password` and `tenant_id`")
    })
}
