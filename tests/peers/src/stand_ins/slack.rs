//! Slack with one workspace and one app, as its pages describe the Web API, the Events API and Socket Mode.
//!
//! It looks at tokens and their kinds, signs as Slack does, asks for the challenge before it calls a hook, and sends again
//! what is not acknowledged within three seconds.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Notify;

use crate::{Answer, Call, Letters, Platform, Site, Socket, StandIn, call_hook};

const BOT_TOKEN: &str = "xoxb-1-stand-in";
const APP_TOKEN: &str = "xapp-1-stand-in";
const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// How long Slack waits for an acknowledgement, and how often it sends something again.
const PATIENCE: Duration = Duration::from_secs(3);
const REPEATS: u64 = 3;

/// How events reach the bot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Hook,
    Socket,
}

/// A workspace with people in it, and one app.
#[derive(Debug)]
pub struct Slack {
    stand_in: StandIn<Workspace>,
    way: Way,
    hook: Option<String>,
}

/// The server's side.
#[derive(Debug, Default)]
struct Workspace {
    letters: Letters,
    count: AtomicU64,
    tickets: Mutex<HashSet<String>>,
    events: Mutex<VecDeque<Event>>,
    came: Notify,
}

/// An event that no socket has had acknowledged.
#[derive(Debug)]
struct Event {
    payload: Value,
    tries: u64,
}

impl Slack {
    /// A workspace whose app is called at its web hook.
    pub fn by_hook() -> Self {
        Self::start(Way::Hook)
    }

    /// A workspace whose app opens sockets.
    pub fn by_socket() -> Self {
        Self::start(Way::Socket)
    }

    fn start(way: Way) -> Self {
        Self { stand_in: StandIn::start(Workspace::default()), way, hook: None }
    }

    /// Calls the hook as often as Slack does; the body of the answer that it takes.
    fn deliver(&self, payload: &Value) -> String {
        let hook = self.hook.as_ref().expect("Slack was told where the hook is");
        let (body, stamp) = (payload.to_string(), seconds().to_string());
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).expect("any key will do");
        mac.update(format!("v0:{stamp}:{body}").as_bytes());
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        let mut last = 0;
        for repeat in 0..=REPEATS {
            let number = repeat.to_string();
            let mut headers = vec![
                ("content-type", "application/json"),
                ("x-slack-request-timestamp", stamp.as_str()),
                ("x-slack-signature", signature.as_str()),
            ];
            if repeat > 0 {
                headers
                    .extend([("x-slack-retry-num", number.as_str()), ("x-slack-retry-reason", "http_error")]);
            }
            let (status, answer) = call_hook(hook, &headers, body.as_bytes());
            if (200..300).contains(&status) {
                return answer;
            }
            last = status;
        }
        panic!("the hook answers {last}");
    }
}

impl Platform for Slack {
    fn channel(&self) -> &'static str {
        "slack"
    }

    fn settings(&self) -> String {
        let base = self.stand_in.base();
        let way = match self.way {
            Way::Hook => format!("mode = \"webhook\"\nsigning_secret = \"{SIGNING_SECRET}\"\n"),
            Way::Socket => format!("app_token = \"{APP_TOKEN}\"\n"),
        };
        format!("bot_token = \"{BOT_TOKEN}\"\napi_base = \"{base}/api\"\n{way}")
    }

    fn call_at(&mut self, url: &str) {
        if self.way == Way::Socket {
            return;
        }
        self.hook = Some(url.to_owned());
        let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
        let asked = json!({ "type": "url_verification", "token": "verification", "challenge": challenge });
        let answer = self.deliver(&asked);
        // As a text, or as JSON.
        let told = serde_json::from_str(&answer).map(|answer: Value| answer["challenge"] == challenge);
        assert!(told.unwrap_or(answer == challenge), "the challenge is not answered: {answer}");
    }

    fn id(&self, person: usize) -> String {
        format!("U0PERSON{person}")
    }

    fn write(&mut self, person: usize, text: &str) {
        let payload = self.stand_in.site().message(&self.id(person), &channel(person), text);
        match self.way {
            Way::Hook => drop(self.deliver(&payload)),
            Way::Socket => self.stand_in.site().queue(Event { payload, tries: 0 }),
        }
    }

    fn read(&mut self, person: usize) -> String {
        self.stand_in.site().letters.take(&channel(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.stand_in.site().letters.count(&channel(person))
    }
}

/// The direct conversation of a person and the bot.
fn channel(person: usize) -> String {
    format!("D0PERSON{person}")
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_secs()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn shown(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn refused(word: &str) -> Answer {
    Answer::json(200, &json!({ "ok": false, "error": word }))
}

impl Workspace {
    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn queue(&self, event: Event) {
        self.events.lock().unwrap().push_back(event);
        self.came.notify_one();
    }

    async fn next_event(&self) -> Event {
        loop {
            if let Some(event) = self.events.lock().unwrap().pop_front() {
                return event;
            }
            self.came.notified().await;
        }
    }

    /// What an app gets when somebody writes to it.
    fn message(&self, user: &str, channel: &str, text: &str) -> Value {
        let (number, now) = (self.next(), seconds());
        let ts = format!("{now}.{number:06}");
        let section = json!({ "type": "rich_text_section", "elements": [{ "type": "text", "text": text }] });
        json!({
            "token": "verification",
            "team_id": "T0STANDIN",
            "context_team_id": "T0STANDIN",
            "context_enterprise_id": null,
            "api_app_id": "A0STANDIN",
            "event": {
                "type": "message",
                "user": user,
                "ts": ts,
                "client_msg_id": format!("00000000-0000-4000-8000-{number:012}"),
                "text": escaped(text),
                "team": "T0STANDIN",
                "blocks": [{ "type": "rich_text", "block_id": "b1", "elements": [section] }],
                "channel": channel,
                "event_ts": ts,
                "channel_type": "im",
            },
            "type": "event_callback",
            "event_id": format!("Ev0{number:08}"),
            "event_time": now,
            "authorizations": [{
                "enterprise_id": null,
                "team_id": "T0STANDIN",
                "user_id": "U0BOT",
                "is_bot": true,
                "is_enterprise_install": false,
            }],
            "is_ext_shared_channel": false,
            "event_context": format!("4-{number}"),
        })
    }

    /// A method of the Web API, with its arguments as a form or as JSON.
    fn method(&self, method: &str, call: &Call) -> Answer {
        let json = call.json();
        let argument = |name: &str| {
            let given = json.get(name).and_then(|value| value.as_str().map(str::to_owned));
            given.or_else(|| call.field(name)).unwrap_or_default()
        };
        let is_app_method = method == "apps.connections.open";
        match call.bearer() {
            None => return refused("not_authed"),
            Some(BOT_TOKEN) if is_app_method => return refused("not_allowed_token_type"),
            Some(APP_TOKEN) if !is_app_method => return refused("not_allowed_token_type"),
            Some(BOT_TOKEN | APP_TOKEN) => {}
            Some(_) => return refused("invalid_auth"),
        }
        match method {
            "auth.test" => Answer::json(
                200,
                &json!({
                    "ok": true, "url": "https://stand-in.slack.com/", "team": "Stand-in", "user": "gate",
                    "team_id": "T0STANDIN", "user_id": "U0BOT", "bot_id": "B0BOT", "is_enterprise_install": false,
                }),
            ),
            "apps.connections.open" => {
                let ticket = self.next().to_string();
                let host = call.header("host").expect("a host");
                let url = format!("ws://{host}/link/?ticket={ticket}&app_id=A0STANDIN");
                self.tickets.lock().unwrap().insert(ticket);
                Answer::json(200, &json!({ "ok": true, "url": url }))
            }
            "chat.postMessage" => self.post(&argument("channel"), &argument("text")),
            "conversations.open" => match argument("users").strip_prefix('U') {
                Some(person) => {
                    Answer::json(200, &json!({ "ok": true, "channel": { "id": format!("D{person}") } }))
                }
                None => refused("user_not_found"),
            },
            "conversations.info" => match argument("channel").strip_prefix('D') {
                Some(person) => {
                    let channel =
                        json!({ "id": argument("channel"), "is_im": true, "user": format!("U{person}") });
                    Answer::json(200, &json!({ "ok": true, "channel": channel }))
                }
                None => refused("channel_not_found"),
            },
            _ => refused("unknown_method"),
        }
    }

    fn post(&self, channel: &str, text: &str) -> Answer {
        // Whoever posts to a person posts into the direct conversation with them.
        let channel = match channel.strip_prefix('U') {
            Some(person) => format!("D{person}"),
            None => channel.to_owned(),
        };
        if !channel.starts_with("D0PERSON") {
            return refused("channel_not_found");
        }
        if text.is_empty() {
            return refused("no_text");
        }
        if text.chars().count() > 40_000 {
            return refused("msg_too_long");
        }
        self.letters.put(&channel, &shown(text));
        let ts = format!("{}.{:06}", seconds(), self.next());
        let message =
            json!({ "type": "message", "user": "U0BOT", "bot_id": "B0BOT", "text": text, "ts": ts });
        Answer::json(200, &json!({ "ok": true, "channel": channel, "ts": ts, "message": message }))
    }
}

#[async_trait]
impl Site for Workspace {
    async fn answer(&self, call: Call) -> Answer {
        match call.path.strip_prefix("/api/") {
            Some(method) => self.method(method, &call),
            None => Answer::status(404),
        }
    }

    /// A ticket lets in once.
    fn refuses(&self, call: &Call) -> Option<StatusCode> {
        let ticket = call.parameter("ticket").unwrap_or_default();
        let is_good = call.path == "/link/" && self.tickets.lock().unwrap().remove(&ticket);
        (!is_good).then_some(StatusCode::FORBIDDEN)
    }

    async fn converse(&self, _call: Call, mut socket: Socket) {
        let hello = json!({
            "type": "hello",
            "num_connections": 1,
            "debug_info": { "host": "applink-1", "build_number": 1, "approximate_connection_time": 18_060 },
            "connection_info": { "app_id": "A0STANDIN" },
        });
        if !socket.send(hello.to_string()).await {
            return;
        }
        loop {
            let event = tokio::select! {
                event = self.next_event() => event,
                said = socket.json() => match said {
                    // An acknowledgement that came too late.
                    Some(_) => continue,
                    None => return,
                },
            };
            let id = format!("57d6a792-4d35-4d0b-b6aa-{:012}", self.next());
            let envelope = json!({
                "envelope_id": id,
                "payload": event.payload,
                "type": "events_api",
                "accepts_response_payload": false,
                "retry_attempt": event.tries,
                "retry_reason": if event.tries > 0 { "timeout" } else { "" },
            });
            socket.send(envelope.to_string()).await;
            let acknowledged = async {
                loop {
                    match socket.json().await {
                        Some(said) if said["envelope_id"] == id.as_str() => return true,
                        Some(_) => {}
                        None => return false,
                    }
                }
            };
            let acknowledged = tokio::time::timeout(PATIENCE, acknowledged).await;
            if acknowledged != Ok(true) && event.tries < REPEATS {
                self.queue(Event { tries: event.tries + 1, ..event });
            }
            if acknowledged == Ok(false) {
                return;
            }
        }
    }
}
