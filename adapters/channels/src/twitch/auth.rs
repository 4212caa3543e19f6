//! Tokens: the user's, which receives and sends, and the application's, which subscribes by web hook.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dmgate::{AccountKey, SendError, World};
use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::grant::{LoggedIn, Place, Renewed, fingerprint};
use crate::Secret;
use crate::adapter::Setup;
use crate::api::{Api, ApiError, Trouble};
use crate::backoff::wait;
use crate::client::{Answer, with_form};
use crate::kept::{Keeper, Kept};
use crate::life::End;
use crate::login::command;
use crate::options::ConfigError;
use crate::token::{Token, TokenCache};

/// What a user's token must allow: to receive whispers and to send them.
pub(super) const SCOPE: &str = "user:manage:whispers";

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Twitch wants to be asked so often whether the token still counts.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// The tokens of one account.
pub(super) struct Tokens {
    account: AccountKey,
    api: Api,
    client_id: String,
    client_secret: Option<Secret>,
    source: Source,
    kept: Arc<Kept<Place>>,
    user: TokenCache,
    app: TokenCache,
    world: World,
}

/// Where the user's token comes from.
enum Source {
    /// The owner gave it.
    Fixed(Secret),
    /// The owner gave what renews it.
    Refresh(Secret),
    /// The owner logs in.
    Login(Arc<dyn Keeper>),
}

/// Who we are.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Me {
    pub(super) user_id: String,
    client_id: String,
    #[serde(default)]
    scopes: Vec<String>,
}

/// Why a call gave nothing. No text in it holds a secret.
#[derive(Debug)]
pub(super) enum Fault {
    /// The owner has to give another token, or to log in.
    NeedsLogin(String),
    /// Twitch does not take the application.
    Refused(String),
    Api(ApiError),
}

/// What an exchange brings.
#[derive(Deserialize)]
pub(super) struct Granted {
    access_token: String,
    pub(super) refresh_token: Option<String>,
    #[serde(default)]
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(setup: &Setup, config: &Config, kept: Arc<Kept<Place>>) -> Result<Self, ConfigError> {
        let source = match (&config.token, &config.refresh_token) {
            (Some(token), _) => Source::Fixed(token.clone()),
            (None, Some(refresh_token)) => Source::Refresh(refresh_token.clone()),
            (None, None) => Source::Login(Arc::clone(&setup.login)),
        };
        let secrets = [&config.token, &config.refresh_token, &config.client_secret];
        let secrets = secrets.into_iter().flatten().cloned().collect();
        let api = Api::new("Twitch", &config.auth_base, config.proxy.as_ref(), secrets, PATIENCE);
        Ok(Self {
            account: setup.account.clone(),
            api: api.map_err(|reason| ConfigError::Invalid { name: "auth_base", reason })?,
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            source,
            kept,
            user: TokenCache::new(setup.world.clone()),
            app: TokenCache::new(setup.world.clone()),
            world: setup.world.clone(),
        })
    }

    /// The user's token.
    pub(super) async fn user(self: &Arc<Self>) -> Result<Secret, Fault> {
        if let Source::Fixed(token) = &self.source {
            return Ok(token.clone());
        }
        self.user
            .get(|| {
                // Once begun it is finished, also when nobody waits for it any more: the token that comes in the place of
                // one that is used up must not be lost.
                let renewal = tokio::spawn({
                    let tokens = Arc::clone(self);
                    async move { tokens.renew().await }
                });
                async {
                    renewal.await.unwrap_or_else(|_| Err(Fault::Api(self.api.lost("the renewal broke off"))))
                }
            })
            .await
    }

    /// The application's token.
    pub(super) async fn app(&self) -> Result<Secret, Fault> {
        let ask = async || {
            let granted = self.exchange(&[("grant_type", "client_credentials")]).await?;
            let refused = |said| Fault::Refused(format!("{said}; check `client_id` and `client_secret`"));
            granted.map(|granted| self.token(&granted)).map_err(refused)
        };
        self.app.get(ask).await
    }

    /// A token that Twitch no longer takes; `true` if another one may be had.
    pub(super) async fn forget(&self, refused: &Secret) -> bool {
        self.user.forget(refused).await;
        self.app.forget(refused).await;
        !matches!(&self.source, Source::Fixed(token) if token == refused)
    }

    /// Who we are, and whether the token does what it must. Twitch wants to be asked at each start, and every hour.
    pub(super) async fn validate(self: &Arc<Self>) -> Result<Me, Fault> {
        let token = self.user().await?;
        match self.validity(&token).await? {
            Some(me) => self.check(me),
            None if self.forget(&token).await => {
                let token = self.user().await?;
                let me = self.validity(&token).await?;
                me.map_or_else(
                    || Err(self.lacking("Twitch does not take the token that it gave")),
                    |me| self.check(me),
                )
            }
            None => Err(self.lacking("Twitch does not take the token any more")),
        }
    }

    async fn validity(&self, token: &Secret) -> Result<Option<Me>, Fault> {
        let request = self.api.request(Method::GET, "validate")?;
        let answer =
            self.api.call(request.header(AUTHORIZATION, format!("OAuth {}", token.reveal()))).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED => Ok(None),
            status if status.is_success() => {
                let me: Option<Me> = serde_json::from_slice(&answer.body).ok();
                let is_user = |me: &Me| super::event::user_id(&me.user_id).is_some();
                me.filter(is_user)
                    .map(Some)
                    .ok_or_else(|| Fault::Api(self.api.lost("it does not say whose token it is")))
            }
            _ => Err(Fault::Api(refusal(&self.api, &answer, token))),
        }
    }

    fn check(&self, me: Me) -> Result<Me, Fault> {
        if me.client_id != self.client_id {
            return Err(self.lacking("the token is of another application than `client_id`"));
        }
        if !me.scopes.iter().any(|scope| scope == SCOPE) {
            return Err(self.lacking(&format!("the token lacks the scope {SCOPE}")));
        }
        Ok(me)
    }

    /// Now, by our clock.
    pub(super) fn now(&self) -> dmgate::Timestamp {
        self.world.clock.now()
    }

    /// Whether the owner logs in, rather than to give a token.
    pub(super) fn has_login(&self) -> bool {
        matches!(self.source, Source::Login(_))
    }

    /// Waits until the owner has logged in anew.
    pub(super) async fn await_login(&self, pause: Duration, shutdown: &CancellationToken) -> End {
        let before = self.given().await;
        while wait(pause, shutdown).await {
            let given = self.given().await;
            if given.is_some() && given != before {
                return End::Lost("the owner logged in".to_owned());
            }
        }
        End::Stopped
    }

    /// The refresh token that the owner gave.
    async fn given(&self) -> Option<Secret> {
        match &self.source {
            Source::Fixed(_) => None,
            Source::Refresh(token) => Some(token.clone()),
            Source::Login(keeper) => {
                // Each time from the file: another process writes it.
                let kept = Kept::<LoggedIn>::new(self.account.clone(), Arc::clone(keeper));
                kept.get().await.refresh_token.map(Secret::new)
            }
        }
    }

    /// A new token in exchange for the newest refresh token; what comes in its place is saved before it is used.
    async fn renew(&self) -> Result<Token, Fault> {
        let given = self.given().await.ok_or_else(|| self.lacking("nobody is logged in"))?;
        let origin = fingerprint(given.reveal());
        let renewed = self.kept.get().await.grant.filter(|renewed| renewed.origin == origin);
        let newest = renewed.map_or(given, |renewed| Secret::new(renewed.refresh_token));
        let form = [("grant_type", "refresh_token"), ("refresh_token", newest.reveal())];
        let granted = self.exchange(&form).await?.map_err(|said| self.lacking(&said.to_string()))?;
        if let Some(refresh_token) = granted.refresh_token.clone() {
            self.kept.change(|place| place.grant = Some(Renewed { origin, refresh_token })).await;
        }
        Ok(self.token(&granted))
    }

    fn token(&self, granted: &Granted) -> Token {
        Token::lasting(&self.world, Secret::new(granted.access_token.as_str()), granted.expires_in)
    }

    /// Exchanges something for a token; the inner error is that what is given for it does not count.
    async fn exchange(&self, form: &[(&str, &str)]) -> Result<Result<Granted, ApiError>, Fault> {
        let answer = self.post("token", form).await?;
        if answer.status.is_success() {
            let granted = serde_json::from_slice(&answer.body);
            return granted.map(Ok).map_err(|_| Fault::Api(self.api.garbled(answer.status)));
        }
        let given = form.iter().find(|(name, _)| *name == "refresh_token");
        let said = refusal(&self.api, &answer, &Secret::new(given.map_or("", |(_, token)| *token)));
        match said.trouble {
            // 403 is a wrong secret of the application.
            Trouble::Refused { status: 400 | 401 | 403, .. } => Ok(Err(said)),
            _ => Err(Fault::Api(said)),
        }
    }

    /// Asks where tokens are had, as this application.
    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, ApiError> {
        let mut fields = vec![("client_id", self.client_id.as_str())];
        fields.extend(self.client_secret.as_ref().map(|secret| ("client_secret", secret.reveal())));
        fields.extend_from_slice(form);
        self.api.call(with_form(self.api.request(Method::POST, path)?, &fields)).await
    }

    /// What is wrong with the token, and what the owner can do.
    fn lacking(&self, reason: &str) -> Fault {
        Fault::NeedsLogin(match &self.source {
            Source::Fixed(_) => format!("{reason}; put another one into `token`"),
            Source::Refresh(_) => format!(
                "{reason}; put a new one into `refresh_token`, and check `client_id` and `client_secret`"
            ),
            Source::Login(_) => format!("{reason}; log in with `{}`", command(&self.account)),
        })
    }
}

/// A refusal in Twitch's words, which echo no secret.
pub(super) fn refusal(api: &Api, answer: &Answer, secret: &Secret) -> ApiError {
    let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = said.as_ref().and_then(|said| said.get("message")?.as_str());
    let code = answer.status.as_u16().into();
    match message {
        Some(message) => api.refusal(answer.status, code, &secret.mask(message), answer.retry_after()),
        None if answer.status == StatusCode::TOO_MANY_REQUESTS => {
            api.refusal(answer.status, code, "", answer.retry_after())
        }
        // Whatever stands before Twitch.
        None => api.garbled(answer.status),
    }
}

impl Fault {
    /// What it means for the connection.
    pub(super) fn end(self) -> End {
        match self {
            Self::NeedsLogin(reason) => End::NeedsLogin(reason),
            Self::Refused(reason) => End::Refused(reason),
            Self::Api(error) => match &error.trouble {
                Trouble::Refused { retry_after: Some(asked), .. } => End::Slow(error.to_string(), *asked),
                _ => End::Lost(error.to_string()),
            },
        }
    }

    /// What it means for a text.
    pub(super) fn outcome(&self, is_hopeless: impl Fn(i64, &str) -> bool) -> SendError {
        match self {
            Self::NeedsLogin(reason) | Self::Refused(reason) => {
                SendError::Failed { reason: reason.clone(), retry_after: None }
            }
            Self::Api(error) => error.outcome(is_hopeless),
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsLogin(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::Api(error) => error.fmt(f),
        }
    }
}
