//! The Discord adapter against a stand-in (`tests/peers`) that discord.js was shown to work with.

use dmgate::{Conversation, InboundMessage, Origin, SenderId};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::discord::Discord;

use crate::running::{Running, options_of, setup, text};

/// The next message of a person's.
async fn next(running: &mut Running) -> InboundMessage {
    loop {
        let message = running.next().await;
        if message.origin == Origin::Person {
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_and_lost_connections_neither_lose_nor_repeat() {
    let mut discord = tokio::task::spawn_blocking(Discord::start).await.unwrap();
    let (setup, options) = (setup("discord"), options_of(&discord.settings()));
    let mut first = Running::start(&setup, &options);
    first.ready().await;
    discord.write(0, "one");
    let message = next(&mut first).await;
    assert_eq!((message.text.as_str(), message.conversation), ("one", Conversation::Direct));
    assert_eq!(message.sender.primary().as_str(), discord.id(0));
    first.adapter.send_text(&message.route, &text("hello", "hello")).await.unwrap();
    first.adapter.send_text(&message.route, &text("hello", "hello")).await.unwrap();
    let own = first.next().await;
    assert_eq!((own.origin, own.text.as_str()), (Origin::Own, "hello"), "Discord sends us our own texts");
    let id = SenderId::parse(first.adapter.meta().account.channel(), &discord.id(1)).unwrap();
    first.adapter.send_text(&first.adapter.route_to(&id).unwrap(), &text("by id", "by id")).await.unwrap();

    // Sent away, it comes back by itself.
    discord.reconnect();
    discord.write(0, "two");
    assert_eq!(next(&mut first).await.text, "two");
    first.ready().await;
    first.end().await;

    discord.write(0, "three");
    let mut second = Running::start(&setup, &options);
    assert_eq!(next(&mut second).await.text, "three");
    second.ready().await;
    discord.write(0, "four");
    assert_eq!(next(&mut second).await.text, "four");
    second.end().await;

    let read = tokio::task::spawn_blocking(move || {
        assert_eq!((discord.read(0), discord.read(1)), ("hello".to_owned(), "by id".to_owned()));
        discord.unread(0)
    });
    assert_eq!(read.await.unwrap(), 0, "one number, one text");
}
