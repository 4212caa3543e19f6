//! The Twitch adapter against a stand-in (`tests/peers`) that twurple was shown to work with.

use std::sync::Arc;

use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelStatus, Conversation, InboundMessage, Inbox,
    OutboundText, TextKind,
};
use dmgate_channels::kept::{Keeper, MemoryKeeper};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::twitch::Twitch;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    adapter: Arc<dyn ChannelAdapter>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(settings: &str, keeper: &Arc<MemoryKeeper>) -> Running {
    let mut options = Options::new();
    for line in settings.lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        options.set(key, value.trim_matches('"'));
    }
    let mut setup = Setup::new(AccountKey::parse("twitch", "default").unwrap());
    setup.keeper = Arc::clone(keeper) as Arc<dyn Keeper>;
    let adapter = Channel::of(setup.account.channel()).unwrap().open(setup, &options).unwrap();
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(&adapter), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { adapter, messages, shutdown, ended }
}

impl Running {
    async fn ready(&self) {
        while self.adapter.status() != ChannelStatus::Ready {
            tokio::task::yield_now().await;
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_used_up_is_replaced_over_restarts_and_a_move_loses_nothing() {
    let mut twitch = tokio::task::spawn_blocking(Twitch::by_socket).await.unwrap();
    // As the owner wrote it once: each refresh token is good for one renewal.
    let (settings, keeper) = (twitch.settings(), Arc::new(MemoryKeeper::default()));
    let mut first = run(&settings, &keeper);
    first.ready().await;
    twitch.write(0, "one");
    let message = first.messages.recv().await.unwrap();
    assert_eq!((message.text.as_str(), message.conversation), ("one", Conversation::Direct));
    assert_eq!(message.sender.primary().as_str(), twitch.id(0));
    for number in 0..5 {
        let body = format!("part {number}");
        let text = OutboundText { idempotency_key: body.clone(), body, kind: TextKind::Reply };
        first.adapter.send_text(&message.route, &text).await.unwrap();
    }
    for number in 0..10 {
        if number == 5 {
            twitch.reconnect();
        }
        twitch.write(0, &number.to_string());
    }
    for number in 0..10 {
        assert_eq!(first.messages.recv().await.unwrap().text, number.to_string());
    }
    assert_eq!(first.adapter.status(), ChannelStatus::Ready);
    first.stop().await;

    let mut second = run(&settings, &keeper);
    second.ready().await;
    twitch.write(0, "two");
    assert_eq!(second.messages.recv().await.unwrap().text, "two");
    second.stop().await;
    let read = tokio::task::spawn_blocking(move || (0..5).map(|_| twitch.read(0)).collect::<Vec<_>>());
    assert_eq!(read.await.unwrap(), ["part 0", "part 1", "part 2", "part 3", "part 4"], "none too fast");
}
