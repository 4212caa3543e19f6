//! Synology Chat on a NAS: its API for bots, and calls to a bot's outgoing URL.
//!
//! A refusal has status 200, as a NAS gives it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use crate::{Answer, Call, Letters, Platform, Site, StandIn, call_hook};

const TOKEN: &str = "f69oQY4l5v7UVzKqmVfw1MQgFGZmxwODg1sndKIqsz8grAqYnKyerCRISQa1MiJj";

/// The users of the NAS: as many as a story needs.
const PEOPLE: usize = 4;

/// A NAS with one bot.
#[derive(Debug)]
pub struct SynologyChat {
    stand_in: StandIn<Nas>,
    /// The bot's outgoing URL.
    hook: Option<String>,
}

#[derive(Debug, Default)]
struct Nas {
    letters: Letters,
    posts: AtomicU64,
}

impl SynologyChat {
    /// Starts it.
    pub fn start() -> Self {
        Self { stand_in: StandIn::start(Nas::default()), hook: None }
    }

    /// Where it listens: `127.0.0.1:4711`.
    pub fn address(&self) -> String {
        self.stand_in.base().trim_start_matches("http://").to_owned()
    }

    /// The bot's token.
    pub fn token(&self) -> &'static str {
        TOKEN
    }
}

impl Platform for SynologyChat {
    fn channel(&self) -> &'static str {
        "synology-chat"
    }

    fn settings(&self) -> String {
        format!("base_url = \"{}\"\ntoken = \"{TOKEN}\"\n", self.stand_in.base())
    }

    fn call_at(&mut self, url: &str) {
        self.hook = Some(url.to_owned());
    }

    fn id(&self, person: usize) -> String {
        number(person).to_string()
    }

    fn write(&mut self, person: usize, text: &str) {
        let post = self.stand_in.site().next_post();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_millis();
        let fields = [
            ("token", TOKEN),
            ("user_id", &number(person).to_string()),
            ("username", &nickname(person)),
            ("post_id", &post.to_string()),
            ("thread_id", "0"),
            ("timestamp", &now.to_string()),
            ("text", text),
        ];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let hook = self.hook.as_deref().expect("the NAS was told the outgoing URL");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let (status, answer) = call_hook(hook, &headers, body.as_bytes());
        assert!((200..300).contains(&status), "a NAS wants success, not {status}");
        if !answer.is_empty() {
            let said: Value = serde_json::from_str(&answer).unwrap_or_default();
            // What is in an answer is posted.
            self.stand_in.site().letters.put(&self.id(person), said["text"].as_str().unwrap_or(&answer));
        }
    }

    fn read(&mut self, person: usize) -> String {
        self.stand_in.site().letters.take(&number(person).to_string())
    }

    fn unread(&mut self, person: usize) -> usize {
        self.stand_in.site().letters.count(&number(person).to_string())
    }
}

#[async_trait]
impl Site for Nas {
    async fn answer(&self, call: Call) -> Answer {
        if call.path != "/webapi/entry.cgi" {
            return Answer::status(404);
        }
        let given = |name: &str| call.parameter(name).or_else(|| call.field(name));
        if given("api").as_deref() != Some("SYNO.Chat.External") {
            return refusal(102);
        }
        if !matches!(given("version").as_deref(), Some("1" | "2")) {
            return refusal(104);
        }
        // With and without the quotation marks, as JSON and as it is.
        if given("token").is_none_or(|token| token.trim_matches('"') != TOKEN) {
            return refusal(404);
        }
        match (call.method.clone(), given("method").as_deref()) {
            (_, Some("user_list")) => {
                let users: Vec<Value> = (0..PEOPLE).map(user).collect();
                ok(&json!({ "users": users }))
            }
            (Method::POST, Some("chatbot")) => self.post(&call),
            _ => refusal(103),
        }
    }
}

impl Nas {
    fn post(&self, call: &Call) -> Answer {
        // In a form; and as `payload={…}` that nobody has encoded, as its documents show it.
        let raw = call.body.strip_prefix(b"payload=").unwrap_or_default();
        let payload: Option<Value> =
            call.field("payload").and_then(|payload| serde_json::from_str(&payload).ok());
        let Some(payload) = payload.or_else(|| serde_json::from_slice(raw).ok()) else { return refusal(117) };
        let users: Option<Vec<u64>> =
            payload["user_ids"].as_array().map(|ids| ids.iter().filter_map(Value::as_u64).collect());
        let (Some(users), Some(text)) = (users, payload["text"].as_str()) else { return refusal(117) };
        let is_known = |user: &u64| (0..PEOPLE).any(|person| number(person) == *user);
        if users.is_empty() || !users.iter().all(is_known) || text.is_empty() {
            return refusal(117);
        }
        users.iter().for_each(|user| self.letters.put(&user.to_string(), text));
        let posts: serde_json::Map<_, _> =
            users.iter().map(|user| (user.to_string(), json!(self.next_post()))).collect();
        ok(&json!({ "fail": [], "succ": { "user_id_post_map": posts } }))
    }

    fn next_post(&self) -> u64 {
        146_028_888_128 + self.posts.fetch_add(1, Ordering::Relaxed)
    }
}

fn user(person: usize) -> Value {
    json!({
        "user_id": number(person), "username": format!("person{person}"), "nickname": nickname(person),
        "deleted": false, "disabled": false,
    })
}

fn ok(data: &Value) -> Answer {
    Answer::json(200, &json!({ "success": true, "data": data }))
}

fn refusal(code: u16) -> Answer {
    Answer::json(200, &json!({ "success": false, "error": { "code": code, "errors": "refused" } }))
}

fn number(person: usize) -> u64 {
    4 + u64::try_from(person).expect("a small number")
}

fn nickname(person: usize) -> String {
    format!("Person {person}")
}
