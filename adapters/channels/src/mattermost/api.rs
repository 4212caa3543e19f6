//! Calls of Mattermost's API, version 4.

use std::path::Path;
use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::post::Post;
use super::route::is_id;
use crate::Secret;
use crate::api::{Api, ApiError};
use crate::client::{Answer, with_json};
use crate::life::End;
use crate::media::File;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// One server's API, for one bot.
pub(super) struct MattermostApi {
    api: Api,
    token: Secret,
}

/// What a refusal looks like.
#[derive(Deserialize)]
struct Refusal {
    id: String,
    message: String,
    status_code: u16,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// A channel that we are in.
#[derive(Deserialize, Debug)]
pub(super) struct Channel {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    /// When something was last posted in it, in milliseconds.
    #[serde(default)]
    pub(super) last_post_at: i64,
}

#[derive(Deserialize)]
struct Posts {
    order: Vec<String>,
    posts: serde_json::Map<String, Value>,
}

impl MattermostApi {
    pub(super) fn new(base: &str, token: Secret, proxy: Option<&Secret>) -> Result<Self, String> {
        Ok(Self { api: Api::new("Mattermost", base, proxy, vec![token.clone()], PATIENCE)?, token })
    }

    /// The same, for a server that proves itself by the certificates in a PEM file.
    pub(super) fn trusting(self, ca_file: Option<&Path>, proxy: Option<&Secret>) -> Result<Self, String> {
        Ok(Self { api: self.api.trusting(ca_file, proxy)?, ..self })
    }

    /// Our own user id.
    pub(super) async fn own_id(&self) -> Result<String, ApiError> {
        self.id(self.request(Method::GET, "users/me")?).await
    }

    /// The channels that we are in, of all teams; direct ones belong to none.
    pub(super) async fn channels(&self) -> Result<Vec<Channel>, ApiError> {
        self.get("users/me/channels").await
    }

    /// What was posted in a channel, or changed, since a moment in milliseconds; the oldest first. The server gives a
    /// thousand at most.
    pub(super) async fn posts_since(&self, channel: &str, since: i64) -> Result<Vec<Post>, ApiError> {
        let Posts { order, mut posts } = self.get(&format!("channels/{channel}/posts?since={since}")).await?;
        let mut read: Vec<Post> = order
            .iter()
            .filter_map(|id| posts.remove(id))
            .filter_map(|post| serde_json::from_value(post).ok())
            .collect();
        read.sort_by_key(|post: &Post| post.create_at);
        Ok(read)
    }

    /// The channel of two users, made if there is none yet.
    pub(super) async fn direct_channel(&self, own: &str, other: &str) -> Result<String, ApiError> {
        self.id(with_json(self.request(Method::POST, "channels/direct")?, &json!([own, other]))).await
    }

    pub(super) async fn post(&self, post: &Value) -> Result<(), ApiError> {
        let answer = self.call(with_json(self.request(Method::POST, "posts")?, post)).await?;
        self.read::<Named>(&answer).map(drop)
    }

    /// Shows that we are writing.
    pub(super) async fn typing(&self, channel: &str, root: Option<&str>) -> Result<(), ApiError> {
        let place = json!({ "channel_id": channel, "parent_id": root.unwrap_or_default() });
        self.call(with_json(self.request(Method::POST, "users/me/typing")?, &place)).await.map(drop)
    }

    /// What logs a socket in.
    pub(super) fn challenge(&self) -> String {
        let data = json!({ "token": self.token.reveal() });
        json!({ "seq": 1, "action": "authentication_challenge", "data": data }).to_string()
    }

    /// Fetches a file that came with a post.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        if !is_id(&attachment.reference) {
            return Err(FetchError::Unsupported);
        }
        let request = self.request(Method::GET, &format!("files/{}", attachment.reference));
        let request = request.map_err(|error| FetchError::Failed(error.to_string()))?;
        self.api.fetch_answer(request, limit, file).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ApiError> {
        let request = self.api.request(method, &format!("api/v4/{path}"))?;
        Ok(request.bearer_auth(self.token.reveal()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let answer = self.call(self.request(Method::GET, path)?).await?;
        self.read(&answer)
    }

    async fn id(&self, request: RequestBuilder) -> Result<String, ApiError> {
        let answer = self.call(request).await?;
        let Named { id } = self.read(&answer)?;
        if is_id(&id) { Ok(id) } else { Err(self.api.garbled(answer.status)) }
    }

    /// An answer with a status of success; another one is a refusal, if the server says so in its own form.
    async fn call(&self, request: RequestBuilder) -> Result<Answer, ApiError> {
        let answer = self.api.call(request).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        // Who asks too often is told so without words.
        let is_slow = answer.status == StatusCode::TOO_MANY_REQUESTS;
        let refusal: Option<Refusal> = serde_json::from_slice(&answer.body).ok();
        let said = match &refusal {
            Some(Refusal { id, message, .. }) => format!("{message} ({id})"),
            None if is_slow => "too many requests".to_owned(),
            None => return Err(self.api.garbled(answer.status)),
        };
        let code = refusal.map_or(answer.status.as_u16(), |refusal| refusal.status_code);
        Err(self.api.refusal(answer.status, code.into(), &said, wait(&answer).filter(|_| is_slow)))
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ApiError> {
        serde_json::from_slice(&answer.body).map_err(|_| self.api.garbled(answer.status))
    }
}

/// How long the server wants us to wait: by `Retry-After`, or until the limit starts anew.
fn wait(answer: &Answer) -> Option<Duration> {
    let reset = || answer.headers.get("x-ratelimit-reset")?.to_str().ok()?.trim().parse().ok();
    answer.retry_after().or_else(|| reset().map(Duration::from_secs))
}

/// How a connection ends of which a call came to nothing.
pub(super) fn end(error: &ApiError) -> End {
    error.end(|_, code, _| (code == 401).then_some("check `token`: it may be revoked, or the bot disabled"))
}
