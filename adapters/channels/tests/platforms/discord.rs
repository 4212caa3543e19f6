//! The Discord adapter against a stand-in (`tests/peers`) that discord.js was shown to work with.

use std::sync::Arc;

use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelStatus, Conversation, InboundMessage, Inbox, Origin,
    OutboundText, SenderId, TextKind,
};
use dmgate_channels::kept::{Keeper, MemoryKeeper};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::discord::Discord;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    adapter: Arc<dyn ChannelAdapter>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(discord: &Discord, keeper: &Arc<MemoryKeeper>) -> Running {
    let mut options = Options::new();
    for line in discord.settings().lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        options.set(key, value.trim_matches('"'));
    }
    let mut setup = Setup::new(AccountKey::parse("discord", "default").unwrap());
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

    /// The next message of a person's.
    async fn next(&mut self) -> InboundMessage {
        loop {
            let message = self.messages.recv().await.unwrap();
            if message.origin == Origin::Person {
                return message;
            }
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: body.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_and_lost_connections_neither_lose_nor_repeat() {
    let mut discord = tokio::task::spawn_blocking(Discord::start).await.unwrap();
    let keeper = Arc::new(MemoryKeeper::default());
    let mut first = run(&discord, &keeper);
    first.ready().await;
    discord.write(0, "one");
    let message = first.next().await;
    assert_eq!((message.text.as_str(), message.conversation), ("one", Conversation::Direct));
    assert_eq!(message.sender.primary().as_str(), discord.id(0));
    first.adapter.send_text(&message.route, &text("hello")).await.unwrap();
    first.adapter.send_text(&message.route, &text("hello")).await.unwrap();
    let own = first.messages.recv().await.unwrap();
    assert_eq!((own.origin, own.text.as_str()), (Origin::Own, "hello"), "Discord sends us our own texts");
    let id = SenderId::parse(first.adapter.meta().account.channel(), &discord.id(1)).unwrap();
    first.adapter.send_text(&first.adapter.route_to(&id).unwrap(), &text("by id")).await.unwrap();

    // Sent away, it comes back by itself.
    discord.reconnect();
    discord.write(0, "two");
    assert_eq!(first.next().await.text, "two");
    first.ready().await;
    first.stop().await;

    discord.write(0, "three");
    let mut second = run(&discord, &keeper);
    assert_eq!(second.next().await.text, "three");
    second.ready().await;
    discord.write(0, "four");
    assert_eq!(second.next().await.text, "four");
    second.stop().await;

    let read = tokio::task::spawn_blocking(move || {
        assert_eq!((discord.read(0), discord.read(1)), ("hello".to_owned(), "by id".to_owned()));
        discord.unread(0)
    });
    assert_eq!(read.await.unwrap(), 0, "one number, one text");
}
