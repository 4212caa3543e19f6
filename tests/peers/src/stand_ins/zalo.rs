//! Zalo's Bot Platform: its Bot API, by long poll and by web hook.
//!
//! A refusal has status 200, as Zalo gives it. Unlike Zalo it also calls addresses on loopback without TLS.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{Answer, Call, Letters, Platform, Site, StandIn, call_hook};

const BOT: &str = "1459232241454765289";
const SECRET_OF_THE_TOKEN: &str = "HcapvQPPTFJvrEXqZKzN";
const HOOK_SECRET: &str = "mykey-abcxyz";

/// Zalo with one bot.
#[derive(Debug)]
pub struct Zalo {
    stand_in: StandIn<BotApi>,
    by_hook: bool,
}

#[derive(Debug, Default)]
struct BotApi {
    hook: Mutex<Option<Hook>>,
    /// What no poll has taken yet.
    updates: Mutex<VecDeque<Value>>,
    came: Notify,
    letters: Letters,
    messages: AtomicU64,
}

/// Where it calls.
#[derive(Clone, Debug)]
struct Hook {
    url: String,
    secret: String,
}

impl Zalo {
    /// Starts it for a bot that asks.
    pub fn by_poll() -> Self {
        Self { stand_in: StandIn::start(BotApi::default()), by_hook: false }
    }

    /// Starts it for a bot that is called.
    pub fn by_hook() -> Self {
        Self { by_hook: true, ..Self::by_poll() }
    }

    /// An update that a person's text in private makes.
    pub fn text(&self, person: usize, text: &str) -> Value {
        let api = self.stand_in.site();
        json!({
            "event_name": "message.text.received",
            "message": {
                "from": { "id": user(person), "display_name": format!("Person {person}"), "is_bot": false },
                "chat": { "id": user(person), "chat_type": "PRIVATE" },
                "text": text,
                "message_id": api.next_message(),
                "message_type": "CHAT_MESSAGE",
                "date": now(),
            }
        })
    }

    /// An update reaches the bot: it waits for a poll, or the web hook is called and has to take it.
    pub fn send(&self, update: Value) {
        let api = self.stand_in.site();
        let hook = api.hook.lock().unwrap().clone();
        match hook {
            None => {
                api.updates.lock().unwrap().push_back(update);
                api.came.notify_one();
            }
            Some(Hook { url, secret }) => {
                let headers = [("content-type", "application/json"), ("x-bot-api-secret-token", &*secret)];
                let body = json!({ "ok": true, "result": update }).to_string();
                assert_eq!(call_hook(&url, &headers, body.as_bytes()).0, 200, "Zalo wants 200");
            }
        }
    }
}

impl Platform for Zalo {
    fn channel(&self) -> &'static str {
        "zalo"
    }

    fn settings(&self) -> String {
        let base = self.stand_in.base();
        let settings = format!("token = \"{BOT}:{SECRET_OF_THE_TOKEN}\"\napi_base = \"{base}\"\n");
        let hook = format!("mode = \"webhook\"\nwebhook_secret = \"{HOOK_SECRET}\"\n");
        if self.by_hook { settings + &hook } else { settings }
    }

    fn id(&self, person: usize) -> String {
        user(person)
    }

    fn write(&mut self, person: usize, text: &str) {
        self.send(self.text(person, text));
    }

    fn read(&mut self, person: usize) -> String {
        self.stand_in.site().letters.take(&user(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.stand_in.site().letters.count(&user(person))
    }
}

#[async_trait]
impl Site for BotApi {
    async fn answer(&self, call: Call) -> Answer {
        let Some(method) = call.path.strip_prefix(&format!("/bot{BOT}:{SECRET_OF_THE_TOKEN}/")) else {
            return refusal(401, "Unauthorized");
        };
        let given = |name: &str| given(&call, name);
        match method {
            "getMe" => ok(&json!({
                "id": BOT, "account_name": "bot.VDKyGxQvc", "account_type": "BASIC", "can_join_groups": false,
            })),
            "getUpdates" => {
                let timeout = given("timeout").and_then(|timeout| timeout.parse().ok()).unwrap_or(30);
                self.poll(Duration::from_secs(timeout)).await
            }
            "setWebhook" => match (given("url"), given("secret_token")) {
                (Some(url), Some(secret)) if is_callable(&url) && (8..=256).contains(&secret.len()) => {
                    *self.hook.lock().unwrap() = Some(Hook { url: url.clone(), secret });
                    ok(&json!({ "url": url, "updated_at": now() }))
                }
                _ => refusal(400, "Bad Request"),
            },
            "deleteWebhook" => {
                *self.hook.lock().unwrap() = None;
                ok(&json!({ "url": "", "updated_at": now() }))
            }
            "getWebhookInfo" => {
                let url = self.hook.lock().unwrap().as_ref().map(|hook| hook.url.clone()).unwrap_or_default();
                ok(&json!({ "url": url, "updated_at": now() }))
            }
            "sendMessage" => match (given("chat_id"), given("text")) {
                (Some(chat), Some(text)) if is_id(&chat) && (1..=2_000).contains(&text.chars().count()) => {
                    self.letters.put(&chat, &text);
                    ok(&json!({ "message_id": self.next_message(), "date": now() }))
                }
                _ => refusal(400, "Bad Request"),
            },
            "sendChatAction" => match (given("chat_id"), given("action").as_deref()) {
                (Some(chat), Some("typing" | "upload_photo")) if is_id(&chat) => {
                    Answer::json(200, &json!({ "ok": true }))
                }
                _ => refusal(400, "Bad Request"),
            },
            _ => refusal(404, "Not Found"),
        }
    }
}

impl BotApi {
    /// One update, forgotten with the answer.
    async fn poll(&self, timeout: Duration) -> Answer {
        if self.hook.lock().unwrap().is_some() {
            return refusal(409, "Conflict: a webhook is set");
        }
        let update = async {
            loop {
                if let Some(update) = self.updates.lock().unwrap().pop_front() {
                    return update;
                }
                self.came.notified().await;
            }
        };
        match tokio::time::timeout(timeout, update).await {
            Ok(update) => ok(&update),
            Err(_) => refusal(408, "Request timeout"),
        }
    }

    fn next_message(&self) -> String {
        format!("16f6366b3f0264{:06x}", self.messages.fetch_add(1, Ordering::Relaxed))
    }
}

/// A parameter, in JSON or in a form.
fn given(call: &Call, name: &str) -> Option<String> {
    match &call.json()[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => call.field(name),
    }
}

fn ok(result: &Value) -> Answer {
    Answer::json(200, &json!({ "ok": true, "result": result }))
}

fn refusal(code: u16, description: &str) -> Answer {
    Answer::json(200, &json!({ "ok": false, "error_code": code, "description": description }))
}

fn is_callable(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://127.0.0.1:")
}

fn is_id(chat: &str) -> bool {
    chat.len() == 20 && chat.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970");
    u64::try_from(now.as_millis()).expect("a date of this era")
}

fn user(person: usize) -> String {
    format!("{:020x}", 0xa11 + person)
}
