//! Adapters → gate → agent: what came in is decided, what was let in is answered, what is to be sent is sent.

mod conversation;
mod outbox;
mod split;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use conversation::Conversations;
use http::StatusCode;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::agent::Agent;
use crate::channel::{ChannelAdapter, Webhook};
use crate::clock::Timestamp;
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
    /// When it was put together.
    since: Timestamp,
    /// Everything that must end before the pipeline has ended: conversations, web hooks, deliveries.
    tasks: TaskTracker,
    closing: CancellationToken,
}

/// One account: its adapter, its gate, and the bell of its outbox.
struct Line {
    adapter: Arc<dyn ChannelAdapter>,
    gate: AccountHandle,
    /// What waits to be sent is worth a try now.
    reachable: Notify,
}

/// The longest wait of our own before another try.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

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
            let line = Line { gate: gate.account(&account), adapter, reachable: Notify::new() };
            (account, line)
        };
        let lines = channels.into_iter().map(line).collect();
        let (conversations, tasks, closing) = Default::default();
        let since = gate.clock().now();
        Self(Arc::new(Shared { gate, agent, lines, conversations, since, tasks, closing }))
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

    /// The status for a web hook request whose body need not be read: 404 for an account that has no adapter, and what
    /// the adapter [refuses](ChannelAdapter::refuses) by the head alone.
    #[must_use]
    pub fn refuses(&self, account: &AccountKey, head: &http::request::Parts) -> Option<StatusCode> {
        self.0.lines.get(account).map_or(Some(StatusCode::NOT_FOUND), |line| line.adapter.refuses(head))
    }

    /// Hands a web hook request to the adapter of the account; its messages are decided and queued before the response
    /// is returned. 404 for an account that has no adapter, 503 once the pipeline is closing. What began is finished,
    /// also when the platform hangs up and nobody waits for the response.
    pub async fn webhook(
        &self,
        account: &AccountKey,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let Some(_counted) = self.begin() else {
            return Webhook::status(StatusCode::SERVICE_UNAVAILABLE).response;
        };
        let Some(line) = self.0.lines.get(account) else {
            return Webhook::status(StatusCode::NOT_FOUND).response;
        };
        let (this, adapter) = (self.clone(), Arc::clone(&line.adapter));
        let work = self.0.tasks.spawn(async move {
            let mut hook = adapter.webhook(request).await;
            for message in std::mem::take(&mut hook.messages) {
                this.take(message).await;
            }
            hook.taken().response
        });
        work.await.unwrap_or_else(|_| {
            tracing::error!(%account, "the channel broke down in a web hook");
            Webhook::status(StatusCode::INTERNAL_SERVER_ERROR).response
        })
    }

    /// Receives, decides, answers, until `shutdown` is cancelled; then receives nothing more, finishes what was let in,
    /// and returns. What is still to be sent to strangers is kept by the store for the next run. A pipeline runs once.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut adapters = JoinSet::new();
        let mut outboxes = JoinSet::new();
        for account in self.0.lines.keys().cloned() {
            let (this, key, until) = (self.clone(), account.clone(), shutdown.clone());
            let receive = move || receive(this.clone(), key.clone(), until.clone());
            adapters.spawn(keep_going("the channel", account.clone(), shutdown.clone(), receive));
            let (this, key, until) = (self.clone(), account.clone(), shutdown.clone());
            let send = move || outbox::run(this.clone(), key.clone(), until.clone());
            outboxes.spawn(keep_going("the outbox", account, shutdown.clone(), send));
        }
        shutdown.cancelled().await;
        while adapters.join_next().await.is_some() {}
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        while outboxes.join_next().await.is_some() {}
    }

    /// Counts something in that the end waits for; `None` when the end has begun.
    fn begin(&self) -> Option<TaskTrackerToken> {
        // Counted from before the look at `closing`: either the end waits for us, or we see that it has begun.
        let counted = self.0.tasks.token();
        (!self.0.closing.is_cancelled()).then_some(counted)
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
            // The request is on disk with the way to its sender: the outbox sees it there.
            Decision::Challenge(_) | Decision::Ignore(_) | Decision::Unavailable(_) => {}
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
    ///
    /// `false` once the pipeline is closing, and then the message was not looked at: it must not be confirmed. That does
    /// not happen within an adapter's `run`, whose end the pipeline waits for.
    pub async fn deliver(&self, message: InboundMessage) -> bool {
        match &self.0 {
            Destination::Pipeline(pipeline) => {
                let Some(_counted) = pipeline.begin() else { return false };
                pipeline.take(message).await;
                true
            }
            Destination::Collector(sender) => sender.send(message).await.is_ok(),
        }
    }

    /// Says that senders of an account can be reached again: what waits to be sent is tried now.
    pub fn reachable(&self, account: &AccountKey) {
        if let Destination::Pipeline(pipeline) = &self.0
            && let Some(line) = pipeline.0.lines.get(account)
        {
            line.reachable.notify_one();
        }
    }
}

async fn receive(pipeline: Pipeline, account: AccountKey, shutdown: CancellationToken) {
    let Some(line) = pipeline.0.lines.get(&account) else { return };
    match line.adapter.run(pipeline.inbox(), shutdown.clone()).await {
        Err(error) => tracing::error!(%account, "the channel stopped: {error}"),
        Ok(()) if !shutdown.is_cancelled() => tracing::warn!(%account, "the channel stopped by itself"),
        Ok(()) => tracing::debug!(%account, "the channel ended"),
    }
}

/// Runs a part of an account until it ends; one that breaks down begins anew, and takes nothing else down.
async fn keep_going<F>(what: &str, account: AccountKey, shutdown: CancellationToken, part: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tries = 0;
    while AbortOnDropHandle::new(tokio::spawn(part())).await.is_err() {
        tracing::error!(%account, "{what} broke down, and begins anew");
        tries += 1;
        tokio::select! {
            () = tokio::time::sleep(backoff(tries)) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// One second, doubled with each try, at most a minute.
pub(crate) fn backoff(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.saturating_sub(1).min(6)).min(LONGEST_BACKOFF)
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
