//! A Nextcloud server with one bot, in one-to-one conversations of its people with a user called `assistant`.
//!
//! After `docs/bots.md` and `docs/conversation.md` of Nextcloud Talk (spreed), its `BotService.php` and `BotController.php`:
//! how calls are signed, what counts as success, what is refused and how.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Answer, Call, Letters, Platform, Site, StandIn, call_hook};

const SECRET: &str = "a-shared-secret-of-forty-letters-or-more";
const USER: &str = "assistant";
const PASSWORD: &str = "xxxxx-app-passw0rd";

/// The longest message, in characters.
const LONGEST: usize = 32_000;

/// After so many refusals the server answers no more.
const REFUSALS: u32 = 10;

/// The server, and what its people see.
#[derive(Debug)]
pub struct NextcloudTalk {
    server: StandIn<Cloud>,
    hook: String,
    messages: u32,
}

#[derive(Debug, Default)]
struct Cloud {
    letters: Letters,
    refusals: AtomicU32,
}

/// Each person has one conversation, named by its token.
fn room(person: usize) -> String {
    format!("direct{person:03}")
}

fn sign(random: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
    mac.update(random.as_bytes());
    mac.update(text);
    hex::encode(mac.finalize().into_bytes())
}

impl NextcloudTalk {
    /// Starts it.
    pub fn start() -> Self {
        Self { server: StandIn::start(Cloud::default()), hook: String::new(), messages: 1_566 }
    }
}

impl Platform for NextcloudTalk {
    fn channel(&self) -> &'static str {
        "nextcloud-talk"
    }

    fn settings(&self) -> String {
        format!(
            "base_url = \"{}\"\nbot_secret = \"{SECRET}\"\napi_user = \"{USER}\"\napi_password = \"{PASSWORD}\"\n",
            self.server.base()
        )
    }

    /// As `occ talk:bot:install` is told.
    fn call_at(&mut self, url: &str) {
        self.hook = url.to_owned();
    }

    fn id(&self, person: usize) -> String {
        format!("person{person}")
    }

    fn write(&mut self, person: usize, text: &str) {
        self.messages += 1;
        let body = json!({
            "type": "Create",
            "actor": {
                "type": "Person",
                "id": format!("users/Person{person}"),
                "name": format!("Person {person}"),
                "talkParticipantType": "1",
            },
            "object": {
                "type": "Note",
                "id": self.messages.to_string(),
                "name": "message",
                // PHP writes an empty list for no parameters.
                "content": json!({ "message": text, "parameters": [] }).to_string(),
                "mediaType": "text/markdown",
            },
            "target": { "type": "Collection", "id": room(person), "name": format!("Person {person}") },
        })
        .to_string();
        let random = format!("{:064}", self.messages);
        let signature = sign(&random, body.as_bytes());
        let backend = format!("{}/", self.server.base());
        let headers = [
            ("content-type", "application/json"),
            ("x-nextcloud-talk-random", random.as_str()),
            ("x-nextcloud-talk-signature", signature.as_str()),
            ("x-nextcloud-talk-backend", backend.as_str()),
            ("ocs-apirequest", "true"),
        ];
        let (status, said) = call_hook(&self.hook, &headers, body.as_bytes());
        assert!(
            matches!(status, 200 | 202),
            "the bot responds with an unexpected status code {status}: {said}"
        );
    }

    fn read(&mut self, person: usize) -> String {
        self.server.site().letters.take(&room(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.server.site().letters.count(&room(person))
    }
}

#[async_trait]
impl Site for Cloud {
    async fn answer(&self, call: Call) -> Answer {
        if call.header("ocs-apirequest") != Some("true") {
            return ocs(&call, 412, "CSRF check failed", &json!([]));
        }
        let path = call.path.clone();
        // The older version has codes of its own in its answers.
        let parts: Vec<&str> = path.split('/').skip(3).collect();
        match (&call.method, parts.as_slice()) {
            (&Method::GET, ["cloud", "capabilities"]) => ocs(&call, 200, "OK", &capabilities()),
            (&Method::GET, ["cloud", "user"]) => self.as_user(&call, |call| {
                ocs(call, 200, "OK", &json!({ "id": USER, "display-name": "Assistant", "enabled": true }))
            }),
            (&Method::GET, ["apps", "spreed", "api", "v4", "room", token]) => {
                let answer = self.as_user(&call, |call| match token.strip_prefix("direct") {
                    Some(person) => ocs(call, 200, "OK", &conversation(token, person)),
                    None => ocs(call, 404, "", &json!([])),
                });
                answer.with("X-Nextcloud-Talk-Hash", "0f5a1b")
            }
            (&Method::POST, ["apps", "spreed", "api", "v1", "bot", token, "message"]) => {
                self.said(&call, token)
            }
            _ => ocs(&call, 404, "Invalid query, please check the syntax.", &json!([])),
        }
    }
}

impl Cloud {
    fn as_user(&self, call: &Call, answer: impl FnOnce(&Call) -> Answer) -> Answer {
        let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        if call.header("authorization") == Some(&format!("Basic {login}")) {
            return answer(call);
        }
        ocs(call, 401, "Current user is not logged in", &json!([]))
    }

    /// A message of the bot's.
    fn said(&self, call: &Call, token: &str) -> Answer {
        if self.refusals.load(Ordering::SeqCst) > REFUSALS {
            return ocs(call, 429, "", &json!([]));
        }
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let body = call.json();
        let field = |name: &str| match is_json {
            true => body[name].as_str().map(str::to_owned),
            false => call.field(name),
        };
        let message = field("message").unwrap_or_default();
        let header = |name: &str| call.header(name).unwrap_or_default();
        let random = header("x-nextcloud-talk-bot-random");
        let signature = header("x-nextcloud-talk-bot-signature");
        if message.trim().is_empty() || random.len() < 32 || signature.is_empty() {
            return ocs(call, 400, "", &Value::Null);
        }
        // Only where the bot is set up.
        if !token.starts_with("direct") || signature.to_lowercase() != sign(random, message.as_bytes()) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return ocs(call, 401, "", &Value::Null);
        }
        if message.chars().count() > LONGEST {
            return ocs(call, 413, "", &Value::Null);
        }
        self.letters.put(token, &message);
        ocs(call, 201, "", &Value::Null)
    }
}

fn capabilities() -> Value {
    let talk = json!({ "features": ["bots-v1", "chat-v2"], "config": { "chat": { "max-length": LONGEST } } });
    let version = json!({ "major": 33, "minor": 0, "micro": 0, "string": "33.0.0", "edition": "", "extendedSupport": false });
    json!({ "version": version, "capabilities": { "spreed": talk } })
}

/// What `assistant` sees of a one-to-one conversation.
fn conversation(token: &str, person: &str) -> Value {
    json!({
        "id": 1,
        "token": token,
        "type": 1,
        "name": format!("Person{person}"),
        "displayName": format!("Person {person}"),
        "actorType": "users",
        "actorId": USER,
        "participantType": 1,
    })
}

/// An answer in the form that is asked for: XML, unless JSON is.
fn ocs(call: &Call, status: u16, message: &str, data: &Value) -> Answer {
    let is_json = call.header("accept").is_some_and(|kinds| kinds.contains("application/json"))
        || call.parameter("format").as_deref() == Some("json");
    let word = if status < 300 { "ok" } else { "failure" };
    let code = match status {
        200 if call.path.starts_with("/ocs/v1.php/") => 100,
        401 => 997,
        status => status,
    };
    if is_json {
        let meta = json!({ "status": word, "statuscode": code, "message": message });
        return Answer::json(status, &json!({ "ocs": { "meta": meta, "data": data } }));
    }
    let text = format!(
        "<?xml version=\"1.0\"?>\n<ocs><meta><status>{word}</status><statuscode>{code}</statuscode></meta><data/></ocs>\n"
    );
    Answer::status(status).with("content-type", "application/xml; charset=utf-8").body(text)
}
