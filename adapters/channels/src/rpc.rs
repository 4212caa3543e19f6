//! JSON-RPC 2.0, a line each way: calls with ids, answers in any order, and what comes unasked.
//!
//! What is behind the lines is a program ([`crate::child`]) or a connection. One task reads ([`Incoming::next`]), any
//! number call ([`Caller::call`]); when the reader is dropped, whoever still waits learns that it is over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::lines::LineReader;

/// The code for a method that is not there.
pub(crate) const NO_METHOD: i64 = -32_601;

/// The code for what can't be done with what is told.
pub(crate) const NO_PARAMS: i64 = -32_602;

/// The longest line: a message of a bridge with all its descriptions is a fraction of it.
const LINE_LIMIT: usize = 4 * 1024 * 1024;

/// What the other side asks or says without being asked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Notification {
    pub(crate) method: String,
    pub(crate) params: Value,
    /// There if the other side waits for an answer.
    pub(crate) id: Option<Value>,
    /// How long the line was.
    pub(crate) bytes: usize,
}

/// Why a call brought nothing.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub(crate) enum RpcError {
    /// It did not leave.
    #[error("not connected")]
    NotSent,
    /// It left, or part of it, and no answer came.
    #[error("no answer came")]
    Lost,
    /// The other side refuses it.
    #[error("it answers {code}: {message}")]
    Refused {
        code: i64,
        /// Escaped.
        message: String,
        /// What else it says; null for nothing.
        data: Value,
    },
}

/// The reading half.
pub(crate) struct Incoming<R> {
    lines: LineReader<R>,
    waiting: Arc<Waiting>,
}

/// The calling half. A cheap handle.
pub(crate) struct Caller<W> {
    writer: Arc<tokio::sync::Mutex<Option<W>>>,
    waiting: Arc<Waiting>,
}

type Answer = Result<Value, RpcError>;

/// Who waits for which answer; `None` when no more will come.
struct Waiting {
    next: AtomicU64,
    calls: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
}

/// Both halves of a conversation.
pub(crate) fn converse<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    reader: R,
    writer: W,
) -> (Incoming<R>, Caller<W>) {
    let waiting = Arc::new(Waiting { next: AtomicU64::new(1), calls: Mutex::new(Some(HashMap::new())) });
    let incoming = Incoming { lines: LineReader::new(reader, LINE_LIMIT), waiting: Arc::clone(&waiting) };
    (incoming, Caller { writer: Arc::new(tokio::sync::Mutex::new(Some(writer))), waiting })
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    /// What comes unasked; answers are given to those who wait for them. It may be given up at any time. `None` when the
    /// other side has ended; an error when it says what can't be read.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Notification>> {
        loop {
            let Some(line) = self.lines.next().await? else { return Ok(None) };
            let Ok(mut said) = serde_json::from_slice::<Value>(&line) else {
                // Some bridges print a banner. It is told without its text, which may be anything.
                tracing::debug!(bytes = line.len(), "a line that is no JSON is passed over");
                continue;
            };
            if let Some(method) = said.get("method").and_then(Value::as_str) {
                let method = method.to_owned();
                let id = said.get("id").filter(|id| !id.is_null()).cloned();
                let params = take(&mut said, "params");
                return Ok(Some(Notification { method, params, id, bytes: line.len() }));
            }
            let Some(id) = said.get("id").and_then(Value::as_u64) else { continue };
            let answer = match said.get("error").filter(|error| !error.is_null()) {
                None => Ok(take(&mut said, "result")),
                Some(error) => Err(refusal(error)),
            };
            if let Some(call) = self.waiting.take(id) {
                let _ = call.send(answer);
            }
        }
    }
}

impl<R> Drop for Incoming<R> {
    fn drop(&mut self) {
        self.waiting.calls.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<W: AsyncWrite + Unpin> Caller<W> {
    /// Calls a method; the answer comes within `patience`.
    pub(crate) async fn call(&self, method: &str, params: &Value, patience: Duration) -> Answer {
        let id = self.waiting.next.fetch_add(1, Ordering::Relaxed);
        let receiver = self.waiting.put(id).ok_or(RpcError::NotSent)?;
        let _forget = Forget { waiting: &self.waiting, id };
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let work = async {
            self.write(&line).await?;
            receiver.await.unwrap_or(Err(RpcError::Lost))
        };
        timeout(patience, work).await.unwrap_or(Err(RpcError::Lost))
    }

    /// Says something that is not answered.
    pub(crate) async fn notify(&self, method: &str, params: &Value) -> Result<(), RpcError> {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await
    }

    /// Answers what the other side asked.
    pub(crate) async fn answer(&self, id: &Value, result: &Value) -> Result<(), RpcError> {
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "result": result })).await
    }

    /// Refuses what the other side asked.
    pub(crate) async fn refuse(&self, id: &Value, code: i64, message: &str) -> Result<(), RpcError> {
        let error = json!({ "code": code, "message": message });
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "error": error })).await
    }

    /// Says nothing any more: the other side's input ends.
    pub(crate) async fn close(&self) {
        self.writer.lock().await.take();
    }

    async fn write(&self, line: &Value) -> Result<(), RpcError> {
        let mut slot = self.writer.lock().await;
        // Whoever is given up half-way leaves half a line behind: after that nothing can be said any more.
        let mut writer = slot.take().ok_or(RpcError::NotSent)?;
        let line = format!("{line}\n");
        let written = async {
            writer.write_all(line.as_bytes()).await?;
            writer.flush().await
        };
        written.await.map_err(|_| RpcError::Lost)?;
        *slot = Some(writer);
        Ok(())
    }
}

impl<W> Clone for Caller<W> {
    fn clone(&self) -> Self {
        Self { writer: Arc::clone(&self.writer), waiting: Arc::clone(&self.waiting) }
    }
}

impl Waiting {
    fn put(&self, id: u64) -> Option<oneshot::Receiver<Answer>> {
        let (sender, receiver) = oneshot::channel();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.as_mut()?.insert(id, sender);
        Some(receiver)
    }

    fn take(&self, id: u64) -> Option<oneshot::Sender<Answer>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.remove(&id)
    }
}

/// Nobody waits for this answer any more.
struct Forget<'a> {
    waiting: &'a Waiting,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.waiting.take(self.id);
    }
}

/// A field of an object; null if it is not there.
fn take(said: &mut Value, field: &str) -> Value {
    said.get_mut(field).map(Value::take).unwrap_or_default()
}

fn refusal(error: &Value) -> RpcError {
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    let data = error.get("data").cloned().unwrap_or_default();
    RpcError::Refused { code, message: dmgate::escape(message), data }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    struct Peer(BufReader<DuplexStream>);

    type Halves = (Incoming<ReadHalf<DuplexStream>>, Caller<WriteHalf<DuplexStream>>);

    fn pair() -> (Halves, Peer) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(near);
        (converse(reader, writer), Peer(BufReader::new(far)))
    }

    impl Peer {
        async fn asked(&mut self) -> Value {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            serde_json::from_str(&line).unwrap()
        }

        async fn say(&mut self, line: &str) {
            self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn answers_find_who_asked_in_any_order() {
        let ((mut incoming, caller), mut peer) = pair();
        let other = caller.clone();
        let params = json!({ "x": 1 });
        let (one, two, ()) = tokio::join!(
            caller.call("one", &params, PATIENCE),
            other.call("two", &params, PATIENCE),
            async {
                let (first, second) = (peer.asked().await, peer.asked().await);
                assert_eq!(
                    first,
                    json!({ "jsonrpc": "2.0", "id": 1, "method": "one", "params": { "x": 1 } })
                );
                peer.say("a banner").await;
                peer.say(r#"{"jsonrpc":"2.0","id":99,"result":0}"#).await;
                let error = json!({ "code": -5, "message": "no\n", "data": { "wait": 7 } });
                peer.say(&json!({ "id": second["id"], "error": error }).to_string()).await;
                peer.say(&json!({ "id": first["id"], "error": null, "result": { "ok": true } }).to_string())
                    .await;
                peer.say(r#"{"jsonrpc":"2.0","method":"message","params":{"id":7}}"#).await;
                let came = incoming.next().await.unwrap().unwrap();
                assert_eq!((came.method.as_str(), came.params), ("message", json!({ "id": 7 })));
                assert_eq!(came.id, None);
                peer.say(r#"{"jsonrpc":"2.0","id":"a","method":"message"}"#).await;
                let id = incoming.next().await.unwrap().unwrap().id.unwrap();
                caller.answer(&id, &json!({})).await.unwrap();
                assert_eq!(peer.asked().await, json!({ "jsonrpc": "2.0", "id": "a", "result": {} }));
                caller.refuse(&id, -32601, "no").await.unwrap();
                assert_eq!(peer.asked().await["error"], json!({ "code": -32601, "message": "no" }));
            }
        );
        assert_eq!(one, Ok(json!({ "ok": true })));
        let (message, data) = ("no\\u{a}".to_owned(), json!({ "wait": 7 }));
        assert_eq!(two, Err(RpcError::Refused { code: -5, message, data }));
    }

    #[tokio::test(start_paused = true)]
    async fn i6_who_waits_in_vain_learns_whether_the_call_left() {
        let ((incoming, caller), mut peer) = pair();
        assert_eq!(caller.call("slow", &json!({}), PATIENCE).await, Err(RpcError::Lost), "after its time");
        assert!(incoming.waiting.take(1).is_none(), "nobody is remembered");
        let params = json!({});
        let (ended, ()) = tokio::join!(caller.call("two", &params, PATIENCE), async {
            peer.asked().await;
            drop(incoming);
        });
        assert_eq!(ended, Err(RpcError::Lost));
        assert_eq!(caller.call("three", &json!({}), PATIENCE).await, Err(RpcError::NotSent));
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_an_error_and_an_end_is_none() {
        let ((mut incoming, _caller), mut peer) = pair();
        let endless = vec![b'x'; LINE_LIMIT + (1 << 20)];
        let came = tokio::select! {
            came = incoming.next() => came,
            written = peer.0.get_mut().write_all(&endless) => panic!("{written:?}"),
        };
        assert!(came.is_err());
        let ((mut incoming, _caller), peer) = pair();
        drop(peer);
        assert_eq!(incoming.next().await.unwrap(), None);
    }
}
