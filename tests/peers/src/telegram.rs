//! Telegram's Bot API, emulated by telegram-test-api; `telegram.js` says what is added to it.

use std::collections::HashMap;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::JsonClient;
use crate::{Platform, Process, node, npm_package, own_file};

/// A running emulator, for one bot.
#[derive(Debug)]
pub struct TelegramEmulator {
    token: String,
    http: JsonClient,
    /// How many texts each person has read.
    read: HashMap<usize, usize>,
    _process: Process,
}

impl TelegramEmulator {
    /// Starts the emulator for the bot that `token` belongs to.
    pub fn start(token: &str) -> Self {
        let mut process = Process::spawn(
            "the Telegram emulator",
            Command::new(node())
                .arg(own_file("telegram.js"))
                .arg(npm_package("telegram-test-api"))
                .arg(token),
        );
        let line = process.await_line(|line| line.starts_with("listening on "));
        let port = line.trim_start_matches("listening on ");
        let http = JsonClient::new(format!("http://127.0.0.1:{port}"));
        Self { token: token.to_owned(), http, read: HashMap::new(), _process: process }
    }

    /// What stands for `https://api.telegram.org`.
    pub fn base_url(&self) -> &str {
        self.http.base()
    }

    /// Calls a method of the Bot API, as the bot would.
    pub fn bot(&self, method: &str, parameters: &Value) -> Value {
        self.http.post(&format!("/bot{}/{method}", self.token), parameters)
    }

    /// A user writes to the bot in private.
    pub fn send_message(&self, user_id: i64, username: &str, text: &str) {
        self.send(json!({
            "from": { "id": user_id, "is_bot": false, "first_name": username, "username": username },
            "chat": { "id": user_id, "type": "private", "first_name": username, "username": username },
            "text": text,
        }));
    }

    /// Any other message reaches the bot: `message` is Telegram's `Message` without its id, and without its
    /// `date` if that is now.
    pub fn send(&self, mut message: Value) {
        message["botToken"] = json!(self.token);
        if message.get("date").is_none() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970");
            message["date"] = json!(now.as_secs());
        }
        let answer = self.http.post("/sendMessage", &message);
        assert_eq!(answer["ok"], true, "the emulator refuses {message}: {answer}");
    }

    /// What the bot has sent to this chat, oldest first.
    pub fn replies(&self, chat_id: i64) -> Vec<String> {
        self.wait_for_replies(chat_id, 0)
    }

    /// The same, once there are `count` of them; they must come within half a minute.
    pub fn wait_for_replies(&self, chat_id: i64, count: usize) -> Vec<String> {
        let replies = self.http.post("/replies", &json!({ "chatId": chat_id, "count": count }));
        serde_json::from_value(replies).expect("a list of texts")
    }
}

impl Platform for TelegramEmulator {
    fn channel(&self) -> &'static str {
        "telegram"
    }

    fn settings(&self) -> String {
        format!("token = \"{}\"\napi_base = \"{}\"\n", self.token, self.base_url())
    }

    fn id(&self, person: usize) -> String {
        chat(person).to_string()
    }

    fn write(&mut self, person: usize, text: &str) {
        self.send_message(chat(person), &format!("person{person}"), text);
    }

    fn read(&mut self, person: usize) -> String {
        let read = self.read.entry(person).or_default();
        *read += 1;
        let read = *read;
        self.wait_for_replies(chat(person), read)[read - 1].clone()
    }

    fn unread(&mut self, person: usize) -> usize {
        self.replies(chat(person)).len() - self.read.get(&person).copied().unwrap_or_default()
    }
}

/// A private chat has the id of its user.
fn chat(person: usize) -> i64 {
    42 + i64::try_from(person).expect("a small number")
}
