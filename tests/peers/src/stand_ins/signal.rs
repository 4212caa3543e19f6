//! The daemon of signal-cli 0.13 with one account and people who write to it: what the real one says without Signal's
//! servers is compared with it in `adapters/channels/tests/platforms/signal.rs`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::process::PATIENCE;
use crate::{Answer, Call, Letters, Platform, Site, StandIn};

const OWN: &str = "+33999999999";

/// How often the daemon says that it is there; nothing is said before the first time.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A daemon.
#[derive(Debug)]
pub struct Signal(StandIn<Daemon>);

/// What it does.
#[derive(Debug, Default)]
pub struct Daemon {
    letters: Letters,
    /// Who listens.
    listener: Arc<(Mutex<Option<mpsc::Sender<Bytes>>>, std::sync::Condvar)>,
    stamp: Mutex<u64>,
}

impl Signal {
    /// Starts it.
    pub fn start() -> Self {
        Self(StandIn::start(Daemon::default()))
    }
}

impl Daemon {
    fn next_stamp(&self) -> u64 {
        let mut stamp = self.stamp.lock().unwrap();
        *stamp += 1;
        1_767_225_600_000 + *stamp
    }

    fn listen(&self, call: &Call) -> Answer {
        match call.parameter("account").as_deref() {
            None | Some("" | OWN) => {}
            Some(_) => return Answer::status(400),
        }
        let (sender, chunks) = mpsc::channel(64);
        let keeper = sender.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEEP_ALIVE).await;
                if keeper.send(Bytes::from_static(b":\n")).await.is_err() {
                    return;
                }
            }
        });
        *self.listener.0.lock().unwrap() = Some(sender);
        self.listener.1.notify_all();
        Answer::endless("text/event-stream", chunks)
    }

    fn rpc(&self, call: &Call) -> Answer {
        if !call.header("content-type").is_some_and(|media_type| media_type.starts_with("application/json")) {
            return Answer::status(415);
        }
        let asked = call.json();
        let said = match self.answer(&asked) {
            Ok(result) => json!({ "jsonrpc": "2.0", "result": result, "id": asked["id"] }),
            Err((code, message)) => {
                let error = json!({ "code": code, "message": message, "data": null });
                json!({ "jsonrpc": "2.0", "error": error, "id": asked["id"] })
            }
        };
        Answer::json(200, &said)
    }

    fn answer(&self, asked: &Value) -> Result<Value, (i64, &'static str)> {
        let params = &asked["params"];
        let method = asked["method"].as_str().ok_or((-32600, "method field must be set"))?;
        match method {
            "listAccounts" => return Ok(json!([{ "number": OWN }])),
            "version" => return Ok(json!({ "version": "0.13.19" })),
            "send" | "sendTyping" => {}
            _ => return Err((-32601, "Method not implemented")),
        }
        match params["account"].as_str() {
            Some(OWN) => {}
            Some(_) => return Err((-32602, "Specified account does not exist")),
            None => return Err((-32602, "Method requires valid account parameter")),
        }
        let Some([to]) = params["recipient"].as_array().map(Vec::as_slice) else {
            return Err((-1, "No recipients given"));
        };
        let aci = to.as_str().filter(|to| to.len() == 36).ok_or((-1, "Failed to send message"))?;
        if method == "sendTyping" {
            return Ok(json!({}));
        }
        let text = params["message"].as_str().filter(|text| !text.is_empty());
        let empty =
            "Sending empty message is not allowed, either a message, attachment or sticker must be given.";
        self.letters.put(aci, text.ok_or((-1, empty))?);
        let address = json!({ "uuid": aci, "number": null, "username": null });
        let results = json!([{ "recipientAddress": address, "type": "SUCCESS" }]);
        Ok(json!({ "timestamp": self.next_stamp(), "results": results }))
    }

    /// Hands an event to who listens; Signal keeps it until somebody does.
    fn tell(&self, event: &Value) {
        let listener = self.listener.0.lock().unwrap();
        let nobody = |listener: &mut Option<mpsc::Sender<Bytes>>| {
            listener.as_ref().is_none_or(mpsc::Sender::is_closed)
        };
        let (listener, _) = self.listener.1.wait_timeout_while(listener, PATIENCE, nobody).unwrap();
        let listener = listener.as_ref().expect("somebody listens");
        // As the daemon writes it: no blank after the colon.
        let line = Bytes::from(format!("event:receive\ndata:{event}\n\n"));
        listener.try_send(line).expect("who listens reads");
    }
}

#[async_trait]
impl Site for Daemon {
    async fn answer(&self, call: Call) -> Answer {
        match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/api/v1/check") => Answer::status(200),
            ("GET", "/api/v1/events") => self.listen(&call),
            ("POST", "/api/v1/rpc") => self.rpc(&call),
            (_, "/api/v1/check" | "/api/v1/events" | "/api/v1/rpc") => Answer::status(405),
            _ => Answer::status(404),
        }
    }
}

impl Platform for Signal {
    fn channel(&self) -> &'static str {
        "signal"
    }

    fn settings(&self) -> String {
        format!("account = \"{OWN}\"\napi_base = \"{}\"\n", self.0.base())
    }

    fn id(&self, person: usize) -> String {
        format!("uuid:{}", aci(person))
    }

    fn write(&mut self, person: usize, text: &str) {
        let daemon = self.0.site();
        let (aci, stamp) = (aci(person), daemon.next_stamp());
        let data = json!({
            "timestamp": stamp,
            "message": text,
            "expiresInSeconds": 0,
            "viewOnce": false,
            "mentions": [],
            "attachments": [],
            "contacts": [],
        });
        // Most people don't share their number.
        let number = (person == 0).then_some("+33123456789");
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a date after 1970");
        let envelope = json!({
            "source": number.unwrap_or(&aci),
            "sourceNumber": number,
            "sourceUuid": aci,
            "sourceName": format!("person {person}"),
            "sourceDevice": 1,
            "timestamp": stamp,
            "serverReceivedTimestamp": u64::try_from(now.as_millis()).expect("a date before the end"),
            "serverDeliveredTimestamp": stamp,
            "dataMessage": data,
        });
        daemon.tell(&json!({ "envelope": envelope, "account": OWN }));
    }

    fn read(&mut self, person: usize) -> String {
        self.0.site().letters.take(&aci(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.0.site().letters.count(&aci(person))
    }
}

fn aci(person: usize) -> String {
    format!("5bdc5d0b-0b3e-4c4e-8c4c-{person:012}")
}
