//! Adapters → gate → agent: what came in is decided, what was let in is answered, what is to be sent is sent.

mod conversation;
mod outbox;
mod split;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use conversation::Conversations;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::Agent;
use crate::channel::{ChannelAdapter, Webhook};
use crate::decision::Decision;
use crate::gate::{AccountHandle, DmGate};
use crate::message::{AccountKey, InboundMessage};

/// Runs adapters, gate and agent. A cheap handle.
#[derive(Clone)]
pub struct Pipeline(Arc<Shared>);

struct Shared {
    gate: DmGate,
    agent: Arc<dyn Agent>,
    lines: HashMap<AccountKey, Line>,
    conversations: Conversations,
    /// Everything that must end before the pipeline has ended: conversations and web hooks.
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// One account: its adapter, its gate, and the bell of its outbox.
struct Line {
    adapter: Arc<dyn ChannelAdapter>,
    gate: AccountHandle,
    outbox: Notify,
}

/// Where an adapter puts what came in. A cheap handle.
#[derive(Clone)]
pub struct Inbox(Destination);

#[derive(Clone)]
enum Destination {
    Pipeline(Pipeline),
    Collector(mpsc::Sender<InboundMessage>),
}

impl Pipeline {
    /// A pipeline of these parts. Of two adapters for one account the later one counts.
    #[must_use]
    pub fn new(gate: DmGate, agent: Arc<dyn Agent>, channels: Vec<Arc<dyn ChannelAdapter>>) -> Self {
        let line = |adapter: Arc<dyn ChannelAdapter>| {
            let account = adapter.meta().account.clone();
            let line = Line { gate: gate.account(&account), adapter, outbox: Notify::new() };
            (account, line)
        };
        let lines = channels.into_iter().map(line).collect();
        let (conversations, tasks, closing) = Default::default();
        Self(Arc::new(Shared { gate, agent, lines, conversations, tasks, closing }))
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &DmGate {
        &self.0.gate
    }

    /// The adapters, by account.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<dyn ChannelAdapter>> {
        self.0.lines.values().map(|line| &line.adapter)
    }

    /// Where messages go that come in outside of an adapter's `run`.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        Inbox(Destination::Pipeline(self.clone()))
    }

    /// Hands a web hook request to the adapter of the account; its messages are decided and queued before the response
    /// is returned. 404 for an account that has no adapter, 503 once the pipeline is closing.
    pub async fn webhook(
        &self,
        account: &AccountKey,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        // Counted from before the look at `closing`: either the end waits for us, or we see that it has begun.
        let _counted = self.0.tasks.token();
        if self.0.closing.is_cancelled() {
            return Webhook::status(http::StatusCode::SERVICE_UNAVAILABLE).response;
        }
        let Some(line) = self.0.lines.get(account) else {
            return Webhook::status(http::StatusCode::NOT_FOUND).response;
        };
        let Webhook { response, messages } = line.adapter.webhook(request).await;
        for message in messages {
            self.take(message).await;
        }
        response
    }

    /// Receives, decides, answers, until `shutdown` is cancelled; then receives nothing more, finishes what was let in,
    /// and returns. What is still to be sent to strangers is kept by the store for the next run.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut adapters = JoinSet::new();
        let mut outboxes = JoinSet::new();
        for account in self.0.lines.keys() {
            let (this, account, shutdown) = (self.clone(), account.clone(), shutdown.clone());
            outboxes.spawn(outbox::run(this.clone(), account.clone(), shutdown.clone()));
            adapters.spawn(async move { this.receive(&account, shutdown).await });
        }
        shutdown.cancelled().await;
        join_all(&mut adapters, "a channel").await;
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        join_all(&mut outboxes, "an outbox").await;
    }

    async fn receive(&self, account: &AccountKey, shutdown: CancellationToken) {
        let Some(line) = self.0.lines.get(account) else { return };
        match line.adapter.run(self.inbox(), shutdown.clone()).await {
            Err(error) => tracing::error!(%account, "the channel stopped: {error}"),
            Ok(()) if !shutdown.is_cancelled() => tracing::warn!(%account, "the channel stopped by itself"),
            Ok(()) => tracing::debug!(%account, "the channel ended"),
        }
    }

    /// One message: decided, and queued if it was let in.
    async fn take(&self, message: InboundMessage) {
        let Some(line) = self.0.lines.get(&message.account) else {
            tracing::warn!(account = %message.account, "a message came in for an account that has no adapter");
            return;
        };
        match line.gate.admit_for_outbox(&message).await {
            // INVARIANT I1: the agent's queue takes a permit, and only the gate makes one.
            Decision::Admit(permit) => Conversations::queue(self, permit, message).await,
            // The request is on disk with the way to its sender: the outbox takes it from there.
            Decision::Challenge(_) => line.outbox.notify_one(),
            Decision::Ignore(_) | Decision::Unavailable(_) => {}
        }
    }
}

impl Inbox {
    /// An inbox that only collects: for an adapter's own tests.
    #[must_use]
    pub fn collecting(capacity: usize) -> (Self, mpsc::Receiver<InboundMessage>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(Destination::Collector(sender)), receiver)
    }

    /// Hands a message to the gate. Returns when it is decided and, if it was let in, queued for the agent: an adapter
    /// that waits for this before it confirms to its platform loses nothing. While a conversation's queue is full it
    /// waits.
    pub async fn deliver(&self, message: InboundMessage) {
        match &self.0 {
            Destination::Pipeline(pipeline) => pipeline.take(message).await,
            // A test that collects no more is over.
            Destination::Collector(sender) => drop(sender.send(message).await),
        }
    }

    /// Says that senders of an account can be reached again: what waits to be sent is tried now.
    pub fn reachable(&self, account: &AccountKey) {
        if let Destination::Pipeline(pipeline) = &self.0
            && let Some(line) = pipeline.0.lines.get(account)
        {
            line.outbox.notify_one();
        }
    }
}

async fn join_all(tasks: &mut JoinSet<()>, what: &str) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!("{what} broke down: {error}");
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipeline")
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
