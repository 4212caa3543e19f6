//! LINE: its Messaging API, and calls that are signed as its documents say.
//!
//! Unlike LINE it also calls addresses on loopback without TLS.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Answer, Call, Letters, Platform, Site, StandIn, call_hook};

const SECRET: &str = "0b6c2f1e9d8a47b3a5c4d3e2f1a09b8c";
const TOKEN: &str = "a/long+lived/token=";

/// The official account's own id.
const ACCOUNT: &str = "U00000000000000000000000000000b07";

/// LINE with one channel.
#[derive(Debug)]
pub struct Line(StandIn<MessagingApi>);

#[derive(Debug, Default)]
struct MessagingApi {
    hook: Mutex<Option<String>>,
    letters: Letters,
    /// The retry keys of accepted pushes.
    accepted: Mutex<HashSet<String>>,
    events: AtomicU64,
}

impl Line {
    /// Starts it.
    pub fn start() -> Self {
        Self(StandIn::start(MessagingApi::default()))
    }

    /// Sends the channel a call with these events, signed; the status of the answer.
    pub fn call(&self, events: &[Value]) -> u16 {
        let body = json!({ "destination": ACCOUNT, "events": events }).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length");
        mac.update(body.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let headers = [
            ("content-type", "application/json; charset=utf-8"),
            ("user-agent", "LineBotWebhook/2.0"),
            ("x-line-signature", &*signature),
        ];
        let hook = self.0.site().hook.lock().unwrap().clone().expect("LINE was told where to call");
        call_hook(&hook, &headers, body.as_bytes()).0
    }

    /// The event of a text that a person writes in private.
    pub fn text(&self, person: usize, text: &str) -> Value {
        let number = self.0.site().events.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970");
        json!({
            "type": "message",
            "message": { "type": "text", "id": format!("{}", 468_789_577_898_262_530 + number), "quoteToken": "q3Plxr4AgKd", "text": text },
            "webhookEventId": format!("01FZ74A0TDDPYRVKNK{number:08}"),
            "deliveryContext": { "isRedelivery": false },
            "timestamp": u64::try_from(now.as_millis()).expect("a date of this era"),
            "source": { "type": "user", "userId": user(person) },
            "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
            "mode": "active",
        })
    }
}

impl Platform for Line {
    fn channel(&self) -> &'static str {
        "line"
    }

    fn settings(&self) -> String {
        let base = self.0.base();
        format!(
            "channel_secret = \"{SECRET}\"\nchannel_access_token = \"{TOKEN}\"\n\
             api_base = \"{base}\"\ndata_base = \"{base}\"\n"
        )
    }

    fn call_at(&mut self, url: &str) {
        *self.0.site().hook.lock().unwrap() = Some(url.to_owned());
    }

    fn id(&self, person: usize) -> String {
        user(person)
    }

    fn write(&mut self, person: usize, text: &str) {
        assert_eq!(self.call(&[self.text(person, text)]), 200, "LINE wants 200");
    }

    fn read(&mut self, person: usize) -> String {
        self.0.site().letters.take(&user(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.0.site().letters.count(&user(person))
    }
}

#[async_trait]
impl Site for MessagingApi {
    async fn answer(&self, call: Call) -> Answer {
        let answer = if call.bearer() == Some(TOKEN) {
            self.called(&call)
        } else {
            refusal(
                401,
                "Authentication failed. Confirm that the access token in the authorization header is valid.",
                &[],
            )
        };
        answer.with("x-line-request-id", "2a1b3c4d-0000-4000-a000-000000000000")
    }
}

impl MessagingApi {
    fn called(&self, call: &Call) -> Answer {
        let body = call.json();
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if call.method != Method::GET && !is_json {
            return refusal(415, "Unsupported Media Type", &[]);
        }
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/v2/bot/message/push") => self.push(call.header("x-line-retry-key"), &body),
            ("POST", "/v2/bot/chat/loading/start") => {
                let seconds = body["loadingSeconds"].as_u64().unwrap_or(20);
                let is_right = (5..=60).contains(&seconds) && seconds.is_multiple_of(5);
                if is_right && is_user(&body["chatId"]) {
                    Answer::json(202, &json!({}))
                } else {
                    bad("chatId")
                }
            }
            ("GET", "/v2/bot/info") => Answer::json(
                200,
                &json!({
                    "userId": ACCOUNT, "basicId": "@216ru", "displayName": "Gate",
                    "chatMode": "bot", "markAsReadMode": "auto",
                }),
            ),
            ("GET", "/v2/bot/channel/webhook/endpoint") => match &*self.hook.lock().unwrap() {
                Some(hook) => Answer::json(200, &json!({ "endpoint": hook, "active": true })),
                None => refusal(404, "Not found", &[]),
            },
            ("PUT", "/v2/bot/channel/webhook/endpoint") => match body["endpoint"].as_str() {
                Some(url) if url.len() <= 500 && is_callable(url) => {
                    *self.hook.lock().unwrap() = Some(url.to_owned());
                    Answer::json(200, &json!({}))
                }
                _ => bad("endpoint"),
            },
            _ => refusal(404, "Not found", &[]),
        }
    }

    fn push(&self, key: Option<&str>, body: &Value) -> Answer {
        if !is_user(&body["to"]) {
            return bad("to");
        }
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let length = |message: &Value| message["text"].as_str().map_or(0, |text| text.encode_utf16().count());
        let is_good = |message: &Value| message["type"] == "text" && (1..=5_000).contains(&length(message));
        if !(1..=5).contains(&messages.len()) || !messages.iter().all(is_good) {
            return bad("messages");
        }
        if let Some(key) = key {
            if !is_uuid(key) {
                return refusal(400, "Invalid retry key", &[]);
            }
            if !self.accepted.lock().unwrap().insert(key.to_owned()) {
                return refusal(409, "The retry key is already accepted", &[])
                    .with("x-line-accepted-request-id", "2a1b3c4d-0000-4000-a000-000000000000");
            }
        }
        let to = body["to"].as_str().unwrap();
        messages.iter().for_each(|message| self.letters.put(to, message["text"].as_str().unwrap()));
        let sent: Vec<Value> = messages
            .iter()
            .map(|_| json!({ "id": "461230966842064897", "quoteToken": "IStG5h1Tz7b" }))
            .collect();
        Answer::json(200, &json!({ "sentMessages": sent }))
    }
}

fn refusal(status: u16, message: &str, details: &[Value]) -> Answer {
    let body = if details.is_empty() {
        json!({ "message": message })
    } else {
        json!({ "message": message, "details": details })
    };
    Answer::json(status, &body)
}

fn bad(property: &str) -> Answer {
    let detail = json!({ "message": "May not be empty or invalid", "property": property });
    refusal(400, "The request body has 1 error(s)", &[detail])
}

fn is_user(id: &Value) -> bool {
    id.as_str().and_then(|id| id.strip_prefix('U')).is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_callable(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://127.0.0.1:")
}

fn is_uuid(key: &str) -> bool {
    let parts: Vec<&str> = key.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.concat().bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn user(person: usize) -> String {
    format!("U{:032x}", 0xa11 + person)
}
