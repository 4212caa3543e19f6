//! The Nostr adapter against a relay within the process, and people with the common client library (`tests/peers`).

use std::sync::{Arc, Mutex};

use dmgate::{ChannelStatus, Conversation, InboundMessage, Origin};
use dmgate_channels::{Options, Setup};
use dmgate_test_peers::{NostrRelay, Platform};
use serde_json::Value;

use crate::running::{Running, setup, text};

type Shared = Arc<Mutex<NostrRelay>>;

async fn start(make: fn() -> NostrRelay) -> Shared {
    Arc::new(Mutex::new(tokio::task::spawn_blocking(make).await.unwrap()))
}

/// Runs blocking calls of the relay's people beside the adapter.
async fn ask<T: Send + 'static>(
    relay: &Shared,
    call: impl FnOnce(&mut NostrRelay) -> T + Send + 'static,
) -> T {
    let relay = Arc::clone(relay);
    tokio::task::spawn_blocking(move || call(&mut relay.lock().unwrap())).await.unwrap()
}

fn run(relays: &[&Shared], setup: &Setup, private: bool) -> Running {
    let urls: Vec<String> = relays.iter().map(|relay| relay.lock().unwrap().url().to_owned()).collect();
    let secret = relays[0].lock().unwrap().secret();
    let options =
        Options::new().with("secret_key", secret).with("relays", urls).with("private_relays", private);
    Running::start(setup, &options)
}

async fn sorted(running: &mut Running, count: usize) -> Vec<String> {
    let mut texts = running.texts(count).await;
    texts.sort();
    texts
}

async fn answer(running: &Running, message: &InboundMessage, body: &str) {
    running.adapter.send_text(&message.route, &text(body, body)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_come_in_and_are_answered_in_kind() {
    let relay = start(NostrRelay::start).await;
    let mut running = run(&[&relay], &setup("nostr"), false);
    ask(&relay, |relay| relay.write(0, "hello")).await;
    let message = running.next().await;
    assert_eq!((message.text.as_str(), message.origin), ("hello", Origin::Person));
    assert_eq!(message.conversation, Conversation::Direct);
    assert_eq!(message.sender.primary().as_str(), ask(&relay, |relay| relay.id(0)).await);
    answer(&running, &message, "an answer").await;
    assert_eq!(ask(&relay, |relay| relay.read(0)).await, "an answer");

    ask(&relay, |relay| relay.write_old(1, "hello from before", 0)).await;
    let message = running.next().await;
    assert_eq!((message.text.as_str(), message.conversation), ("hello from before", Conversation::Direct));
    answer(&running, &message, "an old answer").await;
    assert_eq!(ask(&relay, |relay| relay.read_old(1)).await, "an old answer");
    assert_eq!(ask(&relay, |relay| relay.unread(1)).await, 0, "not in the other format as well");

    ask(&relay, |relay| relay.write_to_many(0, &[1], "the three of us")).await;
    let message = running.next().await;
    assert_eq!((message.conversation, message.route.as_str()), (Conversation::Group, ""));

    // Others find where the bot is to be written to.
    let bot = ask(&relay, |relay| relay.bot()).await;
    let lists = ask(&relay, move |relay| relay.published(10050, &bot)).await;
    let list: Value = serde_json::from_str(&lists[0]).unwrap();
    let url = relay.lock().unwrap().url().to_owned();
    assert_eq!(list["tags"][0][1].as_str().unwrap().trim_end_matches('/'), url.trim_end_matches('/'));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_neither_lose_nor_repeat_whatever_relays_give_again() {
    let relay = start(NostrRelay::start).await;
    let setup = setup("nostr");
    let mut running = run(&[&relay], &setup, false);
    ask(&relay, |relay| {
        relay.write(0, "one");
        relay.write_old(1, "two", 0);
    })
    .await;
    assert_eq!(sorted(&mut running, 2).await, ["one", "two"]);
    running.end().await;
    // More than the relay gives at once, but not of one second, which nobody could ask for in parts.
    ask(&relay, |relay| {
        (0..700).for_each(|number| relay.write_old(0, &format!("{number:03}"), number / 100));
    })
    .await;
    let mut running = run(&[&relay], &setup, false);
    let expected: Vec<String> = (0..700).map(|number| format!("{number:03}")).collect();
    assert_eq!(sorted(&mut running, 700).await, expected);
    running.end().await;
    let mut running = run(&[&relay], &setup, false);
    ask(&relay, |relay| relay.write(0, "at last")).await;
    assert_eq!(sorted(&mut running, 1).await, ["at last"]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_asks_who_we_are_is_told_and_gives_what_is_for_us() {
    let relay = start(NostrRelay::start_with_login).await;
    let mut running = run(&[&relay], &setup("nostr"), false);
    ask(&relay, |relay| relay.write(0, "hello")).await;
    let message = running.next().await;
    assert_eq!(message.text, "hello");
    answer(&running, &message, "an answer").await;
    assert_eq!(ask(&relay, |relay| relay.read(0)).await, "an answer");
    assert_eq!(running.adapter.status(), ChannelStatus::Ready);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_relay_of_two_is_enough_and_an_inbox_elsewhere_is_found() {
    let one = start(NostrRelay::start).await;
    let other = start(NostrRelay::start).await;
    let third = start(NostrRelay::start).await;
    // They are at one relay as at the other, with the same keys.
    let bot = one.lock().unwrap().secret();
    for relay in [&other, &third] {
        let secret = bot.clone();
        ask(relay, move |relay| relay.serve_bot(&secret)).await;
    }
    let mut running = run(&[&one, &other], &setup("nostr"), true);
    ask(&one, |one| one.write(0, "by the one")).await;
    assert_eq!(sorted(&mut running, 1).await, ["by the one"]);
    one.lock().unwrap().stop();
    ask(&other, |other| other.write(0, "by the other")).await;
    let message = running.next().await;
    assert_eq!(message.text, "by the other");
    assert_eq!(running.adapter.status(), ChannelStatus::Ready);

    let inbox = third.lock().unwrap().url().to_owned();
    ask(&other, move |other| other.name_inbox(0, &[&inbox])).await;
    // Somebody has to be there to read it.
    ask(&third, |third| third.unread(0)).await;
    answer(&running, &message, "an answer").await;
    assert_eq!(ask(&third, |third| third.read(0)).await, "an answer");
    assert_eq!(ask(&other, |other| other.unread(0)).await, 0);
    running.end().await;
}
