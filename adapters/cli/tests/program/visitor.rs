//! Somebody on the web chat's page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A visitor with a session.
pub(crate) struct Visitor {
    address: String,
    cookie: String,
    events: Option<BufReader<TcpStream>>,
}

impl Visitor {
    /// A new visitor of the web chat at this address.
    pub(crate) fn new(address: &str) -> Self {
        let mut visitor = Self { address: address.to_owned(), cookie: String::new(), events: None };
        let answer = visitor.post("/chat/session", "");
        let cookie = answer.lines().find_map(|line| {
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        });
        visitor.cookie = cookie.unwrap().1.split(';').next().unwrap().to_owned();
        visitor.events = Some(BufReader::new(visitor.send("GET", "/chat/events", "")));
        visitor
    }

    /// Writes; when it returns, the gate has decided.
    pub(crate) fn write(&self, text: &str) {
        let body = serde_json::json!({ "text": text }).to_string();
        let answer = self.post("/chat/messages", &body);
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }

    /// The next text that is sent to the visitor.
    pub(crate) fn reads(&mut self) -> String {
        let text = self.events.as_mut().unwrap().lines().map(Result::unwrap).find_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line.strip_prefix("data:")?.trim()).ok()?;
            Some((event["id"].as_str()?.to_owned(), event["text"].as_str()?.to_owned()))
        });
        let (id, text) = text.unwrap();
        self.post("/chat/received", &serde_json::json!({ "ids": [id] }).to_string());
        text
    }

    fn post(&self, path: &str, body: &str) -> String {
        let mut answer = String::new();
        self.send("POST", path, body).read_to_string(&mut answer).unwrap();
        answer
    }

    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (address, cookie, length) = (&self.address, &self.cookie, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\n\
             Connection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }
}
