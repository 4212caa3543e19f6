//! The life of a connection.

use std::time::Duration;

use dmgate::{Conversation, Origin, Strength};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;

const FROM_ALICE: &str = "@account=alice :alice!al@host PRIVMSG";

#[tokio::test(start_paused = true)]
async fn our_nick_is_what_the_server_says_it_is() {
    let irc = irc(|_| {});
    let mut on = attend(&irc);
    on.peer.welcome("botty12", "account-tag").await;
    on.peer.say(&format!("{FROM_ALICE} botty12 :one")).await;
    on.peer.say(&format!("{FROM_ALICE} botty :two")).await;
    on.peer.say(":Botty12!b@h NICK :gate").await;
    on.peer.say(":alice!al@host NICK :botty12").await;
    on.peer.say(&format!("{FROM_ALICE} GATE :three")).await;
    on.peer.say(&format!("{FROM_ALICE} botty12 :four")).await;
    on.peer.say("@account=x :gate!b@h PRIVMSG gate :five").await;
    let mut read = Vec::new();
    for _ in 0..5 {
        let message = on.messages.recv().await.unwrap();
        read.push((message.text, message.conversation, message.origin));
    }
    let (direct, unknown) = (Conversation::Direct, Conversation::Unknown);
    let expected = [
        ("one", direct, Origin::Person),
        ("two", unknown, Origin::Person),
        ("three", direct, Origin::Person),
        ("four", unknown, Origin::Person),
        ("five", direct, Origin::Own),
    ];
    assert_eq!(read, expected.map(|(text, conversation, origin)| (text.to_owned(), conversation, origin)));
}

#[tokio::test(start_paused = true)]
async fn i15_where_accounts_are_not_told_nobody_is_known_and_the_owner_is_told() {
    let irc = irc(|_| {});
    let mut on = attend(&irc);
    on.peer.welcome("botty", "message-tags server-time").await;
    let told = irc.shared.status.reach(|status| !matches!(status, ChannelStatus::Connecting(_))).await;
    let ChannelStatus::Refused(reason) = told else { panic!("{told:?}") };
    assert!(reason.contains("`irc.test`") && reason.contains("identity = \"hostmask\""), "{reason}");
    on.peer.say(&format!("{FROM_ALICE} botty :hello")).await;
    assert_eq!(on.messages.recv().await.unwrap().sender.strength(), Strength::Mutable);

    // Services come, and go.
    on.peer.say(":irc.test CAP botty NEW :sasl account-tag").await;
    assert_eq!(on.peer.line().await, "CAP REQ :account-tag");
    on.peer.say(":irc.test CAP botty ACK :account-tag").await;
    on.peer.say(&format!("{FROM_ALICE} botty :hello")).await;
    assert_eq!(on.messages.recv().await.unwrap().sender.strength(), Strength::Authenticated);
    assert_eq!(irc.status(), ChannelStatus::Ready);
    on.peer.say(":irc.test CAP botty DEL :account-tag").await;
    on.peer.say(&format!("{FROM_ALICE} botty :hello")).await;
    assert_eq!(on.messages.recv().await.unwrap().sender.strength(), Strength::Mutable);
    assert!(matches!(irc.status(), ChannelStatus::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_and_then_left() {
    let mut on = welcomed(&irc(|_| {})).await;
    let before = Instant::now();
    assert_eq!(on.peer.line().await, "PING :dmgate");
    assert_eq!(before.elapsed(), Duration::from_secs(60));
    on.peer.say(":irc.test PONG irc.test :dmgate").await;
    assert_eq!(on.peer.line().await, "PING :dmgate");
    assert!(matches!(on.ended.await.unwrap(), End::Lost(reason) if reason.contains("silent")));
    assert_eq!(before.elapsed(), Duration::from_secs(60 * 3));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_let_us_in_is_left() {
    let mut on = attend(&irc(|_| {}));
    let before = Instant::now();
    for _ in 0..3 {
        on.peer.line().await;
    }
    on.peer.say("PING :early").await;
    assert_eq!(on.peer.line().await, "PONG :early", "some servers want that first");
    assert!(matches!(on.ended.await.unwrap(), End::Lost(reason) if reason.contains("let us in")));
    assert_eq!(before.elapsed(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn what_no_server_says_ends_the_connection_and_nothing_else() {
    for bad in ["x".repeat(17 * 1024), "ERROR :Closing Link".to_owned()] {
        let mut on = welcomed(&irc(|_| {})).await;
        on.peer.say(&bad).await;
        assert!(matches!(on.ended.await.unwrap(), End::Lost(_)));
    }
    let mut on = welcomed(&irc(|_| {})).await;
    for odd in [
        "",
        ":",
        "@",
        "@a",
        ":x",
        "PRIVMSG",
        ":a!b@c",
        "@account=alice",
        "\u{0}\u{1}",
        "CAP",
        "NICK",
        "005",
        "318",
    ] {
        on.peer.say(odd).await;
    }
    on.peer.say(&format!("{FROM_ALICE} botty :hello")).await;
    assert_eq!(on.messages.recv().await.unwrap().text, "hello");
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_answers_still_go_out_and_nothing_comes_in() {
    let irc = irc(|_| {});
    let mut on = welcomed(&irc).await;
    on.peer.say(&format!("{FROM_ALICE} botty :hello")).await;
    let route = on.messages.recv().await.unwrap().route;
    on.shutdown.cancel();
    assert!(matches!(on.ended.await.unwrap(), End::Stopped));
    on.peer.say(&format!("{FROM_ALICE} botty :too late")).await;
    assert!(on.messages.recv().await.is_none());
    let sending = send(&irc, route.as_str(), "hello yourself");
    on.peer.whois("alice", "al@host", Some("alice")).await;
    assert_eq!(on.peer.line().await, "PRIVMSG alice :hello yourself");
    on.peer.pong().await;
    sending.await.unwrap().unwrap();
    drop((irc, on.irc));
    assert_eq!(on.peer.rest().await, ["QUIT"], "with the adapter the connection ends");
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_lost_before_the_connection_is() {
    let irc = irc(|_| {});
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (inbox, mut messages) = Inbox::collecting(1);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(&irc), shutdown.clone());
    let ended = tokio::spawn(async move { task.attend(client, &inbox, &until).await });
    let mut peer = Peer(BufReader::new(server));
    peer.welcome("botty", "account-tag").await;
    for number in 0..1_000 {
        peer.say(&format!("{FROM_ALICE} botty :{number}")).await;
    }
    peer.say("PING :still there").await;
    assert_eq!(peer.line().await, "PONG :still there", "nobody takes messages, and the connection lives");
    shutdown.cancel();
    let mut count = 0;
    while messages.recv().await.is_some() {
        count += 1;
    }
    assert!(matches!(ended.await.unwrap(), End::Stopped));
    assert!((200..300).contains(&count), "{count}");
}

#[tokio::test]
async fn a_connection_that_ends_is_followed_by_another_until_we_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = Config::new("127.0.0.1".to_owned(), "botty".to_owned());
    (config.tls, config.port) = (false, Some(port));
    let account = AccountKey::parse("irc", "default").unwrap();
    let mut irc = Irc::open(Setup::new(account), config).ok().unwrap();
    irc.retry = (Duration::from_millis(1), Duration::from_millis(1));
    let irc = Arc::new(irc);
    let (inbox, _messages) = Inbox::collecting(1);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(&irc), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });

    drop(listener.accept().await.unwrap());
    for line in [":s ERROR :no", "ERROR :Trying to reconnect too fast.", ":s 465 * :You are banned"] {
        let (stream, _) = listener.accept().await.unwrap();
        let told =
            irc.shared.status.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
        assert!(!matches!(told, ChannelStatus::Ready));
        let mut stream = BufReader::new(stream);
        let mut line_in = String::new();
        stream.read_line(&mut line_in).await.unwrap();
        assert_eq!(line_in, "CAP LS 302\r\n");
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        if !line.contains("465") {
            stream.shutdown().await.unwrap();
        }
    }
    let error = ended.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("bans us"), "{error}");
    assert!(matches!(irc.status(), ChannelStatus::Refused(_)));
}
