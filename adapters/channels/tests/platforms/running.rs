//! An adapter that runs. Whatever is waited for comes within a bound, or the test fails.

use std::sync::Arc;
use std::time::Duration;

use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelStatus, InboundMessage, Inbox, OutboundText, TextKind,
};
use dmgate_channels::{Channel, Options, Setup};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An adapter, and what it took.
pub(crate) struct Running {
    pub(crate) adapter: Arc<dyn ChannelAdapter>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

/// Longer than anything takes, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The channel's account `default`. What it keeps is there for every run of the same setup.
pub(crate) fn setup(channel: &str) -> Setup {
    Setup::new(AccountKey::parse(channel, "default").unwrap())
}

/// Options as they stand in a configuration, a line each.
pub(crate) fn options_of(settings: &str) -> Options {
    let pairs = settings.lines().map(|line| line.split_once(" = ").unwrap());
    pairs.fold(Options::new(), |options, (key, value)| options.with(key, value.trim_matches('"')))
}

/// A text with this key.
pub(crate) fn text(body: &str, key: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: key.to_owned() }
}

/// What comes of it, in time.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("what is waited for comes")
}

impl Running {
    /// The adapter of this setup, at work.
    pub(crate) fn start(setup: &Setup, options: &Options) -> Self {
        Self::of(Channel::of(setup.account.channel()).unwrap().open(setup.clone(), options).unwrap())
    }

    /// An adapter, at work.
    pub(crate) fn of(adapter: Arc<dyn ChannelAdapter>) -> Self {
        let (inbox, messages) = Inbox::collecting(256);
        let shutdown = CancellationToken::new();
        let (task, until) = (Arc::clone(&adapter), shutdown.clone());
        let ended = tokio::spawn(async move { task.run(inbox, until).await });
        Self { adapter, messages, shutdown, ended }
    }

    /// Waits until its status is as wanted.
    pub(crate) async fn reach(&self, wanted: impl Fn(&ChannelStatus) -> bool) -> ChannelStatus {
        let reached = async {
            loop {
                let status = self.adapter.status();
                if wanted(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached)
            .await
            .unwrap_or_else(|_| panic!("it stays {:?}", self.adapter.status()))
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        self.reach(|status| *status == ChannelStatus::Ready).await;
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> InboundMessage {
        soon(self.messages.recv()).await.unwrap()
    }

    /// The next texts.
    pub(crate) async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            texts.push(self.next().await.text);
        }
        texts
    }

    /// Ends it; the texts that nobody asked for.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.shutdown.cancel();
        soon(self.ended).await.unwrap().unwrap();
        let mut left = Vec::new();
        while let Some(message) = soon(self.messages.recv()).await {
            left.push(message.text);
        }
        left
    }

    /// Why it ends by itself, and what it is then.
    pub(crate) async fn fail(self) -> (ChannelError, ChannelStatus) {
        let error = soon(self.ended).await.unwrap().unwrap_err();
        (error, self.adapter.status())
    }
}
