//! A Mac with `imsg` on it, as `docs/rpc.md` of imsg 0.8 has it: newline-delimited JSON-RPC, a database with numbers, a
//! watch that begins after one of them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::line_program::LineProgram;
use crate::{Letters, Platform};

/// A Mac with people who write to it.
#[derive(Debug)]
pub struct Imsg {
    letters: Arc<Letters>,
    mac: Arc<Mutex<Mac>>,
    program: LineProgram,
}

/// Its database, and who watches it.
#[derive(Debug, Default)]
struct Mac {
    messages: Vec<Value>,
    subscription: Option<u64>,
    subscriptions: u64,
}

impl Imsg {
    /// Switches it on.
    pub fn start() -> Self {
        let (letters, mac) = (Arc::new(Letters::default()), Arc::new(Mutex::new(Mac::default())));
        let (to, database, anew) = (Arc::clone(&letters), Arc::clone(&mac), Arc::clone(&mac));
        let begin = move || anew.lock().unwrap().subscription = None;
        let hear = move |said: &Value| database.lock().unwrap().answer(said, &to);
        Self { letters, mac, program: LineProgram::new(begin, hear) }
    }

    /// Ends the run of now, as if it broke down.
    pub fn die(&self) {
        self.program.die();
    }

    /// What `imsg` is started by.
    pub fn words(&self) -> Vec<String> {
        self.program.words()
    }
}

impl Mac {
    fn answer(&mut self, said: &Value, letters: &Letters) -> Vec<Value> {
        let params = &said["params"];
        let result = match said["method"].as_str().unwrap_or_default() {
            "watch.subscribe" => return self.subscribe(said),
            "watch.unsubscribe" => {
                self.subscription.take_if(|it| *it == params["subscription"]);
                json!({ "ok": true })
            }
            "chats.list" => json!({ "chats": [] }),
            "send" => match person_of(params) {
                Ok(handle) => {
                    letters.put(&handle, params["text"].as_str().expect("a text"));
                    json!({ "ok": true })
                }
                Err(reason) => return vec![refusal(said, -32602, "Invalid params", reason)],
            },
            method => return vec![refusal(said, -32601, "Method not found", method)],
        };
        vec![json!({ "jsonrpc": "2.0", "id": said["id"], "result": result })]
    }

    /// Keys that it does not know are refused, as newer ones do.
    fn subscribe(&mut self, said: &Value) -> Vec<Value> {
        let known = ["attachments", "debounce_ms", "include_reactions", "since_rowid"];
        let params = said["params"].as_object().expect("parameters by name");
        if let Some(key) = params.keys().find(|key| !known.contains(&key.as_str())) {
            return vec![refusal(said, -32602, "Invalid params", key)];
        }
        self.subscriptions += 1;
        self.subscription = Some(self.subscriptions);
        let since = params.get("since_rowid").and_then(Value::as_i64).unwrap_or(i64::MAX);
        let later = self.messages.iter().filter(|message| message["id"].as_i64() > Some(since));
        let later: Vec<_> = later.map(|message| notification(self.subscriptions, message)).collect();
        let result = json!({ "subscription": self.subscriptions });
        [json!({ "jsonrpc": "2.0", "id": said["id"], "result": result })].into_iter().chain(later).collect()
    }
}

fn notification(subscription: u64, message: &Value) -> Value {
    let params = json!({ "subscription": subscription, "message": message });
    json!({ "jsonrpc": "2.0", "method": "message", "params": params })
}

fn refusal(said: &Value, code: i64, message: &str, data: &str) -> Value {
    let error = json!({ "code": code, "message": message, "data": data });
    json!({ "jsonrpc": "2.0", "id": said["id"], "error": error })
}

/// Who is written to: a chat or a handle, and not both.
fn person_of(params: &Value) -> Result<String, &'static str> {
    match (params["chat_guid"].as_str(), params["to"].as_str()) {
        (Some(guid), None) => guid.strip_prefix("iMessage;-;").map(str::to_owned).ok_or("unknown chat"),
        (None, Some(handle)) => Ok(handle.to_owned()),
        _ => Err("use to or chat_*; not both"),
    }
}

impl Platform for Imsg {
    fn channel(&self) -> &'static str {
        "imessage"
    }

    fn settings(&self) -> String {
        format!("command = {}\n", json!(self.words()))
    }

    fn id(&self, person: usize) -> String {
        format!("+4917012345{person:03}")
    }

    fn write(&mut self, person: usize, text: &str) {
        let handle = self.id(person);
        let mut mac = self.mac.lock().unwrap();
        let rowid = mac.messages.len() + 1_000;
        let message = json!({
            "id": rowid,
            "chat_id": 40 + person,
            "chat_guid": format!("iMessage;-;{handle}"),
            "chat_identifier": handle,
            "chat_name": "",
            "participants": [handle],
            "is_group": false,
            "guid": format!("00000000-0000-4000-8000-{rowid:012}"),
            "sender": handle,
            "is_from_me": false,
            "text": text,
            "attachments": [],
            "reactions": [],
        });
        mac.messages.push(message.clone());
        let subscription = mac.subscription;
        drop(mac);
        if let Some(subscription) = subscription {
            self.program.say(&notification(subscription, &message));
        }
    }

    fn read(&mut self, person: usize) -> String {
        self.letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.letters.count(&self.id(person))
    }
}
