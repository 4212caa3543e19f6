//! The parts of a pipeline under a test's control.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dmgate::pairing::{Approval, Request, Surface, Target};
use dmgate::store::{Actor, MemoryStore, Store};
use dmgate::testing::ManualClock;
use dmgate::{
    AccountKey, Agent, AgentError, Attachment, AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta,
    ChannelStatus, DmGate, FetchError, InboundMessage, Inbox, MockChannelAdapter, OutboundText, Permit,
    Pipeline, ReplyRoute, SendError, Sender, SenderId, Turn, Webhook,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// What happens at all happens within a (virtual) day: a test that waits longer fails.
pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(24 * HOUR, event).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

pub(crate) fn account() -> AccountKey {
    AccountKey::parse("telegram", "default").unwrap()
}

pub(crate) fn sender(id: &str) -> SenderId {
    SenderId::parse(account().channel(), id).unwrap()
}

/// A direct message; its route is the sender's id.
pub(crate) fn message(id: &str, text: &str) -> InboundMessage {
    let route = ReplyRoute::new(id);
    InboundMessage { route, ..InboundMessage::direct(account(), Sender::new(sender(id)), text) }
}

pub(crate) fn owner() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

/// The owner approves a sender.
pub(crate) async fn approve(store: &dyn Store, id: &str, notify: bool) -> Request {
    let target = Target::Sender(sender(id));
    let approval = Approval { target, account: None, notify };
    store.approve(account().channel(), approval, &owner()).await.unwrap()
}

pub(crate) async fn allow(store: &dyn Store, id: &str) {
    store.allow(&account(), &sender(id), &owner()).await.unwrap();
}

pub(crate) async fn revoke(store: &dyn Store, id: &str) {
    store.revoke(&account(), &sender(id), &owner()).await.unwrap();
}

/// The code of the one request that waits.
pub(crate) async fn only_code(store: &dyn Store) -> String {
    let pending = store.pending(account().channel()).await.unwrap();
    assert_eq!(pending.len(), 1);
    pending[0].code.reveal().to_owned()
}

pub(crate) fn failed() -> Result<(), SendError> {
    Err(SendError::Failed { reason: "no network".into(), retry_after: None })
}

pub(crate) fn wait_for(wait: Duration) -> Result<(), SendError> {
    Err(SendError::Failed { reason: "too many requests".into(), retry_after: Some(wait) })
}

pub(crate) fn unknown() -> Result<(), SendError> {
    Err(SendError::Unknown { reason: "cut off".into() })
}

pub(crate) fn impossible() -> Result<(), SendError> {
    Err(SendError::Impossible { reason: "blocked".into() })
}

/// One call of `send_text`.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) text: OutboundText,
    pub(crate) at: Instant,
}

/// What was sent, as it comes.
pub(crate) struct Sends(mpsc::UnboundedReceiver<Sent>);

impl Sends {
    /// The next one, when it comes.
    pub(crate) async fn next(&mut self) -> Sent {
        soon("another text", self.0.recv()).await.unwrap()
    }

    /// Those of the time until now.
    pub(crate) fn so_far(&mut self) -> Vec<Sent> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }

    /// Lets (virtual) time go by; nothing may be sent in it.
    pub(crate) async fn silence(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
        assert_eq!(self.so_far().len(), 0, "something was sent");
    }
}

pub(crate) fn meta() -> ChannelMeta {
    ChannelMeta { account: account(), id_line: "id".into(), text_limit: 100, idempotent_sends: false }
}

/// An adapter whose texts come to `outcome` and arrive in the [`Sends`]; it receives nothing by itself.
pub(crate) fn adapter_of(
    meta: ChannelMeta,
    mut outcome: impl FnMut(&Sent) -> Result<(), SendError> + Send + 'static,
) -> (MockChannelAdapter, Sends) {
    let (sender, sends) = mpsc::unbounded_channel();
    let mut count = 0;
    let mut adapter = MockChannelAdapter::new();
    adapter.expect_meta().return_const(meta);
    adapter.expect_run().returning(|_, _| Ok(()));
    adapter.expect_show_typing().return_const(());
    adapter.expect_route_to().return_const(None);
    adapter.expect_send_text().returning(move |route, text| {
        let sent = Sent { to: route.as_str().to_owned(), text: text.clone(), at: Instant::now() };
        // No test needs as many: whatever goes round in a circle must fail, and not hang.
        count += 1;
        assert!(count < 2_500, "too many texts");
        let outcome = outcome(&sent);
        drop(sender.send(sent));
        outcome
    });
    (adapter, Sends(sends))
}

/// An adapter whose first texts come to `outcomes`; later ones arrive.
pub(crate) fn adapter(outcomes: Vec<Result<(), SendError>>) -> (MockChannelAdapter, Sends) {
    let mut outcomes = VecDeque::from(outcomes);
    adapter_of(meta(), move |_| outcomes.pop_front().unwrap_or(Ok(())))
}

/// A mocked adapter whose calls take their time: each waits for a permit of `hold`, a text after it left. It breaks down
/// where `breaks` says so. Showing that an answer is worked on waits for `typing`, and has a share of it meanwhile.
pub(crate) struct Slow {
    pub(crate) mock: MockChannelAdapter,
    pub(crate) hold: Arc<Semaphore>,
    pub(crate) typing: Arc<Semaphore>,
    pub(crate) breaks: fn(&ReplyRoute, &OutboundText) -> bool,
}

impl Slow {
    /// One that takes no time before `hold` runs out, and breaks down nowhere.
    pub(crate) fn new(mock: MockChannelAdapter, permits: usize) -> Self {
        let typing = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { mock, hold: Arc::new(Semaphore::new(permits)), typing, breaks: |_, _| false }
    }
}

#[async_trait]
impl ChannelAdapter for Slow {
    fn meta(&self) -> &ChannelMeta {
        self.mock.meta()
    }

    async fn run(&self, inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        self.mock.run(inbox, shutdown).await
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.hold.acquire().await.unwrap().forget();
        self.mock.webhook(request).await
    }

    async fn send_text(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let outcome = self.mock.send_text(route, text).await;
        self.hold.acquire().await.unwrap().forget();
        assert!(!(self.breaks)(route, text), "broken on purpose");
        outcome
    }

    async fn show_typing(&self, route: &ReplyRoute) {
        self.mock.show_typing(route).await;
        let typing = Arc::clone(&self.typing);
        typing.acquire().await.unwrap().forget();
    }

    async fn fetch(
        &self,
        permit: &Permit,
        what: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.mock.fetch(permit, what, limit, file).await
    }

    fn status(&self) -> ChannelStatus {
        ChannelStatus::Ready
    }
}

/// An agent that answers when the test says so.
pub(crate) struct Desk(mpsc::UnboundedSender<Work>);

/// A turn that waits for its answer. Dropped, the agent panics.
pub(crate) struct Work {
    pub(crate) turn: Turn,
    answer: oneshot::Sender<Result<Vec<String>, AgentError>>,
}

impl Work {
    pub(crate) fn text(&self) -> &str {
        &self.turn.message().text
    }

    pub(crate) fn answer(self, text: &str) {
        self.answer.send(Ok(vec![text.to_owned()])).unwrap();
    }

    pub(crate) fn fail(self) {
        self.answer.send(Err(AgentError("out of order".into()))).unwrap();
    }
}

/// What the agent was given.
pub(crate) struct Works(mpsc::UnboundedReceiver<Work>);

impl Works {
    pub(crate) async fn next(&mut self) -> Work {
        soon("another turn", self.0.recv()).await.unwrap()
    }

    /// Lets (virtual) time go by; the agent may get nothing in it.
    pub(crate) async fn silence(&mut self) {
        tokio::time::sleep(HOUR).await;
        assert!(self.0.try_recv().is_err(), "the agent was given something");
    }
}

pub(crate) fn desk() -> (Desk, Works) {
    let (sender, works) = mpsc::unbounded_channel();
    (Desk(sender), Works(works))
}

#[async_trait]
impl Agent for Desk {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        let (answer, answered) = oneshot::channel();
        drop(self.0.send(Work { turn, answer }));
        answered.await.unwrap()
    }
}

/// An agent that repeats what it is told.
pub(crate) struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        Ok(vec![format!("echo {}", turn.message().text)])
    }
}

/// What outlives a pipeline: the store, and the time.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<dyn Store>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(1_800_000_000_000);
        Self { store: Arc::new(MemoryStore::new(clock.world())), clock }
    }

    pub(crate) fn gate(&self) -> DmGate {
        DmGate::builder().world(self.clock.world()).shared_store(Arc::clone(&self.store)).build()
    }

    pub(crate) fn run(&self, adapter: impl ChannelAdapter, agent: impl Agent) -> Running {
        start(self.gate(), adapter, agent)
    }

    pub(crate) fn run_all(&self, adapters: Vec<Arc<dyn ChannelAdapter>>, agent: impl Agent) -> Running {
        start_all(self.gate(), adapters, agent)
    }
}

pub(crate) fn start(gate: DmGate, adapter: impl ChannelAdapter, agent: impl Agent) -> Running {
    start_all(gate, vec![Arc::new(adapter)], agent)
}

fn start_all(gate: DmGate, adapters: Vec<Arc<dyn ChannelAdapter>>, agent: impl Agent) -> Running {
    let pipeline = Pipeline::new(gate, Arc::new(agent), adapters);
    let shutdown = CancellationToken::new();
    let (running, until) = (pipeline.clone(), shutdown.clone());
    let task = tokio::spawn(async move { running.run(until).await });
    Running { inbox: pipeline.inbox(), pipeline, shutdown, task }
}

/// A pipeline that runs.
pub(crate) struct Running {
    pub(crate) pipeline: Pipeline,
    pub(crate) inbox: Inbox,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        soon("the end", self.task).await.unwrap();
    }

    /// Ends it where it stands.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// The bodies' lengths say little: what was sent, to whom, as pairs.
pub(crate) fn bodies(sent: &[Sent]) -> Vec<(&str, &str)> {
    sent.iter().map(|sent| (sent.to.as_str(), sent.text.body.as_str())).collect()
}
