//! Telegram's Bot API as far as a flood needs it: updates as many as are wanted, a hundred at a time, and what is sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use crate::wire::Connection;

/// One bot, on a server of its own.
pub(crate) struct Bot {
    pub(crate) address: SocketAddr,
    feed: Arc<Feed>,
    sent: mpsc::UnboundedReceiver<(i64, String)>,
}

/// What the bot has not received yet.
#[derive(Default)]
pub(crate) struct Feed {
    waiting: Mutex<Waiting>,
    more: Notify,
    confirmed: Notify,
}

#[derive(Default)]
struct Waiting {
    /// Strangers who are still to write.
    strangers: std::ops::Range<i64>,
    /// What others wrote: it comes behind the strangers of its batch.
    others: VecDeque<(i64, String)>,
    last_update: i64,
    is_confirmed: bool,
}

/// As Telegram does.
const BATCH: usize = 100;

impl Bot {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let feed = Arc::new(Feed::default());
        let (sending, sent) = mpsc::unbounded_channel();
        let served = Arc::clone(&feed);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Connection::of(stream), Arc::clone(&served), sending.clone()));
            }
        });
        Self { address, feed, sent }
    }

    /// Where the bot is fed, also while somebody waits for what it sends.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// The next text that the bot sends: to whom, and what.
    pub(crate) async fn sent(&mut self) -> (i64, String) {
        crate::patiently(self.sent.recv()).await.unwrap()
    }
}

impl Feed {
    /// Somebody writes to the bot.
    pub(crate) fn write(&self, from: i64, text: &str) {
        self.waiting.lock().unwrap().others.push_back((from, text.to_owned()));
        self.more.notify_one();
    }

    /// Strangers write to the bot; returns when the bot has confirmed them all.
    pub(crate) async fn flood(&self, strangers: std::ops::Range<i64>) {
        {
            let mut waiting = self.waiting.lock().unwrap();
            (waiting.strangers, waiting.is_confirmed) = (strangers, false);
        }
        self.more.notify_one();
        self.confirmed.notified().await;
    }

    /// The next batch; without `patience` it may be empty.
    async fn batch(&self, offset: Option<i64>, patience: bool) -> Value {
        loop {
            let batch = self.waiting.lock().unwrap().batch(offset, &self.confirmed);
            if !batch.is_empty() || !patience {
                return batch.into();
            }
            self.more.notified().await;
        }
    }
}

impl Waiting {
    fn batch(&mut self, offset: Option<i64>, confirmed: &Notify) -> Vec<Value> {
        if self.strangers.is_empty() && !self.is_confirmed && offset.is_some_and(|at| at > self.last_update) {
            self.is_confirmed = true;
            confirmed.notify_one();
        }
        let strangers = self.strangers.by_ref().take(BATCH - 1).map(|id| (id, "let me in".to_owned()));
        let wrote: Vec<_> = strangers.chain(self.others.pop_front()).collect();
        wrote
            .into_iter()
            .map(|(from, text)| {
                self.last_update += 1;
                update(self.last_update, from, &text)
            })
            .collect()
    }
}

/// An update as Telegram makes it of a private message.
pub(crate) fn update(number: i64, from: i64, text: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let name = format!("user_{from}");
    json!({ "update_id": number, "message": {
        "message_id": number, "date": now, "text": text,
        "from": { "id": from, "is_bot": false, "first_name": name, "username": name, "language_code": "en" },
        "chat": { "id": from, "type": "private", "first_name": name, "username": name },
    } })
}

async fn serve(mut connection: Connection, feed: Arc<Feed>, sending: mpsc::UnboundedSender<(i64, String)>) {
    while let Some((line, body)) = connection.receive().await {
        let body: Value = serde_json::from_slice(&body).unwrap();
        let method = line.split(' ').nth(1).unwrap().rsplit('/').next().unwrap();
        let result = match method {
            "getUpdates" => feed.batch(body["offset"].as_i64(), body["timeout"] != 0).await,
            "sendMessage" => {
                let text = body["text"].as_str().unwrap().to_owned();
                // Nobody listens any more at the end.
                let _ = sending.send((body["chat_id"].as_i64().unwrap(), text));
                json!({ "message_id": 1 })
            }
            _ => Value::Bool(true),
        };
        let body = json!({ "ok": true, "result": result }).to_string();
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        if connection.send(&(head + &body)).await.is_err() {
            return;
        }
    }
}
