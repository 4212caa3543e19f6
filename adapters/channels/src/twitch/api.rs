//! Calls of the API, which is called Helix.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Fault, PATIENCE, Tokens, refusal};
use super::config::Config;
use crate::api::{Api, ApiError, Trouble};
use crate::client::{Answer, with_json};

/// What we want to hear of.
pub(super) const WHISPERS: &str = "user.whisper.message";

/// The longest wait that an answer can ask for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The API, for one user and one application.
pub(super) struct Helix {
    api: Api,
    client_id: String,
    tokens: Arc<Tokens>,
}

/// As whom a call is made.
#[derive(Clone, Copy)]
pub(super) enum As {
    User,
    App,
}

/// A subscription, as Twitch lists them.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) condition: Value,
    pub(super) transport: Carrier,
}

/// How a subscription's events come.
#[derive(Deserialize)]
pub(super) struct Carrier {
    pub(super) callback: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Listed>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    cursor: Option<String>,
}

impl Helix {
    pub(super) fn new(config: &Config, tokens: Arc<Tokens>) -> Result<Self, String> {
        let secrets = [&config.token, &config.webhook_secret].into_iter().flatten().cloned().collect();
        let api = Api::new("Twitch", &config.api_base, config.proxy.as_ref(), secrets, PATIENCE)?;
        Ok(Self { api, client_id: config.client_id.clone(), tokens })
    }

    /// Subscribes to a user's whispers; the new subscription's id.
    pub(super) async fn subscribe(&self, by: As, user: &str, transport: Value) -> Result<String, Fault> {
        let body = json!({
            "type": WHISPERS, "version": "1", "condition": { "user_id": user }, "transport": transport,
        });
        let created = self.call(by, Method::POST, "eventsub/subscriptions", Some(&body)).await?;
        let page = Page::deserialize(created).ok();
        let id = page
            .and_then(|page| page.data.into_iter().next())
            .map(|listed| listed.id)
            .filter(|id| is_plain(id));
        id.ok_or_else(|| Fault::Api(self.api.lost("it does not say what the subscription is called")))
    }

    /// The application's subscriptions to whispers.
    pub(super) async fn subscriptions(&self) -> Result<Vec<Listed>, Fault> {
        let mut found = Vec::new();
        let mut after = String::new();
        // Nobody has more than some thousands.
        for _ in 0..100 {
            let path = format!("eventsub/subscriptions?type={WHISPERS}{after}");
            let page = Page::deserialize(self.call(As::App, Method::GET, &path, None).await?);
            let page = page.map_err(|_| self.api.lost("it lists no subscriptions"))?;
            found.extend(page.data);
            match page.pagination.and_then(|pagination| pagination.cursor).filter(|cursor| is_plain(cursor)) {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
        Ok(found)
    }

    pub(super) async fn unsubscribe(&self, id: &str) -> Result<(), Fault> {
        if !is_plain(id) {
            return Ok(());
        }
        let path = format!("eventsub/subscriptions?id={id}");
        match self.call(As::App, Method::DELETE, &path, None).await {
            // It is gone already.
            Err(Fault::Api(error)) if matches!(error.trouble, Trouble::Refused { status: 404, .. }) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Sends a whisper; `Ok` where it was dropped in silence, too.
    pub(super) async fn whisper(&self, from: &str, to: u64, text: &str) -> Result<(), Fault> {
        let path = format!("whispers?from_user_id={from}&to_user_id={to}");
        self.call(As::User, Method::POST, &path, Some(&json!({ "message": text }))).await.map(drop)
    }

    /// Makes a call; a token that is not taken any more is replaced once.
    async fn call(&self, by: As, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Fault> {
        for is_last in [false, true] {
            let token = match by {
                As::User => self.tokens.user().await?,
                As::App => self.tokens.app().await?,
            };
            let request = self.api.request(method.clone(), path)?.bearer_auth(token.reveal());
            let request = request.header("client-id", &self.client_id);
            let request = match body {
                Some(body) => with_json(request, body),
                None => request,
            };
            let answer = self.api.call(request).await?;
            if !answer.status.is_success() {
                let said = refusal(&self.api, &answer, &token);
                if is_stale(&said) && !is_last && self.tokens.forget(&token).await {
                    continue;
                }
                return Err(self.refused(&answer, said));
            }
            if answer.status == StatusCode::NO_CONTENT || answer.body.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&answer.body)
                .map_err(|_| Fault::Api(self.api.garbled(answer.status)));
        }
        Err(Fault::Api(self.api.lost("no call was made")))
    }

    /// A refusal, with the wait that it asks for, which is until a moment.
    fn refused(&self, answer: &Answer, mut error: ApiError) -> Fault {
        if let Trouble::Refused { status: 429, retry_after: retry_after @ None, .. } = &mut error.trouble {
            let now = self.tokens.now().as_millis() / 1_000;
            let until = answer
                .headers
                .get("ratelimit-reset")
                .and_then(|until| until.to_str().ok()?.trim().parse::<i64>().ok());
            let wait = until.and_then(|until| u64::try_from(until.saturating_sub(now)).ok());
            *retry_after = wait.map(|wait| Duration::from_secs(wait.max(1)).min(LONGEST));
        }
        Fault::Api(error)
    }
}

/// Whether it is the token that is refused; 401 also says that a scope is missing, or a telephone number not verified.
fn is_stale(error: &ApiError) -> bool {
    matches!(&error.trouble, Trouble::Refused { status: 401, description, .. } if description.contains("OAuth token"))
}

/// Ids and cursors become part of URLs.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=.".contains(&byte))
}
