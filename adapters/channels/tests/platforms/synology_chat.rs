//! The Synology Chat adapter against the stand-in for a NAS: what the story does not show.

use std::path::Path;

use dmgate::{AccountKey, ChannelStatus, Inbox, OutboundText, ReplyRoute, TextKind};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::synology_chat::SynologyChat;
use tokio_util::sync::CancellationToken;

use crate::encrypted;

/// What becomes of an adapter that is run, and writes to the first person if it may: ready, or why not.
async fn run(nas: &SynologyChat, options: Options) -> ChannelStatus {
    let mut setup = Setup::new(AccountKey::parse("synology-chat", "default").unwrap());
    setup.public_url = Some("https://gate.example.org".to_owned());
    let adapter = match Channel::of(setup.account.channel()).unwrap().open(setup, &options) {
        Ok(adapter) => adapter,
        Err(error) => return ChannelStatus::Refused(error.to_string()),
    };
    let (inbox, _messages) = Inbox::collecting(1);
    let (task, shutdown) = (adapter.clone(), CancellationToken::new());
    let until = shutdown.clone();
    let running = tokio::spawn(async move { task.run(inbox, until).await });
    let status = loop {
        match adapter.status() {
            ChannelStatus::Connecting(None) => tokio::task::yield_now().await,
            status => break status,
        }
    };
    if status == ChannelStatus::Ready {
        let text =
            OutboundText { body: "hello".to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() };
        adapter.send_text(&ReplyRoute::new(nas.id(0)), &text).await.unwrap();
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nas_proves_itself_by_the_authority_that_the_owner_named_and_by_no_other() {
    let mut nas = SynologyChat::start();
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = encrypted::before(nas.address(), own.path()).await;
    encrypted::before(nas.address(), other.path()).await;
    let options =
        Options::new().with("base_url", format!("https://localhost:{port}")).with("token", nas.token());
    let trusting = |dir: &Path| options.clone().with("ca_file", dir.join("ca.pem").to_str().unwrap());
    for doubting in [options.clone(), trusting(other.path())] {
        let status = run(&nas, doubting).await;
        let reason = match &status {
            ChannelStatus::Connecting(Some(reason)) | ChannelStatus::Refused(reason) => reason,
            _ => panic!("{status:?}"),
        };
        assert!(reason.contains("certificate"), "{reason}");
    }
    assert_eq!(run(&nas, trusting(own.path())).await, ChannelStatus::Ready);
    assert_eq!((nas.read(0).as_str(), nas.unread(0)), ("hello", 0));
}
