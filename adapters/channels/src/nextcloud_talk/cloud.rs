//! Calls of the server's OCS API.

use std::time::Duration;

use dmgate::{Attachment, Conversation, FetchError};
use http::Method;
use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};

use super::config::{Config, Login};
use crate::api::{Api, ApiError, Trouble};
use crate::client::with_json;
use crate::hosts::Hosts;
use crate::media::File;

/// How long the server may take to say something. It waits 5 seconds for us meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

/// How much longer it may take to send a text: it notifies people meanwhile.
const SENDING: Duration = Duration::from_secs(27);

/// How long a bot that is refused stays away.
const REFUSED: Duration = Duration::from_secs(300);

const TALK: &str = "ocs/v2.php/apps/spreed/api";

/// One Nextcloud server.
pub(super) struct Cloud {
    api: Api,
    login: Option<Login>,
    /// Where it gives files.
    hosts: Hosts,
}

/// A server's address in one spelling; `None` if it is none.
pub(super) fn canonical(address: &str) -> Option<String> {
    let url = Url::parse(address.trim()).ok()?;
    url.host_str()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

impl Cloud {
    pub(super) fn new(config: &Config, backend: &str) -> Result<Self, String> {
        let password = config.login.as_ref().map(|login| login.password.clone());
        let secrets = password.into_iter().chain([config.bot_secret.clone()]).collect();
        let api = Api::new("Nextcloud", &config.base_url, config.proxy.as_ref(), secrets, PATIENCE)?;
        let hosts = Hosts::new(&[], [config.base_url.as_str(), backend]);
        Ok(Self { api, login: config.login.clone(), hosts })
    }

    pub(super) fn has_user(&self) -> bool {
        self.login.is_some()
    }

    /// Whom we ask as, by the name that was configured.
    pub(super) fn user(&self) -> &str {
        self.login.as_ref().map_or("", |login| &login.user)
    }

    /// The uid of the user whom we ask as.
    pub(super) async fn own_uid(&self) -> Result<String, ApiError> {
        let answer = self.ask(Method::GET, "ocs/v2.php/cloud/user", None).await?;
        let uid = answer.pointer("/ocs/data/id").and_then(Value::as_str);
        uid.map(str::to_owned).ok_or_else(|| self.api.lost("the answer names no user"))
    }

    /// What a conversation is: 1 is one-to-one, 2 a group, 3 public, 4 the changelog, 5 was one-to-one until the other one
    /// left, 6 a note to oneself. What our user does not see is unknown.
    pub(super) async fn conversation(&self, token: &str) -> Result<Conversation, ApiError> {
        let answer = match self.ask(Method::GET, &format!("{TALK}/v4/room/{token}"), None).await {
            Err(ApiError { trouble: Trouble::Refused { status: 404, .. }, .. }) => {
                return Ok(Conversation::Unknown);
            }
            answer => answer?,
        };
        match answer.pointer("/ocs/data/type").and_then(Value::as_u64) {
            Some(1) => Ok(Conversation::Direct),
            Some(2 | 3) => Ok(Conversation::Group),
            Some(_) => Ok(Conversation::Unknown),
            None => Err(self.api.lost("the answer says nothing of the conversation")),
        }
    }

    /// Sends a text that is signed with what was made up for it.
    pub(super) async fn say(
        &self,
        token: &str,
        text: &Value,
        random: &str,
        signature: &str,
    ) -> Result<(), ApiError> {
        let path = format!("{TALK}/v1/bot/{token}/message");
        let request = with_json(self.request(Method::POST, &path)?, text)
            .header("X-Nextcloud-Talk-Bot-Random", random)
            .header("X-Nextcloud-Talk-Bot-Signature", signature);
        let answer = self.api.call_slow(request, SENDING).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let code = answer.status.as_u16();
        let said = match code {
            400 => "it does not take this text",
            401 => {
                "the bot is not set up in the conversation, may not answer there, or has another `bot_secret`"
            }
            404 => "the conversation is gone",
            413 => "the text is too long",
            429 => "it was asked too often",
            // It may be a page.
            _ => "",
        };
        // Whoever is refused often is slowed down, with everything that comes from the same address.
        let retry_after = if code == 401 { Some(REFUSED) } else { answer.retry_after() };
        Err(self.api.refusal(answer.status, code.into(), said, retry_after))
    }

    /// Fetches a file that came with a message: the server gives our user an address of it that holds for some hours.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        let id: Option<u64> = attachment.reference.parse().ok();
        // A place is in the reference itself.
        let Some(id) = id.filter(|_| self.has_user()) else { return Err(FetchError::Unsupported) };
        if attachment.size.is_some_and(|size| size > limit) {
            return Err(FetchError::TooLarge(limit));
        }
        let asked = json!({ "fileId": id });
        let answer = self.ask(Method::POST, "ocs/v2.php/apps/dav/api/v1/direct", Some(&asked)).await;
        let answer = answer.map_err(|error| FetchError::Failed(error.to_string()))?;
        let address = answer.pointer("/ocs/data/url").and_then(Value::as_str).unwrap_or_default();
        self.api.fetch(address, None, &self.hosts, limit, file).await
    }

    /// Calls as our user.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        let mut request = self.request(method, path)?;
        if let Some(Login { user, password }) = &self.login {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        if let Some(body) = body {
            request = with_json(request, body);
        }
        self.api.call_json(request).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        let request = self.api.request(method, path)?;
        Ok(request.header("OCS-APIRequest", "true").header(http::header::ACCEPT, "application/json"))
    }
}
