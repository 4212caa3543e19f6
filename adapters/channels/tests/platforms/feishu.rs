//! The Feishu adapter against a stand-in for Feishu (`tests/peers`).

use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelError, InboundMessage, Inbox, OutboundText, TextKind};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::feishu::Feishu;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, block_in_place};
use tokio_util::sync::CancellationToken;

/// An adapter that runs.
struct Running {
    feishu: Arc<dyn ChannelAdapter>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(setup: &Setup, settings: &str) -> Running {
    let mut options = Options::new();
    for line in settings.lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        options.set(key, value.trim_matches('"'));
    }
    let feishu = Channel::of(setup.account.channel()).unwrap().open(setup.clone(), &options).unwrap();
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(&feishu), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { feishu, messages, shutdown, ended }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_neither_loses_nor_repeats_and_a_text_arrives_once() {
    let mut feishu = Feishu::by_socket();
    let setup = Setup::new(AccountKey::parse("feishu", "default").unwrap());
    let mut first = run(&setup, &feishu.settings());
    // Every second one comes in parts.
    for text in ["one", "two", "three"] {
        feishu.write(0, text);
        assert_eq!(first.messages.recv().await.unwrap().text, text);
    }
    first.shutdown.cancel();
    first.ended.await.unwrap().unwrap();
    feishu.write(0, "four");
    let mut second = run(&setup, &feishu.settings());
    let message = second.messages.recv().await.unwrap();
    assert_eq!(message.text, "four", "what was answered does not come again");

    let key = "the same".to_owned();
    let text = OutboundText { body: "an answer".to_owned(), kind: TextKind::Reply, idempotency_key: key };
    second.feishu.send_text(&message.route, &text).await.unwrap();
    second.feishu.send_text(&message.route, &text).await.unwrap();
    assert_eq!(block_in_place(|| feishu.read(0)), "an answer");
    assert_eq!(feishu.unread(0), 0, "Feishu drops the second");
    second.shutdown.cancel();
    second.ended.await.unwrap().unwrap();
}
