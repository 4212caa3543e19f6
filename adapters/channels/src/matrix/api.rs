//! Calls of the client-server API.

use std::collections::BTreeMap;
use std::time::Duration;

use dmgate::{Attachment, FetchError};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sync::{Answer, Page};
use crate::Secret;
use crate::api::{Api, ApiError, Trouble};
use crate::client::with_json;
use crate::hosts::Hosts;
use crate::media::File;

/// How much longer than other calls a join may take: other servers have to be asked.
const JOIN: Duration = Duration::from_secs(60);

/// Events of one page.
const PAGE: usize = 50;

/// The homeserver, for one account.
pub(super) struct ClientApi {
    api: Api,
    base: String,
    token: Secret,
    hosts: Hosts,
}

/// Which rooms are direct chats with whom: account data, for all clients of the account.
pub(super) type DirectRooms = BTreeMap<String, Vec<String>>;

/// How much a poll may bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Amount {
    Usual,
    /// One event of each room.
    Few,
    /// The same, and not what is in it: it fits into an answer whatever was written in however many rooms.
    Bare,
}

/// What is asked of an event then: that it happened, and what an invite needs.
const BARE: [&str; 7] = [
    "type",
    "event_id",
    "sender",
    "state_key",
    "origin_server_ts",
    "content.membership",
    "content.is_direct",
];

/// What a refusal looks like.
#[derive(Deserialize)]
struct Refusal {
    errcode: String,
    #[serde(default)]
    error: String,
    retry_after_ms: Option<u64>,
}

impl ClientApi {
    pub(super) fn new(
        homeserver: &str,
        token: Secret,
        proxy: Option<&Secret>,
        patience: Duration,
    ) -> Result<Self, String> {
        let base = homeserver.trim().trim_end_matches('/').to_owned();
        let api = Api::new("the homeserver", &base, proxy, vec![token.clone()], patience)?;
        let hosts = Hosts::new(&[], [base.as_str()]);
        Ok(Self { api, base, token, hosts })
    }

    /// Who we are.
    pub(super) async fn whoami(&self) -> Result<String, ApiError> {
        let answer = self.call(Method::GET, "account/whoami", None).await?;
        self.text(&answer, "user_id", "it does not say who we are")
    }

    /// What happened since a place in the stream; the homeserver waits for it for so long.
    pub(super) async fn sync(
        &self,
        since: Option<&str>,
        wait: Duration,
        amount: Amount,
    ) -> Result<Answer, ApiError> {
        let none = json!({ "types": [] });
        let is_little = amount != Amount::Usual || since.is_none();
        let mut filter = json!({
            "presence": none,
            "account_data": { "types": ["m.direct"] },
            "room": {
                "account_data": none,
                "ephemeral": none,
                "state": none,
                "timeline": { "limit": if is_little { 1 } else { 20 } },
            },
        });
        if let (Amount::Bare, Some(filter)) = (amount, filter.as_object_mut()) {
            filter.insert("event_fields".to_owned(), json!(BARE));
        }
        let mut path = format!("sync?timeout={}&filter={}", wait.as_millis(), encoded(&filter.to_string()));
        if let Some(since) = since {
            path.push_str(&format!("&since={}", encoded(since)));
        }
        let answer = self.call_slow(Method::GET, &path, None, wait).await?;
        Answer::deserialize(answer).map_err(|_| self.api.lost("what it says of the rooms can't be read"))
    }

    /// What was said in a room after one place in the stream and before another, the oldest first.
    pub(super) async fn messages(&self, room: &str, from: &str, to: &str) -> Result<Page, ApiError> {
        let (room, from, to) = (encoded(room), encoded(from), encoded(to));
        let path = format!("rooms/{room}/messages?dir=f&limit={PAGE}&from={from}&to={to}");
        let answer = self.call(Method::GET, &path, None).await?;
        Page::deserialize(answer).map_err(|_| self.api.lost("what it says of a room can't be read"))
    }

    /// What holds in a room now.
    pub(super) async fn state(&self, room: &str) -> Result<Vec<Value>, ApiError> {
        match self.call(Method::GET, &format!("rooms/{}/state", encoded(room)), None).await? {
            Value::Array(events) => Ok(events),
            _ => Err(self.api.lost("what it says of a room can't be read")),
        }
    }

    pub(super) async fn join(&self, room: &str) -> Result<(), ApiError> {
        let path = format!("rooms/{}/join", encoded(room));
        self.call_slow(Method::POST, &path, Some(&json!({})), JOIN).await.map(drop)
    }

    pub(super) async fn leave(&self, room: &str) -> Result<(), ApiError> {
        let path = format!("rooms/{}/leave", encoded(room));
        self.call(Method::POST, &path, Some(&json!({}))).await.map(drop)
    }

    /// Our direct chats.
    pub(super) async fn direct(&self, own: &str) -> Result<DirectRooms, ApiError> {
        let path = format!("user/{}/account_data/m.direct", encoded(own));
        match self.call(Method::GET, &path, None).await {
            Ok(content) => Ok(direct_rooms(&content)),
            Err(ApiError { trouble: Trouble::Refused { status: 404, .. }, .. }) => Ok(DirectRooms::new()),
            Err(error) => Err(error),
        }
    }

    /// Notes our direct chats, for all clients of the account.
    pub(super) async fn set_direct(&self, own: &str, rooms: &DirectRooms) -> Result<(), ApiError> {
        let path = format!("user/{}/account_data/m.direct", encoded(own));
        self.call(Method::PUT, &path, Some(&json!(rooms))).await.map(drop)
    }

    /// Sends a message; the homeserver drops a second one of the same `key`.
    pub(super) async fn send(&self, room: &str, key: &str, content: &Value) -> Result<(), ApiError> {
        let path = format!("rooms/{}/send/m.room.message/dmgate-{}", encoded(room), encoded(key));
        let answer = self.call(Method::PUT, &path, Some(content)).await?;
        self.text(&answer, "event_id", "it does not say that it took the text").map(drop)
    }

    pub(super) async fn typing(&self, room: &str, own: &str, lasts: Duration) -> Result<(), ApiError> {
        let path = format!("rooms/{}/typing/{}", encoded(room), encoded(own));
        let body = json!({ "typing": true, "timeout": u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX) });
        self.call(Method::PUT, &path, Some(&body)).await.map(drop)
    }

    /// Fetches a file that came with a message.
    pub(super) async fn fetch(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: File<'_>,
    ) -> Result<u64, FetchError> {
        // Places are in the reference itself.
        let (server, media) = content_address(&attachment.reference).ok_or(FetchError::Unsupported)?;
        let (server, media) = (encoded(server), encoded(media));
        let url = format!("{}/_matrix/client/v1/media/download/{server}/{media}", self.base);
        self.api.fetch(&url, Some(&self.token), &self.hosts, limit, file).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        self.call_slow(method, path, body, Duration::ZERO).await
    }

    async fn call_slow(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        longer: Duration,
    ) -> Result<Value, ApiError> {
        let request = self.api.request(method, &format!("_matrix/client/v3/{path}"))?;
        let request = request.bearer_auth(self.token.reveal());
        let request = match body {
            Some(body) => with_json(request, body),
            None => request,
        };
        let answer = self.api.call_slow(request, longer).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| self.api.garbled(answer.status));
        }
        match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(refusal) => Err(self.refusal(answer.status, &refusal, answer.retry_after())),
            Err(_) => Err(self.api.garbled(answer.status)),
        }
    }

    fn refusal(&self, status: StatusCode, refusal: &Refusal, retry_after: Option<Duration>) -> ApiError {
        let retry_after = refusal.retry_after_ms.map(Duration::from_millis).or(retry_after);
        let description = format!("{}: {}", refusal.errcode, refusal.error);
        // Its codes are words.
        self.api.refusal(status, 0, &description, retry_after)
    }

    fn text(&self, answer: &Value, name: &str, otherwise: &str) -> Result<String, ApiError> {
        answer.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| self.api.lost(otherwise))
    }
}

impl ApiError {
    /// Whether the homeserver refused a call with this word.
    pub(super) fn says(&self, word: &str) -> bool {
        matches!(&self.trouble, Trouble::Refused { description, .. }
            if description.strip_prefix(word).is_some_and(|rest| rest.starts_with(':')))
    }
}

/// The direct chats in the content of `m.direct`; what can't be read in it is left out.
pub(super) fn direct_rooms(content: &Value) -> DirectRooms {
    let users = content.as_object().into_iter().flatten();
    let rooms = |rooms: &Value| {
        rooms.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    users.map(|(user, list)| (user.clone(), rooms(list))).collect()
}

/// The server and the name in an address of content, as `mxc://example.org/AbC-1`.
fn content_address(reference: &str) -> Option<(&str, &str)> {
    let (server, media) = reference.strip_prefix("mxc://")?.split_once('/')?;
    let is_of = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text.len() <= 255
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let is_dots = server.bytes().all(|byte| byte == b'.');
    (is_of(server, b".:-[]") && !is_dots && is_of(media, b"_-")).then_some((server, media))
}

/// A part of a path or of a query: everything that could mean something there is encoded.
fn encoded(text: &str) -> String {
    // Of a form only the blank is written in another way.
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_path_is_encoded() {
        assert_eq!(encoded("!a/b:x.org"), "%21a%2Fb%3Ax.org");
        assert_eq!(encoded("!_GPz-I"), "%21_GPz-I", "an id of a room of version 12");
        assert_eq!(encoded("a b+c?d#e%f"), "a%20b%2Bc%3Fd%23e%25f");
    }

    #[test]
    fn only_an_address_of_content_is_one() {
        for (good, parts) in
            [("mxc://x.org/AbC-_1", ("x.org", "AbC-_1")), ("mxc://[::1]:8448/a", ("[::1]:8448", "a"))]
        {
            assert_eq!(content_address(good), Some(parts));
        }
        for bad in [
            "",
            "geo:1,2",
            "mxc://",
            "mxc://x.org",
            "mxc://x.org/",
            "mxc:///a",
            "mxc://x.org/a/b",
            "mxc://../a",
            "mxc://x.org/..",
            "mxc://x/a?b",
            "mxc://x@y/a",
            "https://x.org/a",
            "mxc://x.org/a%2e",
        ] {
            assert_eq!(content_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_of_the_direct_chats_can_be_read_is_read() {
        let content = json!({ "@a:x": ["!1", 5, "!2"], "@b:x": "!3", "@c:x": [] });
        let rooms = direct_rooms(&content);
        assert_eq!(rooms["@a:x"], ["!1", "!2"]);
        assert!(rooms["@b:x"].is_empty() && rooms["@c:x"].is_empty());
        assert!(direct_rooms(&json!([])).is_empty());
    }
}
