//! The kit itself: it passes who does everything right, and finds each fault.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dmgate::{
    AccountKey, Authenticity, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, EventKind, Inbox,
    OutboundText, Sender, SenderId, Webhook,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::dedupe::Dedupe;

/// A platform that sends `{"id":…,"text":…,"proof":"ok"}`, and what an adapter of it does wrong.
struct Plain {
    meta: ChannelMeta,
    fault: &'static str,
    seen: Dedupe<u64>,
    stream: Mutex<Option<mpsc::Receiver<Value>>>,
}

fn plain(fault: &'static str) -> Plain {
    let account = AccountKey::parse("plain", "default").unwrap();
    let meta = ChannelMeta { account, id_line: String::new(), text_limit: 100, idempotent_sends: false };
    Plain { meta, fault, seen: Dedupe::new(16), stream: Mutex::new(None) }
}

impl Plain {
    fn read(&self, event: &Value) -> Option<InboundMessage> {
        let sender = SenderId::parse(self.meta.account.channel(), event["from"].as_str()?).ok()?;
        let mut message =
            InboundMessage::direct(self.meta.account.clone(), Sender::new(sender), event["text"].as_str()?);
        message.route = ReplyRoute::new(event["from"].as_str()?);
        if event["kind"] == "group" && self.fault != "groups are direct" {
            (message.conversation, message.route) = (Conversation::Group, ReplyRoute::default());
        }
        if self.fault == "a way into groups" {
            message.route = ReplyRoute::new("group");
        }
        if event["kind"] == "edit" && self.fault != "edits act" {
            message.event = EventKind::Edit;
        }
        if event["kind"] == "bot" && self.fault != "bots are people" {
            message.origin = Origin::Bot;
        }
        match self.fault {
            "endless route" => message.route = ReplyRoute::new("x".repeat(5_000)),
            "unproven" => message.authenticity = Authenticity::Unverified,
            "says the secret" => message.message_id = Some("s3cret".to_owned()),
            "logs the secret" => tracing::debug!("read with s3cret"),
            _ => {}
        }
        Some(message)
    }
}

#[async_trait]
impl ChannelAdapter for Plain {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        let mut stream = self.stream.lock().await.take().unwrap();
        loop {
            let event = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                event = stream.recv() => event.unwrap(),
            };
            let id = event["id"].as_u64().filter(|_| self.fault != "no dedupe");
            if let Some(message) = self.read(&event)
                && id.is_none_or(|id| self.seen.is_new(id))
            {
                inbox.deliver(message).await;
            }
        }
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<StatusCode> {
        let is_proven = head.headers.get("proof").is_some_and(|proof| proof == "s3cret");
        (!is_proven).then_some(if self.fault == "another status" {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::UNAUTHORIZED
        })
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        let (head, body) = request.into_parts();
        if self.fault == "notes what is not proven" {
            let event: Value = serde_json::from_slice(&body).unwrap_or_default();
            self.seen.is_new(event["id"].as_u64().unwrap_or_default());
        }
        if self.fault != "proof is not asked for" && self.refuses(&head).is_some() {
            return Webhook::status(StatusCode::UNAUTHORIZED);
        }
        let mut answer = Webhook::status(StatusCode::OK);
        match serde_json::from_slice(&body) {
            Ok(event) => {
                let event: Value = event;
                let id = event["id"].as_u64().filter(|_| self.fault != "no dedupe");
                match self.read(&event) {
                    Some(message) if self.fault == "confirms what is not taken" => {
                        answer.messages.extend(id.is_some_and(|id| self.seen.is_new(id)).then_some(message));
                    }
                    Some(message) => match self.seen.answer(&mut answer, id, message) {
                        Err(_) if self.fault == "counts what is under way" => {
                            answer.messages.extend(self.read(&event));
                        }
                        Err(again) => return Webhook::status(again.into()),
                        Ok(()) => {}
                    },
                    None => {}
                }
            }
            Err(_) if self.fault == "breaks down" => {
                *answer.response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
            Err(_) => *answer.response.status_mut() = StatusCode::BAD_REQUEST,
        }
        answer
    }

    async fn send_text(&self, _: &ReplyRoute, _: &OutboundText) -> Result<(), SendError> {
        match self.fault {
            "sends anywhere" => Ok(()),
            "an error with the secret" => Err(SendError::Impossible { reason: "GET /s3cret".to_owned() }),
            _ => Err(SendError::Impossible { reason: "no".to_owned() }),
        }
    }

    fn status(&self) -> ChannelStatus {
        ChannelStatus::Ready
    }
}

fn event(id: u64, kind: &str) -> Value {
    json!({ "id": id, "from": "ann", "text": "hello", "kind": kind })
}

/// A table with a case of every fault above.
fn table() -> Value {
    let case = |kind: &str, given: Value, expect: Value| json!({ "kind": kind, "case": kind, "given": given, "expect": expect });
    let mut unproven = case("wrong_signature", event(8, ""), Value::Null);
    unproven["given"]["proof"] = json!("wrong");
    unproven["by"] = json!("webhook");
    unproven["then"] = event(8, "");
    unproven["status"] = json!(401);
    let mut never = serde_json::Map::new();
    for kind in [
        "group_direct",
        "own",
        "reaction",
        "receipt",
        "missing_signature",
        "replayed",
        "unknown",
        "over_long",
        "backlog",
        "attachment",
    ] {
        never.insert(kind.to_owned(), json!("not here"));
    }
    json!({
        "cases": [
            case("direct", event(1, ""), json!({ "sender": "ann", "text": "hello", "route": "ann" })),
            case("group", event(2, "group"), json!({})),
            case("bot", event(3, "bot"), json!({})),
            case("edit", event(4, "edit"), json!({ "event": "edit" })),
            case("duplicate", event(5, ""), Value::Null),
            case("missing_sender", json!({ "id": 6, "text": "hello" }), Value::Null),
            case("malformed", json!("no json"), Value::Null),
            unproven,
        ],
        "never": { "any": never, "stream": { "wrong_signature": "nothing is signed" } },
    })
}

fn request(given: &Value) -> http::Request<Bytes> {
    let proof = given["proof"].as_str().unwrap_or("s3cret");
    let body = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    http::Request::post("/").header("proof", proof).body(body.into()).unwrap()
}

struct Line(mpsc::Sender<Value>, u64);

#[async_trait]
impl Feed for Line {
    async fn send(&mut self, event: &Value) {
        self.0.send(event.clone()).await.unwrap();
    }

    async fn mark(&mut self, text: &str) {
        self.1 += 1;
        let mut mark = event(self.1, "");
        mark["text"] = json!(text);
        self.0.send(mark).await.unwrap();
    }
}

/// What the kit finds, by web hook and by stream.
fn found(table: &Value, fault: &'static str) -> [Option<String>; 2] {
    let table = Table::parse(&table.to_string());
    let run = |transport: &'static str| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let work = async || {
            check(&table, transport, async |_| {
                let adapter = plain(fault);
                if transport == "webhook" {
                    return Subject::hook(Arc::new(adapter), request).hiding("s3cret");
                }
                let (sender, receiver) = mpsc::channel(8);
                *adapter.stream.lock().await = Some(receiver);
                Subject::stream(Arc::new(adapter), Line(sender, 1_000)).hiding("s3cret")
            })
            .await;
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(work())));
        outcome.err().map(|panic| *panic.downcast::<String>().unwrap())
    };
    ["webhook", "stream"].map(run)
}

#[test]
fn who_does_everything_right_passes() {
    assert_eq!(found(&table(), ""), [None, None]);
}

#[test]
fn i14_i16_every_fault_is_found_on_every_transport() {
    for fault in [
        "no dedupe",
        "groups are direct",
        "a way into groups",
        "edits act",
        "bots are people",
        "endless route",
        "unproven",
        "says the secret",
        "logs the secret",
        "sends anywhere",
        "an error with the secret",
    ] {
        for found in found(&table(), fault) {
            assert!(found.is_some(), "{fault}");
        }
    }
    for fault in [
        "proof is not asked for",
        "notes what is not proven",
        "another status",
        "breaks down",
        "confirms what is not taken",
        "counts what is under way",
    ] {
        let [by_hook, by_stream] = found(&table(), fault);
        assert!(by_hook.is_some() && by_stream.is_none(), "{fault}");
    }
}

#[test]
fn a_kind_is_there_or_a_reason_why_not() {
    let mut lacks = table();
    lacks["never"]["any"].as_object_mut().unwrap().remove("own");
    assert!(found(&lacks, "").iter().all(|found| found.as_ref().unwrap().contains("no case of Own")));
    let mut blank = table();
    blank["never"]["any"]["own"] = json!(" ");
    assert!(found(&blank, "").iter().all(Option::is_some));
    let mut both = table();
    both["never"]["any"]["bot"] = json!("no bots");
    assert!(found(&both, "").iter().all(Option::is_some));
    let mut other = table();
    other["cases"][0]["expect"]["text"] = json!("another");
    assert!(found(&other, "").iter().all(|found| found.as_ref().unwrap().contains("`text`")));
}
