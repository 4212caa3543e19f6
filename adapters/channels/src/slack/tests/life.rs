//! Sockets: acknowledgements, one after another, trouble, the end.

use super::*;
use crate::fake_server::unstall;

/// A bot that is in, and Slack's end of its socket.
async fn connected(fake: &Fake, room: usize) -> (Running, FakePeer) {
    let running = run(&fake.bot(|_| {}), room);
    let peer = fake.accept().await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    (running, peer)
}

fn disconnect(reason: &str) -> String {
    json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "applink-1" } }).to_string()
}

fn acknowledged(id: &str) -> Value {
    json!({ "envelope_id": id })
}

#[tokio::test]
async fn an_event_is_acknowledged_when_the_gate_has_it_and_counts_once() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    assert_eq!(peer.path, "/link?ticket=t1cket");
    for number in 1..=3 {
        peer.say(&event_frame(&format!("e{number}"), &hello(number))).await;
    }
    // There is room for one message: the second waits, and with it its acknowledgement.
    assert_eq!(peer.json().await, acknowledged("e1"));
    let early = tokio::time::timeout(NO_WAIT, peer.json()).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(peer.json().await, acknowledged("e2"));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    assert_eq!(peer.json().await, acknowledged("e3"));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 3");
    // What comes again is acknowledged in its turn, and so is what can't be read.
    peer.say(&event_frame("e2 again", &hello(2))).await;
    peer.say(&frame("e4", "events_api", &json!({ "type": "app_rate_limited" }))).await;
    peer.say(&frame("e5", "whatever_comes", &json!({}))).await;
    peer.say(&event_frame("e6", &hello(6))).await;
    for id in ["e2 again", "e4", "e5", "e6"] {
        assert_eq!(peer.json().await, acknowledged(id));
    }
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 6");
}

#[tokio::test]
async fn the_next_socket_is_there_before_the_one_before_is_left() {
    for reason in ["warning", "refresh_requested"] {
        let fake = Fake::start().await;
        let (mut running, mut first) = connected(&fake, 8).await;
        first.say(&disconnect(reason)).await;
        let mut second = fake.accept().await;
        // Both bring events, one of them the same; and both are told.
        first.say(&event_frame("a1", &hello(1))).await;
        assert_eq!(first.json().await, acknowledged("a1"));
        second.say(&event_frame("b1", &hello(1))).await;
        second.say(&event_frame("b2", &hello(2))).await;
        assert_eq!(second.json().await, acknowledged("b1"));
        assert_eq!(second.json().await, acknowledged("b2"));
        assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
        assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
        first.close(1000, "").await;
        second.say(&event_frame("b3", &hello(3))).await;
        assert_eq!(second.json().await, acknowledged("b3"));
        assert_eq!(running.bot.status(), ChannelStatus::Ready, "{reason}");
        // And so on.
        second.say(&disconnect(reason)).await;
        drop(second);
        let mut third = fake.accept().await;
        third.say(&event_frame("c4", &hello(4))).await;
        assert_eq!(third.json().await, acknowledged("c4"));
    }
}

#[tokio::test]
async fn i14_what_two_sockets_bring_is_acknowledged_by_neither_before_it_is_taken() {
    let fake = Fake::start().await;
    let (mut running, mut first) = connected(&fake, 1).await;
    first.say(&event_frame("a1", &hello(1))).await;
    assert_eq!(first.json().await, acknowledged("a1"));
    first.say(&event_frame("a2", &hello(2))).await;
    first.say(&disconnect("warning")).await;
    let mut second = fake.accept().await;
    second.say(&event_frame("b2", &hello(2))).await;
    let early = tokio::time::timeout(NO_WAIT, second.json()).await;
    assert!(early.is_err(), "nobody has taken it yet: {early:?}");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!((first.json().await, second.json().await), (acknowledged("a2"), acknowledged("b2")));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
}

#[tokio::test]
async fn a_shutdown_takes_and_acknowledges_what_was_read() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    for number in 1..=3 {
        peer.say(&event_frame(&format!("e{number}"), &hello(number))).await;
    }
    assert_eq!(peer.json().await, acknowledged("e1"));
    // Now all three are read, and two wait.
    peer.answered_ping().await;
    running.shutdown.cancel();
    for number in 1..=3 {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
    }
    assert_eq!((peer.json().await, peer.json().await), (acknowledged("e2"), acknowledged("e3")));
    assert_eq!(peer.closing().await, Some(1000));
    running.ended.await.unwrap().unwrap();
    assert!(running.messages.recv().await.is_none());
}

#[tokio::test]
async fn what_nobody_takes_is_not_acknowledged() {
    let fake = Fake::start().await;
    let (running, mut peer) = connected(&fake, 1).await;
    peer.say(&event_frame("e1", &hello(1))).await;
    assert_eq!(peer.json().await, acknowledged("e1"));
    drop(running.messages);
    peer.say(&event_frame("e2", &hello(2))).await;
    peer.say(&frame("e3", "whatever_comes", &json!({}))).await;
    assert_eq!(peer.json().await, acknowledged("e3"));
    running.shutdown.cancel();
    assert_eq!(peer.closing().await, Some(1000));
}

#[tokio::test]
async fn a_burst_waits_at_slack_and_nothing_is_lost() {
    const BURST: usize = 10_000;
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    let said = async {
        let mut acknowledgements = 0;
        for number in 0..BURST {
            peer.say(&event_frame("e", &hello(number))).await;
            // As far ahead of the acknowledgements as the queue is long.
            while acknowledgements + 400 <= number {
                assert_eq!(peer.json().await, acknowledged("e"));
                acknowledgements += 1;
            }
        }
        while acknowledgements < BURST {
            peer.json().await;
            acknowledgements += 1;
        }
    };
    let took = async {
        for number in 0..BURST {
            assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
        }
    };
    tokio::join!(said, took);
    assert_eq!(running.bot.seen.len(), REMEMBERED);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_by_the_next_socket() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    peer.say(&event_frame("e1", &hello(1))).await;
    peer.say(&event_frame("e2", &hello(2))).await;
    assert_eq!(peer.json().await, acknowledged("e1"));
    // It breaks while the second waits for its turn.
    peer.answered_ping().await;
    drop(peer);
    let mut peer = fake.accept().await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    peer.say(&event_frame("e2 again", &hello(2))).await;
    assert_eq!(peer.json().await, acknowledged("e2 again"));
    peer.say(&event_frame("e3", &hello(3))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 3", "the second came once");
}

#[tokio::test]
async fn it_connects_again_after_every_kind_of_trouble() {
    let fake = Fake::start().await;
    let mut running = run(&fake.bot(|_| {}), 8);
    let calls = &fake.calls;
    calls.call().await.answer(500, "").await;
    calls.call().await.answer(200, "no json").await;
    calls.call().await.json_answer(200, json!({ "ok": true })).await;
    calls.call().await.raw("HTTP/1.1 429 X\r\nretry-after: 0\r\nconnection: close\r\n\r\n", "").await;
    drop(calls.call().await);
    let stalled = calls.call().await.stall();
    let call = calls.call().await;
    unstall(stalled);
    fake.answer(call).await;
    // Now it knows who it is, and asks for sockets.
    calls.call().await.json_answer(200, json!({ "ok": true, "url": "wss://evil.test/link" })).await;
    let call = calls.call().await;
    let told = running.bot.status();
    assert!(matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("not its own")), "{told:?}");
    fake.answer(call).await;
    calls.call().await.json_answer(200, json!({ "ok": true, "url": "no socket" })).await;
    for reason in ["too_many_websockets", "link_disabled"] {
        fake.answer(calls.call().await).await;
        fake.answer(calls.call().await).await;
        let mut peer = fake.sockets.accept().await;
        peer.say(&disconnect(reason)).await;
    }
    // A socket that does not become one, and one that says nothing that can be read.
    fake.answer(calls.call().await).await;
    let told = running.bot.status();
    assert!(matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("turned off")), "{told:?}");
    fake.answer(calls.call().await).await;
    drop(fake.sockets.accept_raw().await);
    let mut peer = fake.accept().await;
    for garbage in
        ["", "no json", "[]", "{}", r#"{"type":"events_api"}"#, r#"{"type":"events_api","envelope_id":5}"#]
    {
        peer.say(garbage).await;
    }
    peer.say_bytes(&[1, 2, 3]).await;
    peer.say(&event_frame("e1", &hello(1))).await;
    assert_eq!(peer.json().await, acknowledged("e1"));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    peer.say(&"x".repeat(5 * 1024 * 1024)).await;
    let mut peer = fake.accept().await;
    peer.say(&event_frame("e2", &hello(2))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
}

#[tokio::test]
async fn a_socket_without_a_hello_is_given_up() {
    let fake = Fake::start().await;
    let running = run(&fake.bot(|_| {}), 8);
    fake.answer(fake.calls.call().await).await;
    fake.answer(fake.calls.call().await).await;
    let _silent = fake.sockets.accept().await;
    tokio::time::pause();
    let told = running.bot.status.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
    assert_eq!(told, ChannelStatus::Connecting(Some("Slack does not say hello".to_owned())));
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_and_is_not_shown() {
    let refused =
        |word: &str| json!({ "ok": false, "error": word, "needed": format!("{BOT_TOKEN} {APP_TOKEN}") });
    for (word, option) in
        [("invalid_auth", "bot_token"), ("account_inactive", "bot_token"), ("missing_scope", "app_token")]
    {
        let fake = Fake::start().await;
        let running = run(&fake.bot(|_| {}), 8);
        if option == "app_token" {
            fake.answer(fake.calls.call().await).await;
            let call = fake.calls.call().await;
            assert_eq!(call.header("authorization"), Some("Bearer xapp-4pp-t0ken"));
            call.json_answer(200, refused(word)).await;
        } else {
            fake.calls.call().await.json_answer(200, refused(word)).await;
        }
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains(word) && error.contains(&format!("check `{option}`")), "{error}");
        assert!(!error.contains("t0ken"), "{error}");
        assert_eq!(running.bot.status(), ChannelStatus::Refused(error));
    }
}

#[tokio::test]
async fn i16_what_slack_does_not_explain_is_not_acknowledged_and_comes_again() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 8).await;
    let command = json!({
        "team_id": "T01HOME", "channel_id": "D01ANN", "channel_name": "directmessage", "user_id": "U07ANN",
        "user_name": "ann", "command": "/ask", "text": "milk", "trigger_id": "t1",
    });
    peer.say(&frame("e1", "slash_commands", &command)).await;
    fake.calls.call().await.answer(500, "").await;
    peer.say(&frame("e2", "slash_commands", &command)).await;
    fake.answer(fake.calls.call().await).await;
    assert_eq!(peer.json().await, acknowledged("e2"), "and nothing before it");
    assert_eq!(running.messages.recv().await.unwrap().conversation, Conversation::Direct);
}
