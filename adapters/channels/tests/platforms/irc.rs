//! The IRC adapter against real servers (`tests/peers`): one without accounts, one with services.

use std::net::SocketAddr;
use std::sync::Arc;

use dmgate::{ChannelStatus, Conversation, EventKind, ReplyRoute, SendError, SenderId, Strength};
use dmgate_channels::{Channel, Options};
use dmgate_test_peers::{Inspircd, IrcClient, Ngircd};

use crate::running::{Running, setup, text};

fn options(addr: SocketAddr) -> Options {
    Options::new()
        .with("host", addr.ip().to_string())
        .with("port", i64::from(addr.port()))
        .with("tls", false)
        .with("nick", "gate")
}

fn run(options: &Options) -> Running {
    Running::start(&setup("irc"), options)
}

/// Runs what blocks beside the adapter.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Sends a text through the adapter.
async fn send(on: &Running, route: &ReplyRoute, body: &str) -> Result<(), SendError> {
    on.adapter.send_text(route, &text(body, "1")).await
}

/// Waits until `nick` is on the network, as a client of it sees it.
fn await_nick(client: &mut IrcClient, nick: &str) {
    loop {
        client.send(&format!("ISON {nick}"));
        let answer = client.expect(|line| line.contains(" 303 "));
        if answer.contains(&format!(":{nick}")) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_a_mask_counts_where_the_owner_chose_it() {
    let server = blocking(Ngircd::start).await;
    let addr = server.addr;
    let mut on = run(&options(addr).with("identity", "hostmask"));
    let mut alice = blocking(move || {
        let mut alice = IrcClient::join(addr, "Alice");
        await_nick(&mut alice, "gate");
        alice.send("JOIN #room");
        alice.privmsg("GATE", "hello");
        alice
    })
    .await;
    let message = on.next().await;
    assert_eq!(message.sender.primary().as_str(), "alice!~alice@127.0.0.1");
    assert_eq!(message.sender.strength(), Strength::ServerAsserted);
    assert_eq!((message.conversation, message.event), (Conversation::Direct, EventKind::Message));
    assert_eq!(on.adapter.status(), ChannelStatus::Ready);

    send(&on, &message.route, "hello yourself\nand again").await.unwrap();
    let route = message.route.clone();
    let alice = blocking(move || {
        let line = alice.expect(|line| line.contains(" PRIVMSG "));
        assert!(line.starts_with(":gate!") && line.ends_with(" PRIVMSG Alice :hello yourself"), "{line}");
        assert!(alice.expect(|line| line.contains(" PRIVMSG ")).ends_with(":and again"));
        // Somebody else with her nick, and then nobody.
        alice.send("NICK alice2");
        alice.expect(|line| line.contains(" NICK "));
        alice
    })
    .await;
    assert!(matches!(send(&on, &route, "secret").await, Err(SendError::Failed { .. })), "nobody");
    let mut mallory = blocking(move || {
        let mut mallory = IrcClient::connect(addr);
        mallory.register("Alice", "mallory");
        mallory
    })
    .await;
    assert!(matches!(send(&on, &route, "secret").await, Err(SendError::Failed { .. })), "somebody else");
    let seen = blocking(move || {
        mallory.send("PING :end");
        mallory.expect(|line| line.contains("PONG"));
        mallory.seen().join("\n")
    })
    .await;
    assert!(!seen.contains("secret"), "{seen}");

    on.end().await;
    drop((alice, server));
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_without_accounts_nobody_is_known_by_account() {
    let server = blocking(Ngircd::start).await;
    let addr = server.addr;
    let mut on = run(&options(addr));
    let _alice = blocking(move || {
        let mut alice = IrcClient::join(addr, "alice");
        await_nick(&mut alice, "gate");
        alice.privmsg("gate", "hello");
        alice
    })
    .await;
    let message = on.next().await;
    assert_eq!((message.sender.strength(), message.route.as_str()), (Strength::Mutable, ""));
    assert!(
        matches!(on.adapter.status(), ChannelStatus::Refused(reason) if reason.contains("irc.peers.test"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_with_services_only_who_is_logged_in_is_known() {
    let network = Arc::new(blocking(Inspircd::start).await);
    let addr = network.addr;
    let register = Arc::clone(&network);
    blocking(move || {
        register.register("alice", "secret-of-alice");
        register.register("gate", "secret-of-gate");
    })
    .await;
    let mut on = run(&options(addr).with("sasl_user", "gate").with("sasl_password", "secret-of-gate"));
    let mut alice = blocking(move || {
        let mut alice = IrcClient::connect(addr);
        assert!(alice.authenticate("alice", "secret-of-alice"));
        alice.register("alice", "alice");
        await_nick(&mut alice, "gate");
        alice.send("WHOIS gate");
        alice.expect(|line| line.contains(" 330 ") && line.contains(" gate gate :"));
        alice.privmsg("gate", "hello");
        alice
    })
    .await;
    let hers = on.next().await;
    assert_eq!(hers.sender.primary().as_str(), "account:alice");
    assert_eq!((hers.sender.strength(), hers.conversation), (Strength::Authenticated, Conversation::Direct));
    assert!(hers.sent_at.is_some() && hers.message_id.is_some());
    assert_eq!(on.adapter.status(), ChannelStatus::Ready);
    send(&on, &hers.route, "hello yourself").await.unwrap();
    let mut alice = blocking(move || {
        alice.expect(|line| line.ends_with(" PRIVMSG alice :hello yourself"));
        alice.send("NOTICE gate :by notice");
        alice.privmsg("gate", "\u{1}VERSION\u{1}");
        alice.send("JOIN #room");
        alice.expect(|line| line.contains(" 366 "));
        alice
    })
    .await;
    for _ in 0..2 {
        assert_eq!(on.next().await.event, EventKind::Other);
    }

    // She is found by her account alone, whoever started the conversation.
    let id = SenderId::parse(on.adapter.meta().account.channel(), "account:alice").unwrap();
    send(&on, &on.adapter.route_to(&id).unwrap(), "it is you").await.unwrap();
    blocking(move || {
        alice.expect(|line| line.ends_with(" PRIVMSG alice :it is you"));
        alice.send("QUIT");
        alice.expect(|line| line.starts_with("ERROR "));
    })
    .await;

    // Same nick, same user, same host, no account.
    let mut impostor = blocking(move || {
        let mut impostor = IrcClient::join(addr, "alice");
        impostor.privmsg("gate", "me too");
        impostor
    })
    .await;
    let theirs = on.next().await;
    assert_eq!((theirs.text.as_str(), theirs.sender.name()), ("me too", Some("alice")));
    assert_eq!(theirs.sender.strength(), Strength::Mutable);
    assert_ne!(theirs.sender.primary().as_str(), "account:alice");
    assert_eq!(theirs.route.as_str(), "");
    let outcome = send(&on, &hers.route, "secret").await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    let seen = blocking(move || {
        impostor.send("PING :end");
        impostor.expect(|line| line.contains("PONG"));
        impostor.seen().join("\n")
    })
    .await;
    assert!(!seen.contains("secret"), "{seen}");
    on.end().await;
    drop(network);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_ends_the_channel_before_anybody_sees_it() {
    let network = Arc::new(blocking(Inspircd::start).await);
    let register = Arc::clone(&network);
    blocking(move || register.register("gate", "secret-of-gate")).await;
    let on = run(&options(network.addr).with("sasl_user", "gate").with("sasl_password", "wr0ng"));
    let (error, status) = on.fail().await;
    assert!(error.to_string().contains("`sasl_password`") && !error.to_string().contains("wr0ng"), "{error}");
    assert!(matches!(status, ChannelStatus::NeedsLogin(_)), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_proves_itself_by_the_authority_that_the_owner_named() {
    let network = blocking(Inspircd::start).await;
    let options = Options::new()
        .with("host", "localhost")
        .with("port", i64::from(network.tls_addr.port()))
        .with("nick", "gate");
    let trusting = options.clone().with("ca_file", network.ca_pem.to_str().unwrap());
    let mut on = run(&trusting);
    let addr = network.addr;
    let _bob = blocking(move || {
        let mut bob = IrcClient::join(addr, "bob");
        await_nick(&mut bob, "gate");
        bob.privmsg("gate", "hello");
        bob
    })
    .await;
    assert_eq!(on.next().await.text, "hello");
    on.end().await;

    // Without that authority there is no connection.
    let reason = match Channel::of(setup("irc").account.channel()).unwrap().open(setup("irc"), &options) {
        Err(error) => error.to_string(),
        Ok(irc) => {
            let doubting = Running::of(irc);
            let status = doubting.reach(|status| *status != ChannelStatus::Connecting(None)).await;
            let ChannelStatus::Connecting(Some(reason)) = status else { panic!("{status:?}") };
            doubting.end().await;
            reason
        }
    };
    assert!(
        reason.contains("no encrypted connection") || reason.contains("no root certificates"),
        "{reason}"
    );
}
