//! A Mac with a BlueBubbles server.
//!
//! After the server's own sources (`httpRoutes.ts`, its validators and routers, `webhookService`, `MessageSerializer.ts`): which
//! fields are needed, what is answered, what a web hook is called with.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use crate::{Answer, Call, Letters, Platform, Site, StandIn, call_hook};

const PASSWORD: &str = "mac password & more";

/// The server, and what its people see.
#[derive(Debug)]
pub struct BlueBubbles {
    server: StandIn<Mac>,
    messages: u64,
}

#[derive(Debug, Default)]
struct Mac {
    letters: Letters,
    hooks: Mutex<Vec<Value>>,
    ids: AtomicU64,
}

/// What a web hook may be called for, among others.
const EVENTS: [&str; 5] = ["*", "new-message", "updated-message", "typing-indicator", "group-name-change"];

fn number(person: usize) -> String {
    format!("+1555000{person:04}")
}

/// Now, as the Mac has it.
fn millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970");
    u64::try_from(now.as_millis()).expect("a date before long")
}

/// The chat with a person.
fn chat(person: usize) -> String {
    format!("iMessage;-;{}", number(person))
}

impl BlueBubbles {
    /// Starts it.
    pub fn start() -> Self {
        Self { server: StandIn::start(Mac::default()), messages: 0 }
    }
}

impl Platform for BlueBubbles {
    fn channel(&self) -> &'static str {
        "bluebubbles"
    }

    fn settings(&self) -> String {
        format!(
            "server_url = \"{}\"\npassword = \"{PASSWORD}\"\nwebhook_secret = \"a-secret-made-up-by-the-owner\"\n",
            self.server.base()
        )
    }

    fn id(&self, person: usize) -> String {
        number(person)
    }

    fn write(&mut self, person: usize, text: &str) {
        self.messages += 1;
        let message = json!({
            "originalROWID": self.messages,
            "guid": format!("3D0C5B0E-8D2A-4F7A-9A53-{:012X}", self.messages),
            "text": text,
            "handle": { "originalROWID": 3, "address": number(person), "service": "iMessage", "country": "us" },
            "handleId": 3,
            "attachments": [],
            "subject": null,
            "error": 0,
            "dateCreated": millis(),
            "isFromMe": false,
            "itemType": 0,
            "groupActionType": 0,
            "associatedMessageGuid": null,
            "associatedMessageType": null,
            "chats": [{ "guid": chat(person), "style": 45, "chatIdentifier": number(person), "displayName": "" }],
        });
        let body = json!({ "type": "new-message", "data": message }).to_string();
        let hooks = self.server.site().hooks.lock().unwrap().clone();
        assert!(!hooks.is_empty(), "nobody is to be called");
        for hook in hooks {
            let url = hook["url"].as_str().unwrap();
            // The server does not look at what is answered, and tells of some messages twice.
            for _ in 0..2 {
                let (status, said) = call_hook(url, &[("content-type", "application/json")], body.as_bytes());
                assert_eq!(status, 200, "{said}");
            }
        }
    }

    fn read(&mut self, person: usize) -> String {
        self.server.site().letters.take(&chat(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.server.site().letters.count(&chat(person))
    }
}

#[async_trait]
impl Site for Mac {
    async fn answer(&self, call: Call) -> Answer {
        let given = ["guid", "password", "token"].iter().find_map(|name| call.parameter(name));
        if given.as_deref() != Some(PASSWORD) {
            return refusal(401, "Authentication Error", "Unauthorized");
        }
        let parts: Vec<&str> = call.path.trim_start_matches("/api/v1/").split('/').collect();
        match (&call.method, parts.as_slice()) {
            (&Method::GET, ["webhook"]) => success(&json!(*self.hooks.lock().unwrap())),
            (&Method::POST, ["webhook"]) => self.register(&call.json()),
            (&Method::DELETE, ["webhook", id]) => self.forget(id),
            (&Method::POST, ["message", "text"]) => self.said(&call.json()),
            _ => refusal(404, "Database Error", "The requested resource was not found"),
        }
    }
}

impl Mac {
    fn register(&self, asked: &Value) -> Answer {
        let (Some(url), Some(events)) = (asked["url"].as_str(), asked["events"].as_array()) else {
            return refusal(400, "Validation Error", "The url field is required.");
        };
        if !url.starts_with("http") {
            return refusal(400, "Validation Error", "Webhook URL must include an HTTP scheme!");
        }
        if let Some(odd) = events.iter().find(|event| !EVENTS.contains(&event.as_str().unwrap_or_default())) {
            return refusal(400, "Validation Error", &format!("Invalid webhook event: {odd}!"));
        }
        let id = self.ids.fetch_add(1, Ordering::SeqCst) + 1;
        let hook = json!({ "id": id, "url": url, "events": events, "created": "2026-11-24T12:00:00.000Z" });
        self.hooks.lock().unwrap().push(hook.clone());
        success(&hook)
    }

    fn forget(&self, id: &str) -> Answer {
        let mut hooks = self.hooks.lock().unwrap();
        let before = hooks.len();
        hooks.retain(|hook| hook["id"].as_u64() != id.parse().ok());
        if hooks.len() == before {
            return refusal(404, "Database Error", "Webhook does not exist!");
        }
        success(&Value::Null)
    }

    /// A text of the bot's.
    fn said(&self, asked: &Value) -> Answer {
        let (Some(chat), Some(text)) = (asked["chatGuid"].as_str(), asked["message"].as_str()) else {
            return refusal(400, "Validation Error", "The chatGuid field is required.");
        };
        match asked["method"].as_str().unwrap_or("apple-script") {
            "private-api" => return refusal(500, "iMessage Error", "Private API is not enabled!"),
            "apple-script" => {}
            _ => return refusal(400, "Validation Error", "The selected method is invalid."),
        }
        if asked["tempGuid"].as_str().is_none_or(str::is_empty) || text.is_empty() {
            return refusal(400, "Validation Error", "A 'tempGuid' is required when sending via AppleScript");
        }
        // AppleScript finds no chat that there never was.
        if !chat.starts_with("iMessage;-;+1555000") {
            return refusal(500, "iMessage Error", "Can't get chat id");
        }
        self.letters.put(chat, text);
        let sent = json!({ "guid": "SENT", "text": text, "isFromMe": true, "error": 0, "tempGuid": asked["tempGuid"] });
        success(&sent)
    }
}

fn success(data: &Value) -> Answer {
    Answer::json(200, &json!({ "status": 200, "message": "Success", "data": data }))
}

fn refusal(status: u16, kind: &str, message: &str) -> Answer {
    let error = json!({ "type": kind, "message": message });
    Answer::json(status, &json!({ "status": status, "message": "Oh no", "error": error }))
}
