//! The Mattermost adapter against the stand-in (`tests/peers`): restarts, broken connections, a server with an authority of
//! its own.

use std::sync::Arc;

use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelStatus, InboundMessage, Inbox, OutboundText, TextKind,
};
use dmgate_channels::kept::{Keeper, MemoryKeeper};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::mattermost::Mattermost;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::encrypted;

struct Running {
    adapter: Arc<dyn ChannelAdapter>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn open(settings: &str, keeper: &Arc<MemoryKeeper>) -> Arc<dyn ChannelAdapter> {
    let mut options = Options::new();
    for line in settings.lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        options.set(key, value.trim_matches('"'));
    }
    let mut setup = Setup::new(AccountKey::parse("mattermost", "default").unwrap());
    setup.keeper = Arc::clone(keeper) as Arc<dyn Keeper>;
    Channel::of(setup.account.channel()).unwrap().open(setup, &options).unwrap()
}

fn run(settings: &str, keeper: &Arc<MemoryKeeper>) -> Running {
    let adapter = open(settings, keeper);
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(&adapter), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { adapter, messages, shutdown, ended }
}

impl Running {
    /// The next text that people wrote.
    async fn text(&mut self) -> String {
        self.messages.recv().await.unwrap().text
    }

    async fn end(mut self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
        assert!(self.messages.recv().await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_restart_nor_a_broken_connection_loses_or_repeats_a_post() {
    let (mut server, keeper) = (Mattermost::start(), Arc::new(MemoryKeeper::default()));
    server.write(0, "before anything of ours ran");
    let settings = server.settings();
    let mut first = run(&settings, &keeper);
    while first.adapter.status() != ChannelStatus::Ready {
        tokio::task::yield_now().await;
    }
    server.write(0, "one");
    assert_eq!(first.text().await, "one");
    first.end().await;

    server.write(0, "two");
    // Somebody who has never written before.
    server.write(1, "three");
    let mut second = run(&settings, &keeper);
    let mut both = [second.text().await, second.text().await];
    both.sort();
    assert_eq!(both, ["three", "two"]);
    server.disconnect();
    server.write(0, "four");
    assert_eq!(second.text().await, "four");
    server.write(1, "five");
    assert_eq!(second.text().await, "five");
    second.end().await;
}

/// The same server over TLS, with a certificate of an authority of its own.
async fn at_home(server: &Mattermost, folder: &std::path::Path) -> String {
    let behind = server.base().trim_start_matches("http://").trim_end_matches("/chat").to_owned();
    let port = encrypted::before(behind, folder).await;
    format!("https://localhost:{port}/chat")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_an_authority_of_its_own_is_trusted_if_the_owner_says_so() {
    let (mut server, folder) = (Mattermost::start(), tempfile::tempdir().unwrap());
    let base = at_home(&server, folder.path()).await;
    let settings = server.settings_at(&base);
    let doubting = run(&settings, &Arc::default());
    while !matches!(doubting.adapter.status(), ChannelStatus::Connecting(Some(_))) {
        tokio::task::yield_now().await;
    }
    doubting.end().await;

    let trusting = format!("{settings}ca_file = \"{}\"\n", folder.path().join("ca.pem").display());
    let mut running = run(&trusting, &Arc::default());
    while running.adapter.status() != ChannelStatus::Ready {
        tokio::task::yield_now().await;
    }
    server.write(0, "hello");
    let message = running.messages.recv().await.unwrap();
    assert_eq!(message.text, "hello");
    let answer =
        OutboundText { body: "hi".to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() };
    running.adapter.send_text(&message.route, &answer).await.unwrap();
    // Tried again, since nobody knew whether it arrived.
    running.adapter.send_text(&message.route, &answer).await.unwrap();
    assert_eq!(server.read(0), "hi");
    assert_eq!(server.unread(0), 0, "the server drops the second");
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}
