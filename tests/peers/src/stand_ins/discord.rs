//! Discord with one bot, in private channels with its people.
//!
//! After Discord's documents: Gateway, Opcodes and Status Codes, Rate Limits, Reference (user agent, authorization), and the
//! pages of channels, messages and users.

mod gateway;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use gateway::Session;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Answer, Call, Letters, Platform, Site, Socket, StandIn};

const TOKEN: &str = "MTQ1NzQ2OTQ4MzcyNjY2ODA0OA.GstAnd.in-token_of-the-bot";

/// The bot's user id, which is its application's.
const BOT: u64 = 1_457_469_483_726_668_048;

/// The first person, and their private channel with the bot; the others follow.
const PERSON: u64 = 1_033_044_521_375_764_530;
const CHANNEL: u64 = 1_457_536_551_830_421_525;
const PEOPLE: u64 = 1_000;

/// The longest text, in characters.
const LONGEST: usize = 2_000;

/// So many messages may be sent to a channel within this time.
const BUCKET: (u32, Duration) = (5, Duration::from_secs(5));

/// Discord, and what its people see.
#[derive(Debug)]
pub struct Discord(StandIn<Platforms>);

#[derive(Debug, Default)]
struct Platforms {
    letters: Letters,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Session>,
    ids: u64,
    /// What was sent, by its nonce.
    sent: HashMap<String, Value>,
    /// How many messages went to a channel since when.
    buckets: HashMap<u64, (u32, Instant)>,
}

impl Discord {
    /// Starts it.
    pub fn start() -> Self {
        Self(StandIn::start(Platforms::default()))
    }

    /// Sends the bot away, to come again.
    pub fn reconnect(&self) {
        self.0.site().state().reconnect();
    }
}

impl Platform for Discord {
    fn channel(&self) -> &'static str {
        "discord"
    }

    fn settings(&self) -> String {
        format!("token = \"{TOKEN}\"\napi_base = \"{}/api/v10\"\n", self.0.base())
    }

    fn id(&self, person: usize) -> String {
        (PERSON + number(person)).to_string()
    }

    fn write(&mut self, person: usize, text: &str) {
        let mut state = self.0.site().state();
        let author = user(PERSON + number(person));
        let message = state.message(CHANNEL + number(person), text, &author);
        state.dispatch("MESSAGE_CREATE", &message);
    }

    fn read(&mut self, person: usize) -> String {
        self.0.site().letters.take(&(CHANNEL + number(person)).to_string())
    }

    fn unread(&mut self, person: usize) -> usize {
        self.0.site().letters.count(&(CHANNEL + number(person)).to_string())
    }
}

fn number(person: usize) -> u64 {
    u64::try_from(person).expect("a small number")
}

#[async_trait]
impl Site for Platforms {
    async fn answer(&self, call: Call) -> Answer {
        // What no bot knows of.
        if call.path == "/stand-in/reconnect" {
            self.state().reconnect();
            return Answer::status(204);
        }
        let is_bot = call.header("user-agent").is_some_and(|agent| agent.starts_with("DiscordBot ("));
        let Some(path) = call.path.strip_prefix("/api/v10/").filter(|_| is_bot) else {
            return Answer::status(403)
                .with("content-type", "text/html")
                .body("<html>error code: 1010</html>");
        };
        if call.header("authorization") != Some(&format!("Bot {TOKEN}")) {
            return refusal(401, 0, "401: Unauthorized");
        }
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let upload = Upload::of(&call);
        let is_readable = call.body.is_empty() || is_json && call.json().is_object() || upload.is_some();
        if !is_readable {
            return refusal(400, 50_109, "The request body contains invalid JSON.");
        }
        let parts: Vec<&str> = path.split('/').collect();
        match (&call.method, parts.as_slice()) {
            (&Method::GET, ["gateway", "bot"]) => {
                let url = format!("ws://{}", call.header("host").unwrap_or_default());
                let limit = json!({ "total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1 });
                Answer::json(200, &json!({ "url": url, "shards": 1, "session_start_limit": limit }))
            }
            (&Method::GET, ["users", "@me"]) => Answer::json(200, &user(BOT)),
            (&Method::POST, ["users", "@me", "channels"]) => {
                let person = call.json()["recipient_id"].as_str().and_then(|id| id.parse::<u64>().ok());
                match person.and_then(|person| person.checked_sub(PERSON)).filter(|person| *person < PEOPLE) {
                    Some(person) => Answer::json(200, &channel(CHANNEL + person)),
                    None => refusal(400, 50_033, "Invalid Recipient(s)"),
                }
            }
            (method, ["channels", id, rest @ ..]) => match private(id) {
                None => refusal(404, 10_003, "Unknown Channel"),
                Some(id) => match (method, rest) {
                    (&Method::GET, []) => Answer::json(200, &channel(id)),
                    (&Method::POST, ["typing"]) => Answer::status(204),
                    (&Method::POST, ["messages"]) => match upload {
                        Some(upload) => self.said(id, &upload.message, &upload.files),
                        None => self.said(id, &call.json(), ""),
                    },
                    _ => refusal(404, 0, "404: Not Found"),
                },
            },
            _ => refusal(404, 0, "404: Not Found"),
        }
    }

    fn refuses(&self, call: &Call) -> Option<StatusCode> {
        let is_ours = call.parameter("v").as_deref() == Some("10")
            && call.parameter("encoding").as_deref() == Some("json")
            && call.parameter("compress").is_none();
        (!is_ours).then_some(StatusCode::BAD_REQUEST)
    }

    async fn converse(&self, call: Call, socket: Socket) {
        gateway::converse(self, &call, socket).await;
    }
}

/// A message with files (Reference, Uploading Files).
struct Upload {
    message: Value,
    /// What people see of the files: a line each, of its name and its size.
    files: String,
}

impl Upload {
    /// The upload in a call; `None` if it holds none that can be read.
    fn of(call: &Call) -> Option<Self> {
        let kind = call.header("content-type")?.strip_prefix("multipart/form-data; boundary=")?;
        let body: String = call.body.iter().map(|byte| char::from(*byte)).collect();
        let (mut message, mut files) = (None, String::new());
        let boundary = format!("--{kind}");
        let parts = body.split(&boundary).filter(|part| *part != "--\r\n");
        for part in parts.filter_map(|part| part.strip_suffix("\r\n")) {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let named = |name: &str| {
                head.split(';')
                    .find_map(|word| Some(word.trim().strip_prefix(name)?.split('"').nth(1)?.to_owned()))
            };
            match named("name=")?.as_str() {
                "payload_json" => message = serde_json::from_str(value).ok(),
                name if name.starts_with("files[") => {
                    files += &format!("{}: {} bytes\n", named("filename=")?, value.chars().count());
                }
                _ => return None,
            }
        }
        let is_named = |message: &Value| message["attachments"][0]["id"] == 0;
        message.filter(is_named).map(|message| Self { message, files })
    }
}

impl Platforms {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message of the bot's.
    fn said(&self, id: u64, body: &Value, files: &str) -> Answer {
        let mut state = self.state();
        let (left, reset) = state.bucket(id);
        let Some(left) = left else {
            let seconds = reset.as_secs_f64();
            let slow =
                json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": false });
            return Answer::json(429, &slow).with("retry-after", reset.as_secs().to_string());
        };
        let content = body["content"].as_str().unwrap_or_default();
        if content.trim().is_empty() && files.is_empty() {
            return refusal(400, 50_006, "Cannot send an empty message");
        }
        let nonce = match &body["nonce"] {
            Value::Null => None,
            Value::String(nonce) if nonce.chars().count() <= 25 => Some(nonce.clone()),
            Value::Number(nonce) if nonce.is_i64() => Some(nonce.to_string()),
            _ => return refusal(400, 50_035, "Invalid Form Body"),
        };
        if content.chars().count() > LONGEST {
            return refusal(400, 50_035, "Invalid Form Body");
        }
        let nonce = nonce.filter(|_| body["enforce_nonce"] == true);
        let known = nonce.as_ref().and_then(|nonce| state.sent.get(nonce)).cloned();
        let message = known.unwrap_or_else(|| {
            let mut message = state.message(id, content, &user(BOT));
            message["nonce"] = body["nonce"].clone();
            if let Some(nonce) = nonce {
                state.sent.insert(nonce, message.clone());
            }
            self.letters.put(&id.to_string(), &format!("{files}{content}"));
            // The bot hears itself as well.
            state.dispatch("MESSAGE_CREATE", &message);
            message
        });
        Answer::json(200, &message)
            .with("x-ratelimit-limit", BUCKET.0.to_string())
            .with("x-ratelimit-remaining", left.to_string())
            .with("x-ratelimit-reset-after", format!("{:.3}", reset.as_secs_f64()))
            .with("x-ratelimit-bucket", "80c17d2f203122d936070c88c8d10f33")
    }
}

impl State {
    /// How many messages may follow the next one in a channel, if one may be sent, and when all are allowed again.
    fn bucket(&mut self, channel: u64) -> (Option<u32>, Duration) {
        let (most, window) = BUCKET;
        let (used, since) = self.buckets.entry(channel).or_insert((0, Instant::now()));
        if since.elapsed() >= window {
            (*used, *since) = (0, Instant::now());
        }
        let left = most.checked_sub(*used + 1);
        *used = (*used + 1).min(most);
        (left, window.saturating_sub(since.elapsed()))
    }

    fn message(&mut self, channel: u64, text: &str, author: &Value) -> Value {
        self.ids += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_millis();
        let now = u64::try_from(now).expect("a date before the year 500 million");
        json!({
            "id": ((now - 1_420_070_400_000) << 22 | self.ids).to_string(),
            "type": 0,
            "tts": false,
            "timestamp": "2026-01-05T00:49:57.143000+00:00",
            "edited_timestamp": null,
            "pinned": false,
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": false,
            "embeds": [],
            "attachments": [],
            "components": [],
            "flags": 0,
            "content": text,
            "channel_type": 1,
            "channel_id": channel.to_string(),
            "author": author,
        })
    }
}

/// One of the private channels, by its id.
fn private(id: &str) -> Option<u64> {
    id.parse().ok().filter(|id| (CHANNEL..CHANNEL + PEOPLE).contains(id))
}

fn channel(id: u64) -> Value {
    json!({
        "id": id.to_string(),
        "type": 1,
        "last_message_id": null,
        "flags": 0,
        "recipients": [user(PERSON + id - CHANNEL)],
    })
}

fn user(id: u64) -> Value {
    let mut user = json!({
        "id": id.to_string(),
        "username": format!("user{}", id % 1_000),
        "global_name": null,
        "discriminator": "0",
        "avatar": null,
        "public_flags": 0,
    });
    if id == BOT {
        user["bot"] = json!(true);
    }
    user
}

fn refusal(status: u16, code: i64, message: &str) -> Answer {
    Answer::json(status, &json!({ "message": message, "code": code }))
}
