//! Calls of Slack's Web API.
//!
//! Slack answers 200 to nearly everything, and says in a word what is wrong.

use std::time::Duration;

use dmgate::{Attachment, FetchError, SendError};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::identity::Identity;
use super::route::is_id;
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::with_form;
use crate::hosts::Hosts;
use crate::life::End;
use crate::media::File;

/// How long Slack may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The Web API, for one app.
pub(super) struct SlackApi {
    api: Api,
    bot: Secret,
    app: Option<Secret>,
}

#[derive(Deserialize)]
struct Reply {
    ok: bool,
    error: Option<String>,
    /// The scope that a token lacks.
    needed: Option<String>,
}

#[derive(Deserialize)]
struct Place {
    url_private_download: Option<String>,
    url_private: Option<String>,
    size: Option<u64>,
}

impl SlackApi {
    pub(super) fn new(
        base: &str,
        bot: Secret,
        app: Option<Secret>,
        proxy: Option<&Secret>,
    ) -> Result<Self, String> {
        let secrets = [Some(bot.clone()), app.clone()].into_iter().flatten().collect();
        Ok(Self { api: Api::new("Slack", base, proxy, secrets, PATIENCE)?, bot, app })
    }

    /// Calls a method as the bot.
    pub(super) async fn call(&self, method: &str, fields: &[(&str, &str)]) -> Result<Value, ApiError> {
        self.call_with(&self.bot, method, fields).await
    }

    /// Who we are.
    pub(super) async fn identity(&self) -> Result<Identity, ApiError> {
        let answer = self.call("auth.test", &[]).await?;
        let identity: Option<Identity> = serde_json::from_value(answer).ok();
        identity
            .filter(|identity| is_id(&identity.team, &['T', 'E']) && is_id(&identity.user, &['U', 'W']))
            .ok_or_else(|| self.api.lost("it does not say who we are"))
    }

    /// The address of a new socket, with a ticket in it.
    pub(super) async fn socket(&self) -> Result<Secret, ApiError> {
        let Some(app) = &self.app else { return Err(self.api.lost("there is no token for sockets")) };
        let answer = self.call_with(app, "apps.connections.open", &[]).await?;
        let url = answer.get("url").and_then(Value::as_str);
        url.map(Secret::new).ok_or_else(|| self.api.lost("it names no socket"))
    }

    /// With whom of all people our bot has this direct conversation; `None` if it is none. Slack shows a bot those that
    /// it is part of.
    pub(super) async fn user_of(&self, channel: &str) -> Result<Option<String>, ApiError> {
        let answer = match self.call("conversations.info", &[("channel", channel)]).await {
            Err(ApiError { trouble: Trouble::Refused { description, .. }, .. })
                if description == "channel_not_found" =>
            {
                return Ok(None);
            }
            answer => answer?,
        };
        let of = |name| answer.get("channel").and_then(|channel| channel.get(name));
        let is_direct = of("is_im").and_then(Value::as_bool) == Some(true)
            && of("id").and_then(Value::as_str) == Some(channel);
        Ok(of("user").and_then(Value::as_str).filter(|_| is_direct).map(str::to_owned))
    }

    /// The direct conversation with a user, opened if there is none yet.
    pub(super) async fn open(&self, user: &str) -> Result<String, SendError> {
        let answer = self.call("conversations.open", &[("users", user)]).await;
        // Nothing was said yet, whatever became of the call.
        let unsent = |reason| SendError::Failed { reason, retry_after: None };
        let answer = answer.map_err(|error| match error.outcome(super::send::is_hopeless) {
            SendError::Unknown { reason } => unsent(reason),
            outcome => outcome,
        })?;
        let id = answer.pointer("/channel/id").and_then(Value::as_str).filter(|id| is_id(id, &['D']));
        id.map(str::to_owned).ok_or_else(|| unsent("Slack opens no direct conversation".to_owned()))
    }

    /// Fetches a file that came with a message: where it is, Slack is asked anew.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        hosts: &Hosts,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        if !is_id(&attachment.reference, &['F']) {
            return Err(FetchError::Unsupported);
        }
        let failed = |reason: String| FetchError::Failed(reason);
        let answer = self.call("files.info", &[("file", &attachment.reference)]).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        let place = answer.get("file").and_then(|file| Place::deserialize(file).ok());
        let place = place.ok_or_else(|| failed("Slack says nothing of it".to_owned()))?;
        if place.size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        let url = place.url_private_download.or(place.url_private);
        let url = url.ok_or_else(|| failed("Slack says no place from where it can be had".to_owned()))?;
        self.api.fetch(&url, Some(&self.bot), hosts, limit, file).await
    }

    async fn call_with(
        &self,
        token: &Secret,
        method: &str,
        fields: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let request = self.api.request(Method::POST, method)?.bearer_auth(token.reveal());
        let answer = self.api.call(with_form(request, fields)).await?;
        let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match value.as_ref().and_then(|value| Reply::deserialize(value).ok()) {
            Some(Reply { ok: true, .. }) if answer.status.is_success() => Ok(value.unwrap_or_default()),
            Some(reply) if !reply.ok => Err(self.refusal(answer.status, reply, answer.retry_after())),
            // Sometimes the word is missing.
            _ if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                Err(self.api.refusal(answer.status, 0, "ratelimited", answer.retry_after()))
            }
            _ => Err(self.api.garbled(answer.status)),
        }
    }

    fn refusal(&self, status: StatusCode, reply: Reply, retry_after: Option<Duration>) -> ApiError {
        let word = reply.error.unwrap_or_default();
        // "It's possible some aspect of the operation succeeded", as Slack's pages say of these.
        let status = match word.as_str() {
            "internal_error" | "fatal_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => status,
        };
        let said = match reply.needed {
            Some(scope) => format!("{word} (the scope {scope})"),
            None => word,
        };
        self.api.refusal(status, 0, &said, retry_after)
    }
}

/// How a connection ends of which a call came to nothing; `option` holds the token that it was made with.
pub(super) fn end(error: &ApiError, option: &str) -> End {
    match &error.trouble {
        Trouble::Refused { description, .. } if is_of_token(description) => {
            End::Refused(format!("{error}; check `{option}` and the app's settings"))
        }
        Trouble::Refused { retry_after: Some(asked), .. } => End::Slow(error.to_string(), *asked),
        _ => End::Lost(error.to_string()),
    }
}

/// Whether a refusal is of the token, which only the owner can mend.
fn is_of_token(description: &str) -> bool {
    matches!(
        description.split(' ').next().unwrap_or_default(),
        "invalid_auth"
            | "not_authed"
            | "account_inactive"
            | "token_revoked"
            | "token_expired"
            | "not_allowed_token_type"
            | "missing_scope"
            | "no_permission"
            | "user_removed_from_team"
            | "team_disabled"
    )
}
