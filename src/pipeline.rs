//! Adapters → gate → agent.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::channel::ChannelAdapter;
use crate::gate::DmGate;
use crate::message::{AccountKey, InboundMessage};

/// Runs adapters, gate and agent. A cheap handle.
#[derive(Clone)]
pub struct Pipeline(Arc<Shared>);

struct Shared {
    gate: DmGate,
    agent: Arc<dyn Agent>,
    channels: Vec<Arc<dyn ChannelAdapter>>,
}

/// Where an adapter puts what came in.
#[derive(Clone)]
pub struct Inbox(Destination);

#[derive(Clone)]
enum Destination {
    Pipeline(Pipeline),
    Collector(mpsc::Sender<InboundMessage>),
}

impl Inbox {
    /// An inbox that only collects: for an adapter's own tests.
    #[must_use]
    pub fn collecting(capacity: usize) -> (Self, mpsc::Receiver<InboundMessage>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(Destination::Collector(sender)), receiver)
    }

    /// Hands a message to the gate. Returns when it is decided and, if it was let in, queued for the agent; so an
    /// adapter that waits for it before it confirms to its platform loses nothing.
    pub async fn deliver(&self, message: InboundMessage) {
        match &self.0 {
            Destination::Pipeline(_pipeline) => {}
            Destination::Collector(sender) => {
                // The test is over when nobody collects any more.
                let _ = sender.send(message).await;
            }
        }
    }
}

impl Pipeline {
    /// A pipeline of these parts.
    #[must_use]
    pub fn new(gate: DmGate, agent: Arc<dyn Agent>, channels: Vec<Arc<dyn ChannelAdapter>>) -> Self {
        Self(Arc::new(Shared { gate, agent, channels }))
    }

    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &DmGate {
        &self.0.gate
    }

    /// The adapters.
    #[must_use]
    pub fn channels(&self) -> &[Arc<dyn ChannelAdapter>] {
        &self.0.channels
    }

    /// Where messages go that come in outside of an adapter's `run`.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        Inbox(Destination::Pipeline(self.clone()))
    }

    /// Hands a web hook request to the adapter of the account; its messages are queued before the response is returned.
    /// 404 for an account that has none.
    pub async fn webhook(
        &self,
        _account: &AccountKey,
        _request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let _ = &self.0.agent;
        http::Response::new(Bytes::new())
    }

    /// Receives, decides, answers, until `shutdown` is cancelled; then finishes what was let in and returns.
    pub async fn run(&self, shutdown: CancellationToken) {
        shutdown.cancelled().await;
    }
}
