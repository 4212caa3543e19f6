//! Calls of the NAS: `SYNO.Chat.External`, which the bot's token opens.

use std::collections::HashMap;
use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Config;
use crate::Secret;
use crate::api::{Api, ApiError};
use crate::client::{Answer, with_form};
use crate::options::ConfigError;

/// How long a NAS is left alone that says that texts come too fast.
const SLOWER: Duration = Duration::from_secs(1);

/// Chat on one NAS, for one bot.
pub(super) struct ChatApi {
    api: Api,
    token: Secret,
}

/// What every answer looks like. Its status is 200 also where it is a refusal.
#[derive(Deserialize)]
struct Reply {
    success: bool,
    data: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: i64,
    errors: Option<Value>,
}

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    user_id: u64,
    username: Option<String>,
    nickname: Option<String>,
}

impl ChatApi {
    pub(super) fn new(config: &Config, patience: Duration) -> Result<Self, ConfigError> {
        let token = config.token.clone();
        // It becomes part of a URL.
        let is_plain = token.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_plain || !(8..=256).contains(&token.reveal().len()) {
            let reason =
                "letters and digits are expected, as the integration shows them between quotation marks";
            return Err(ConfigError::Invalid { name: "token", reason: reason.to_owned() });
        }
        let invalid = |name| move |reason| ConfigError::Invalid { name, reason };
        let api = Api::new("Synology Chat", &config.base_url, None, vec![token.clone()], patience);
        let api = api.map_err(invalid("base_url"))?;
        let api = api.trusting(config.ca_file.as_deref(), None).map_err(invalid("ca_file"))?;
        Ok(Self { api, token })
    }

    /// The names of everybody whom the bot may write to, by their numbers.
    pub(super) async fn users(&self) -> Result<HashMap<u64, Vec<String>>, ApiError> {
        let users = self.call(self.request(Method::GET, "user_list")?).await?;
        let users = Users::deserialize(users).map_err(|_| self.api.lost("it lists no users"))?;
        let named = |user: User| (user.user_id, user.username.into_iter().chain(user.nickname).collect());
        Ok(users.users.into_iter().map(named).collect())
    }

    /// Sends one text to a user.
    pub(super) async fn send(&self, user: u64, text: &str) -> Result<(), ApiError> {
        let message = json!({ "text": text, "user_ids": [user] }).to_string();
        let request = self.request(Method::POST, "chatbot")?;
        self.call(with_form(request, &[("payload", &message)])).await.map(drop)
    }

    fn request(&self, method: Method, does: &str) -> Result<RequestBuilder, ApiError> {
        let token = self.token.reveal();
        // The quotation marks are part of what the integration shows.
        let call = format!("api=SYNO.Chat.External&method={does}&version=2&token=%22{token}%22");
        self.api.request(method, &format!("webapi/entry.cgi?{call}"))
    }

    async fn call(&self, request: RequestBuilder) -> Result<Value, ApiError> {
        let answer = self.api.call(request).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(Reply { success: true, data, .. }) if answer.status.is_success() => {
                Ok(data.unwrap_or_default())
            }
            Ok(Reply { success: false, error, .. }) => Err(self.refusal(&answer, error.unwrap_or_default())),
            _ => Err(self.api.garbled(answer.status)),
        }
    }

    fn refusal(&self, answer: &Answer, refusal: Refusal) -> ApiError {
        let Refusal { code, errors } = refusal;
        let said = match (code, errors) {
            (102..=104, _) => "it has no Chat, or an old one".to_owned(),
            (404, _) => "the token is not known".to_owned(),
            (411, _) => "texts come too fast".to_owned(),
            (_, Some(Value::String(said))) => said,
            (_, said) => said.map(|said| said.to_string()).unwrap_or_default(),
        };
        let status = if answer.status.is_success() { StatusCode::BAD_REQUEST } else { answer.status };
        self.api.refusal(
            status,
            code,
            &said,
            (code == 411).then_some(SLOWER).or_else(|| answer.retry_after()),
        )
    }
}
