//! Meta's Graph API with one WhatsApp number of a business, and people who write to it.
//!
//! After the documents of the WhatsApp Business Platform: web hooks are verified by `GET` before the first call, calls are
//! signed; free texts go to those only who wrote within a day; refusals have Meta's codes.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::bridge::Bridge;
use crate::http::ask_hook;
use crate::{Answer, Call, Letters, Platform, Site, StandIn, call_hook};

const NUMBER: &str = "106540352242922";
const TOKEN: &str = "EAAJB-access-token";
const APP_SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const VERIFY_TOKEN: &str = "made-up-by-the-owner";

/// The longest text, in characters.
const LONGEST: usize = 4_096;

/// Meta, and what the people see.
#[derive(Debug)]
pub struct WhatsApp {
    server: StandIn<Graph>,
    hook: String,
    messages: u64,
}

#[derive(Debug, Default)]
struct Graph {
    letters: Letters,
    /// Who wrote within a day.
    open: Mutex<HashSet<String>>,
    /// The messages that came in.
    messages: Mutex<HashSet<String>>,
    sent: AtomicU64,
}

/// The business-scoped id of a person.
fn user_id(person: usize) -> String {
    format!("US.1349120865530274{person:04}")
}

/// The number of a person; every other one shows none.
fn number(person: usize) -> Option<String> {
    (person.is_multiple_of(2)).then(|| format!("1650555{person:04}"))
}

/// Now, in a text of whole seconds.
fn seconds() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_secs().to_string()
}

/// WhatsApp Web, by a bridge: every other person shows no number there, and comes under a LID.
pub fn web() -> Bridge {
    let id = |person| {
        number(person).map_or_else(|| format!("11111111{person:07}@lid"), |number| format!("+{number}"))
    };
    Bridge::start("whatsapp", id).with("mode = \"web\"\n")
}

impl WhatsApp {
    /// Starts it.
    pub fn start() -> Self {
        Self { server: StandIn::start(Graph::default()), hook: String::new(), messages: 0 }
    }
}

impl Platform for WhatsApp {
    fn channel(&self) -> &'static str {
        "whatsapp"
    }

    fn settings(&self) -> String {
        format!(
            "phone_number_id = \"{NUMBER}\"\naccess_token = \"{TOKEN}\"\napp_secret = \"{APP_SECRET}\"\n\
             verify_token = \"{VERIFY_TOKEN}\"\napi_base = \"{}/v25.0\"\n",
            self.server.base()
        )
    }

    /// As the owner does in the app's dashboard, which verifies the address.
    fn call_at(&mut self, url: &str) {
        let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY_TOKEN}");
        let (status, said) = ask_hook(&format!("{url}?{query}"));
        assert_eq!((status, said.as_str()), (200, "1158201444"), "the address could not be verified");
        self.hook = url.to_owned();
    }

    fn id(&self, person: usize) -> String {
        user_id(person)
    }

    fn write(&mut self, person: usize, text: &str) {
        self.messages += 1;
        let id = format!("wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQ{:08}==", self.messages);
        let mut contact =
            json!({ "profile": { "name": format!("Person {person}") }, "user_id": user_id(person) });
        let mut message = json!({
            "from_user_id": user_id(person),
            "id": id,
            "timestamp": seconds(),
            "type": "text",
            "text": { "body": text },
        });
        let graph = self.server.site();
        let mut open = graph.open.lock().unwrap();
        open.insert(user_id(person));
        if let Some(number) = number(person) {
            (contact["wa_id"], message["from"]) = (json!(number), json!(number));
            open.insert(number);
        }
        drop(open);
        graph.messages.lock().unwrap().insert(id);
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550783881", "phone_number_id": NUMBER },
            "contacts": [contact],
            "messages": [message],
        });
        let changes = json!([{ "value": value, "field": "messages" }]);
        let entry = json!([{ "id": "102290129340398", "changes": changes }]);
        let body = json!({ "object": "whatsapp_business_account", "entry": entry }).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes()).expect("a key of any length");
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let headers = [("content-type", "application/json"), ("x-hub-signature-256", signature.as_str())];
        let (status, said) = call_hook(&self.hook, &headers, body.as_bytes());
        assert_eq!(status, 200, "Meta would repeat it: {said}");
    }

    fn read(&mut self, person: usize) -> String {
        self.server.site().letters.take(&user_id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.server.site().letters.count(&user_id(person))
    }
}

#[async_trait]
impl Site for Graph {
    async fn answer(&self, call: Call) -> Answer {
        if call.bearer() != Some(TOKEN) {
            return refusal(401, 190, "Error validating access token", "");
        }
        let path = call.path.clone();
        // The version comes first.
        match (&call.method, path.split('/').skip(2).collect::<Vec<_>>().as_slice()) {
            (&Method::GET, [NUMBER]) => {
                let number = json!({ "display_phone_number": "+1 555-078-3881", "id": NUMBER });
                Answer::json(200, &number)
            }
            (&Method::POST, [NUMBER, "messages"]) => self.posted(&call),
            _ => {
                refusal(400, 100, "Unsupported request. Object does not exist or permissions are missing", "")
            }
        }
    }
}

impl Graph {
    fn posted(&self, call: &Call) -> Answer {
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let asked = call.json();
        if !is_json || asked["messaging_product"] != "whatsapp" {
            return refusal(400, 100, "The parameter messaging_product is required.", "");
        }
        if asked["status"] == "read" {
            let is_known =
                self.messages.lock().unwrap().contains(asked["message_id"].as_str().unwrap_or_default());
            return match is_known {
                true => Answer::json(200, &json!({ "success": true })),
                false => refusal(400, 131_009, "Parameter value is not valid", "Message not found"),
            };
        }
        // The kind of a text may be left out.
        if asked.get("type").is_some_and(|kind| kind != "text") {
            return refusal(400, 131_051, "Unsupported message type", "");
        }
        let Some(text) = asked["text"]["body"].as_str().filter(|text| !text.is_empty()) else {
            return refusal(400, 131_008, "Required parameter is missing", "text.body");
        };
        if text.chars().count() > LONGEST {
            return refusal(
                400,
                100,
                "Invalid parameter",
                "Param text['body'] must be at most 4096 characters long.",
            );
        }
        let (to, recipient) = (asked["to"].as_str(), asked["recipient"].as_str());
        let Some(to) = to.or(recipient).map(|to| to.trim_start_matches('+')) else {
            return refusal(400, 131_008, "Required parameter is missing", "to or recipient");
        };
        if !self.open.lock().unwrap().contains(to) {
            return refusal(400, 131_047, "Re-engagement message", "More than 24 hours have passed");
        }
        // Who has a number has the id of the same end.
        let end = to.get(to.len().saturating_sub(4)..).and_then(|end| end.parse().ok()).unwrap_or_default();
        self.letters.put(&user_id(end), text);
        let id = format!("wamid.SENT{}", self.sent.fetch_add(1, Ordering::SeqCst));
        let contact = match recipient {
            Some(id) => json!({ "input": id, "user_id": id }),
            None => json!({ "input": to, "wa_id": to }),
        };
        let sent =
            json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [{ "id": id }] });
        Answer::json(200, &sent)
    }
}

fn refusal(status: u16, code: i64, message: &str, details: &str) -> Answer {
    let mut error = json!({
        "message": format!("(#{code}) {message}"), "type": "OAuthException", "code": code, "fbtrace_id": "Az8or2yhqk",
    });
    if !details.is_empty() {
        error["error_data"] = json!({ "messaging_product": "whatsapp", "details": details });
    }
    let value: Value = json!({ "error": error });
    Answer::json(status, &value)
}
