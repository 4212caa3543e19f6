//! An adapter under test, and the two ways in which events get into it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dmgate::{ChannelAdapter, ChannelError, InboundMessage, Inbox, Webhook};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How a text begins that only marks a place in a stream.
const MARK: &str = "conformance-mark-";

/// What a stand-in for the platform must be able to do, where events come in a stream.
///
/// It serves one adapter, from its first connection on, and takes it back whenever it reconnects.
#[async_trait]
pub trait Feed: Send {
    /// Sends one event to the adapter, as the platform would; waits until the adapter is there. An event may be
    /// something that makes the adapter hang up.
    async fn send(&mut self, event: &Value);

    /// Sends a person's direct message of this text, with ids of its own. What an earlier event brought has come when
    /// this comes.
    async fn mark(&mut self, text: &str);

    /// Serves the adapter while it works: answers what it asks, keeps the line open. Returns when the adapter hung up
    /// and is back, since the mark may be lost then and is sent again; where that can't be, never.
    async fn attend(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// What came of something that was given.
#[derive(Debug)]
pub struct Given {
    /// What the platform was answered; `None` in a stream.
    pub status: Option<StatusCode>,
    /// The body of the answer.
    pub answer: Bytes,
    /// What goes to the gate.
    pub messages: Vec<InboundMessage>,
}

/// An adapter under test.
pub struct Subject {
    pub(super) adapter: Arc<dyn ChannelAdapter>,
    entrance: Entrance,
    secrets: Vec<String>,
}

enum Entrance {
    Hook(Box<ToRequest>),
    Stream(Stream),
}

/// Makes a request of what a case gives.
type ToRequest = dyn Fn(&Value) -> Request<Bytes> + Send;

/// A running adapter.
struct Stream {
    feed: Box<dyn Feed>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), ChannelError>>,
    marks: usize,
}

impl Subject {
    /// An adapter whose web hook is called; `request` makes a request of what a case gives.
    pub fn hook(
        adapter: Arc<impl ChannelAdapter>,
        request: impl Fn(&Value) -> Request<Bytes> + Send + 'static,
    ) -> Self {
        Self { adapter, entrance: Entrance::Hook(Box::new(request)), secrets: Vec::new() }
    }

    /// An adapter that is run here, connected to `feed`.
    pub fn stream(adapter: Arc<impl ChannelAdapter>, feed: impl Feed + 'static) -> Self {
        let (inbox, messages) = Inbox::collecting(1_024);
        let shutdown = CancellationToken::new();
        let (task, until) = (Arc::clone(&adapter), shutdown.clone());
        let running = tokio::spawn(async move { task.run(inbox, until).await });
        let stream = Stream { feed: Box::new(feed), messages, shutdown, running, marks: 0 };
        Self { adapter, entrance: Entrance::Stream(stream), secrets: Vec::new() }
    }

    /// The same, with something that it must never show.
    #[must_use]
    pub fn hiding(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// The answer to a web hook that is under way, if it is one.
    pub(super) async fn call(&self, given: &Value) -> Option<Webhook> {
        match &self.entrance {
            Entrance::Stream(_) => None,
            Entrance::Hook(request) => Some(self.adapter.webhook(request(given)).await),
        }
    }

    /// Gives something, and says what came of it.
    pub(super) async fn give(&mut self, given: &Value) -> Given {
        match &mut self.entrance {
            Entrance::Stream(stream) => {
                Given { status: None, answer: Bytes::new(), messages: stream.give(given).await }
            }
            Entrance::Hook(request) => {
                let (head, body) = request(given).into_parts();
                let refused = self.adapter.refuses(&head);
                let answer = self.adapter.webhook(Request::from_parts(head, body)).await.taken();
                let (status, messages) = (answer.response.status(), answer.messages);
                if let Some(refused) = refused {
                    assert_eq!(
                        refused, status,
                        "what the head condemns is refused with its body too: {given}"
                    );
                }
                assert!(
                    status.is_success() || messages.is_empty(),
                    "refused with {status}, and taken: {given}"
                );
                Given { status: Some(status), answer: answer.response.into_body(), messages }
            }
        }
    }

    /// Ends it; its secrets.
    pub(super) async fn end(self) -> Vec<String> {
        if let Entrance::Stream(mut stream) = self.entrance {
            stream.shutdown.cancel();
            let ended = tokio::select! {
                ended = &mut stream.running => ended,
                // The adapter may have something to confirm.
                () = async { loop { stream.feed.attend().await } } => return self.secrets,
            };
            let ended = ended.unwrap_or_else(|error| panic!("the adapter broke: {error}"));
            if let Err(ChannelError(reason)) = ended {
                panic!("the adapter gave up: {reason}");
            }
        }
        self.secrets
    }
}

impl Stream {
    async fn give(&mut self, given: &Value) -> Vec<InboundMessage> {
        self.feed.send(given).await;
        self.marks += 1;
        let mark = format!("{MARK}{}-", self.marks);
        self.feed.mark(&mark).await;
        let mut messages = Vec::new();
        loop {
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) if message.text == mark => return messages,
                    // A mark that was sent twice.
                    Some(message) if message.text.starts_with(MARK) => {}
                    Some(message) => messages.push(message),
                    None => panic!("the adapter ended at {given}: {:?}", (&mut self.running).await),
                },
                () = self.feed.attend() => self.feed.mark(&mark).await,
            }
        }
    }
}
