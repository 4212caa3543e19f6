//! The Zalo adapter against the stand-in for Zalo: what the stories do not show.

use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelError, InboundMessage, Inbox};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::zalo::Zalo;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An adapter that runs.
struct Running {
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(zalo: &Zalo) -> Running {
    let setup = Setup::new(AccountKey::parse("zalo", "default").unwrap());
    let settings = zalo.settings();
    let pairs = settings.lines().filter_map(|setting| setting.split_once(" = "));
    let options =
        pairs.fold(Options::new(), |options, (name, value)| options.with(name, value.trim_matches('"')));
    let adapter: Arc<dyn ChannelAdapter> =
        Channel::of(setup.account.channel()).unwrap().open(setup, &options).unwrap();
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let until = shutdown.clone();
    let ended = tokio::spawn(async move { adapter.run(inbox, until).await });
    Running { messages, shutdown, ended }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_while_we_are_off_waits_and_nothing_is_repeated() {
    let mut zalo = Zalo::by_poll();
    zalo.write(0, "one");
    zalo.write(1, "two");
    let mut first = run(&zalo);
    assert_eq!(first.messages.recv().await.unwrap().text, "one");
    assert_eq!(first.messages.recv().await.unwrap().text, "two");
    first.shutdown.cancel();
    first.ended.await.unwrap().unwrap();

    // A poll that was cut off may take one update with it: at most once is what Zalo promises. The other one is taken.
    let mut second = run(&zalo);
    let again = zalo.text(0, "three");
    zalo.send(again.clone());
    zalo.send(again);
    zalo.write(0, "four");
    assert_eq!(second.messages.recv().await.unwrap().text, "three");
    assert_eq!(second.messages.recv().await.unwrap().text, "four");
    second.shutdown.cancel();
    second.ended.await.unwrap().unwrap();
    assert!(second.messages.recv().await.is_none());
}
