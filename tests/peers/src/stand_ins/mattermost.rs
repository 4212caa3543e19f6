//! A Mattermost server below a path, with people and one bot, as the pages on its API (version 4) and on its WebSocket
//! describe them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::{Answer, Call, Letters, Platform, Site, Socket, StandIn};

const TOKEN: &str = "x1zt4k3nofth3b0tofth3st4nd";

/// The longest message, in characters.
const LONGEST: usize = 16_383;

/// The most posts that are given at once.
const MOST: usize = 1_000;

/// A server, with its people.
#[derive(Debug)]
pub struct Mattermost(StandIn<Server>);

#[derive(Debug, Default)]
struct Server {
    letters: Letters,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    /// When something was created last, in milliseconds: never twice at the same moment.
    last: u64,
    /// By id.
    channels: HashMap<String, Value>,
    posts: Vec<Value>,
    /// Who hears of events: one for each connection.
    listeners: Vec<mpsc::UnboundedSender<Value>>,
}

impl Mattermost {
    /// Starts it.
    pub fn start() -> Self {
        Self(StandIn::start(Server::default()))
    }

    /// Where it is.
    pub fn base(&self) -> String {
        format!("{}/chat", self.0.base())
    }

    /// What the adapter is told, if the server is found there.
    pub fn settings_at(&self, base_url: &str) -> String {
        format!("base_url = \"{base_url}\"\ntoken = \"{TOKEN}\"\n")
    }

    /// All connections of the bot's break.
    pub fn disconnect(&self) {
        self.0.site().state.lock().unwrap().listeners.clear();
    }
}

impl Platform for Mattermost {
    fn channel(&self) -> &'static str {
        "mattermost"
    }

    fn settings(&self) -> String {
        self.settings_at(&self.base())
    }

    fn id(&self, person: usize) -> String {
        format!("person{person:020}")
    }

    fn write(&mut self, person: usize, text: &str) {
        let mut state = self.0.site().state.lock().unwrap();
        let channel = state.direct(&self.id(person));
        state.post(&self.id(person), &channel, &json!({ "message": text }));
    }

    fn read(&mut self, person: usize) -> String {
        self.0.site().letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.0.site().letters.count(&self.id(person))
    }
}

/// The bot's user id.
fn bot() -> String {
    format!("gatekeeper{:016}", 1)
}

fn refused(status: u16, id: &str, message: &str) -> Answer {
    let error = json!({
        "id": id, "message": message, "detailed_error": "", "request_id": "request", "status_code": status,
    });
    Answer::json(status, &error)
}

impl State {
    /// An id that is not given out yet.
    fn id(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind:x<8}{:018}", self.count)
    }

    fn now(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_millis();
        self.last = u64::try_from(now).expect("a date before the end of time").max(self.last + 1);
        self.last
    }

    /// The channel of a person and the bot.
    fn direct(&mut self, person: &str) -> String {
        let mut ids = [bot(), person.to_owned()];
        ids.sort();
        let name = ids.join("__");
        let known = self.channels.values().find(|channel| channel["name"] == name.as_str());
        if let Some(id) = known.and_then(|channel| channel["id"].as_str()) {
            return id.to_owned();
        }
        let (id, now) = (self.id("channel"), self.now());
        let channel = json!({
            "id": id, "create_at": now, "update_at": now, "delete_at": 0, "team_id": "", "type": "D",
            "display_name": "", "name": name, "last_post_at": 0, "total_msg_count": 0, "person": person,
        });
        self.channels.insert(id.clone(), channel);
        id
    }

    /// Something is posted; everybody who is connected hears of it.
    fn post(&mut self, user: &str, channel: &str, given: &Value) -> Value {
        let (id, now) = (self.id("post"), self.now());
        let text = |name: &str| given[name].as_str().unwrap_or_default();
        let mut post = json!({
            "id": id, "create_at": now, "update_at": now, "edit_at": 0, "delete_at": 0, "is_pinned": false,
            "user_id": user, "channel_id": channel, "root_id": text("root_id"), "original_id": "",
            "message": text("message"), "type": "", "props": {}, "hashtags": "",
            "pending_post_id": text("pending_post_id"), "reply_count": 0, "metadata": {},
        });
        if user == bot() {
            post["props"]["from_bot"] = json!("true");
        }
        self.posts.push(post.clone());
        let channel = self.channels.get_mut(channel).expect("a channel that is there");
        channel["last_post_at"] = json!(now);
        let event = json!({
            "event": "posted",
            "data": {
                "channel_display_name": "@person", "channel_name": channel["name"], "channel_type": "D",
                "mentions": json!([bot()]).to_string(), "post": post.to_string(), "sender_name": "@person",
                "set_online": true, "team_id": "",
            },
            "broadcast": {
                "omit_users": null, "user_id": "", "channel_id": channel["id"], "team_id": "", "connection_id": "",
            },
        });
        self.listeners.retain(|listener| listener.send(event.clone()).is_ok());
        post
    }

    /// What was posted in a channel since then, the newest first.
    fn since(&self, channel: &str, since: u64) -> Value {
        let is_asked = |post: &&Value| {
            post["channel_id"] == channel && post["update_at"].as_u64().is_some_and(|at| at > since)
        };
        let found: Vec<&Value> = self.posts.iter().rev().filter(is_asked).take(MOST).collect();
        let id = |post: &Value| post["id"].as_str().expect("an id").to_owned();
        let order: Vec<String> = found.iter().map(|post| id(post)).collect();
        let posts: Map<String, Value> = found.iter().map(|post| (id(post), (*post).clone())).collect();
        json!({ "order": order, "posts": posts, "next_post_id": "", "prev_post_id": "" })
    }
}

impl Server {
    fn create(&self, given: &Value) -> Answer {
        let mut state = self.state.lock().unwrap();
        let text = |name: &str| given[name].as_str().unwrap_or_default();
        let Some(channel) = state.channels.get(text("channel_id")) else {
            let message = "You do not have the appropriate permissions.";
            return refused(403, "api.context.permissions.app_error", message);
        };
        let person = channel["person"].as_str().expect("a person").to_owned();
        if text("message").chars().count() > LONGEST {
            return refused(
                400,
                "model.post.is_valid.message_length.app_error",
                "Post Message property is too long.",
            );
        }
        // Who sends the same again within a moment gets what came of the first.
        let pending = text("pending_post_id");
        let known = state.posts.iter().find(|post| !pending.is_empty() && post["pending_post_id"] == pending);
        if let Some(post) = known {
            return Answer::json(201, post);
        }
        let post = state.post(&bot(), text("channel_id"), given);
        self.letters.put(&person, text("message"));
        Answer::json(201, &post)
    }

    fn make_direct(&self, given: &Value) -> Answer {
        let ids: Vec<&str> = given.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let own = bot();
        let other = ids.iter().find(|id| **id != own && id.starts_with("person"));
        match (ids.len(), other) {
            (2, Some(other)) if ids.contains(&own.as_str()) => {
                let mut state = self.state.lock().unwrap();
                let id = state.direct(other);
                Answer::json(201, &state.channels[&id])
            }
            _ => refused(
                400,
                "api.context.invalid_body_param.app_error",
                "Invalid or missing user_ids in request body.",
            ),
        }
    }
}

#[async_trait]
impl Site for Server {
    async fn answer(&self, call: Call) -> Answer {
        let Some(path) = call.path.strip_prefix("/chat/api/v4/") else { return Answer::status(404) };
        if call.bearer() != Some(TOKEN) {
            let message = "Invalid or expired session, please login again.";
            return refused(401, "api.context.session_expired.app_error", message);
        }
        let parts: Vec<&str> = path.split('/').collect();
        match (call.method.clone(), parts.as_slice()) {
            (Method::GET, ["users", "me"]) => Answer::json(
                200,
                &json!({ "id": bot(), "username": "gate", "roles": "system_user", "is_bot": true, "delete_at": 0 }),
            ),
            (Method::GET, ["users", "me", "channels"]) => {
                let state = self.state.lock().unwrap();
                Answer::json(200, &Value::Array(state.channels.values().cloned().collect()))
            }
            (Method::POST, ["users", "me", "typing"]) => Answer::json(200, &json!({ "status": "OK" })),
            (Method::POST, ["channels", "direct"]) => self.make_direct(&call.json()),
            (Method::GET, ["channels", channel, "posts"]) => {
                let since = call.parameter("since").and_then(|since| since.parse().ok()).unwrap_or_default();
                Answer::json(200, &self.state.lock().unwrap().since(channel, since))
            }
            (Method::POST, ["posts"]) => self.create(&call.json()),
            _ => refused(404, "api.context.404.app_error", "Sorry, we could not find the page."),
        }
    }

    fn refuses(&self, call: &Call) -> Option<StatusCode> {
        (call.path != "/chat/api/v4/websocket").then_some(StatusCode::NOT_FOUND)
    }

    async fn converse(&self, _call: Call, mut socket: Socket) {
        let mut events: Option<mpsc::UnboundedReceiver<Value>> = None;
        let mut number = 0;
        loop {
            let heard = async {
                match &mut events {
                    Some(events) => events.recv().await,
                    None => std::future::pending().await,
                }
            };
            let said = tokio::select! {
                event = heard => {
                    let Some(mut event) = event else { return socket.close(1001, "").await };
                    event["seq"] = json!(number);
                    number += 1;
                    if !socket.send(event.to_string()).await {
                        return;
                    }
                    continue;
                }
                said = socket.json() => said,
            };
            let Some(said) = said else { return };
            let fail = |id: &str| json!({ "status": "FAIL", "seq_reply": said["seq"], "error": { "id": id, "message": id } });
            let answer = match said["action"].as_str() {
                Some("authentication_challenge") if said["data"]["token"] == TOKEN => {
                    let (sender, receiver) = mpsc::unbounded_channel();
                    let mut state = self.state.lock().unwrap();
                    let hello = json!({
                        "event": "hello",
                        "data": { "server_version": "11.9.0", "connection_id": state.id("connect") },
                        "broadcast": { "omit_users": null, "user_id": bot(), "channel_id": "", "team_id": "" },
                    });
                    let _ = sender.send(hello);
                    state.listeners.push(sender);
                    events = Some(receiver);
                    json!({ "status": "OK", "seq_reply": said["seq"] })
                }
                Some("authentication_challenge") => {
                    socket.send(fail("api.web_socket_router.not_authenticated.app_error").to_string()).await;
                    return;
                }
                _ if events.is_none() => fail("api.web_socket_router.not_authenticated.app_error"),
                Some("ping") => {
                    json!({ "status": "OK", "data": { "text": "pong" }, "seq_reply": said["seq"] })
                }
                _ => fail("api.web_socket_router.bad_action.app_error"),
            };
            if !socket.send(answer.to_string()).await {
                return;
            }
        }
    }
}
