//! Somebody on the web chat's page.

use std::net::SocketAddr;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::wire::Connection;

/// A visitor with an open page.
pub(crate) struct Visitor {
    number: i64,
    to: SocketAddr,
    requests: Connection,
    events: Connection,
}

impl Visitor {
    /// Each comes from an address of its own, as far as there are some.
    pub(crate) async fn open(number: i64, from: u8, to: SocketAddr) -> Self {
        let requests = Connection::open(from, to).await;
        let mut events = Connection::open(from, to).await;
        events.send(&request(number, to, "GET", "events", "")).await.unwrap();
        Self { number, to, requests, events }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.requests.ask(&message(self.number, self.to, text, &text.replace(' ', "-")), 1, 202).await;
    }

    /// The next text that the page is sent; the page says that it has it.
    pub(crate) async fn reads(&mut self) -> String {
        loop {
            let line = crate::patiently(self.events.line()).await.expect("the page stays open");
            let event: Option<Value> =
                line.strip_prefix("data:").and_then(|data| serde_json::from_str(data.trim()).ok());
            if let Some((id, text)) =
                event.as_ref().and_then(|event| event["id"].as_str().zip(event["text"].as_str()))
            {
                let body = json!({ "ids": [id] }).to_string();
                self.requests.ask(&request(self.number, self.to, "POST", "received", &body), 1, 204).await;
                return text.to_owned();
            }
        }
    }
}

/// What a visitor's cookie holds: 32 bytes in base64, of which few are random.
fn session(number: i64) -> String {
    format!("{number:042}A")
}

/// How a visitor is known.
pub(crate) fn id(number: i64) -> String {
    hex::encode(Sha256::digest(session(number)))
}

/// The request with which a visitor's page sends a message.
pub(crate) fn message(number: i64, to: SocketAddr, text: &str, id: &str) -> String {
    let body = json!({ "text": text, "id": id }).to_string();
    request(number, to, "POST", "messages", &body)
}

fn request(number: i64, to: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let (session, length) = (session(number), body.len());
    format!(
        "{method} /chat/{path} HTTP/1.1\r\nHost: {to}\r\nOrigin: http://{to}\r\nCookie: dmgate-chat={session}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
