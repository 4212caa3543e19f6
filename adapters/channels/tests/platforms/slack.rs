//! The Slack adapter against the stand-in (`tests/peers`), by sockets.

use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelError, InboundMessage, Inbox};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::slack::Slack;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(slack: &Slack) -> Running {
    let mut options = Options::new();
    for line in slack.settings().lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        options.set(key, value.trim_matches('"'));
    }
    let setup = Setup::new(AccountKey::parse("slack", "default").unwrap());
    let adapter: Arc<dyn ChannelAdapter> =
        Channel::of(setup.account.channel()).unwrap().open(setup, &options).unwrap();
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let until = shutdown.clone();
    let ended = tokio::spawn(async move { adapter.run(inbox, until).await });
    Running { messages, shutdown, ended }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_neither_loses_nor_repeats_what_came_by_socket() {
    let mut slack = Slack::by_socket();
    for texts in [["one", "two"], ["three", "four"]] {
        // Written while nobody is there.
        slack.write(0, texts[0]);
        let mut running = run(&slack);
        assert_eq!(running.messages.recv().await.unwrap().text, texts[0]);
        slack.write(0, texts[1]);
        assert_eq!(running.messages.recv().await.unwrap().text, texts[1]);
        running.shutdown.cancel();
        running.ended.await.unwrap().unwrap();
        assert!(running.messages.recv().await.is_none());
    }
}
