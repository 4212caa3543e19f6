//! The Synology Chat adapter against the stand-in for a NAS: what the story does not show.

use std::path::Path;

use dmgate::{ChannelStatus, ReplyRoute};
use dmgate_channels::{Channel, Options};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::synology_chat::SynologyChat;

use crate::encrypted;
use crate::running::{Running, setup, text};

/// What becomes of an adapter that is run, and writes to the first person if it may: ready, or why not.
async fn run(nas: &SynologyChat, options: Options) -> ChannelStatus {
    let mut setup = setup("synology-chat");
    setup.public_url = Some("https://gate.example.org".to_owned());
    let adapter = match Channel::of(setup.account.channel()).unwrap().open(setup, &options) {
        Ok(adapter) => adapter,
        Err(error) => return ChannelStatus::Refused(error.to_string()),
    };
    let running = Running::of(adapter);
    let status = running.reach(|status| *status != ChannelStatus::Connecting(None)).await;
    if status == ChannelStatus::Ready {
        running.adapter.send_text(&ReplyRoute::new(nas.id(0)), &text("hello", "1")).await.unwrap();
    }
    running.end().await;
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
