//! The WebSocket: how it begins, how Twitch moves us, what ends it, and what a burst does to it.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn whispers_come_once_the_subscription_is_made() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    side.validate("fixeds3cret").await;
    let mut peer = side.welcome("s1").await;
    assert_ne!(running.bot.status(), ChannelStatus::Ready);
    side.subscribe("s1").await;
    running.ready().await;
    peer.say(&said("1", "one")).await;
    peer.say(&word("session_keepalive", "k", &json!({}))).await;
    peer.say(&word("something_new", "k", &json!({}))).await;
    peer.say(&said("1", "one")).await;
    peer.say(&said("2", "two")).await;
    assert_eq!((running.text().await, running.text().await), ("one".to_owned(), "two".to_owned()));
    let (closing, ()) = tokio::join!(peer.closing(), running.stop());
    assert_eq!(closing, Some(1_000));
}

#[tokio::test]
async fn who_is_moved_has_the_new_connection_before_the_old_one_ends() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut old = side.begin().await;
    running.ready().await;
    let moved = |url: String| {
        let session = json!({ "id": "s1", "status": "reconnecting", "keepalive_timeout_seconds": null, "reconnect_url": url });
        word("session_reconnect", "r", &json!({ "session": session }))
    };
    // Nobody else's host is gone to.
    let elsewhere = FakeSocket::start().await;
    old.say(&moved(elsewhere.url("/ws"))).await;
    for id in ["a", "b"] {
        old.say(&said(id, id)).await;
        assert_eq!(running.text().await, id);
        assert!(elsewhere.accept_or_none().await.is_none(), "it is not Twitch's");
    }
    old.say(&moved(side.socket.url("/ws?challenge=s3cret"))).await;
    old.say(&said("1", "on the old one")).await;
    assert_eq!(running.text().await, "on the old one", "it is read as long as it is there");
    let mut new = side.welcome("s1").await;
    assert_eq!(new.path, "/ws?challenge=s3cret");
    new.say(&said("2", "on the new one")).await;
    assert_eq!(running.text().await, "on the new one");
    old.say(&said("3", "late")).await;
    old.say(&said("2", "on the new one")).await;
    assert_eq!(running.text().await, "late", "what was on its way");
    tokio::time::pause();
    assert_eq!(old.closing().await, Some(1_000));
    tokio::time::resume();
    new.say(&said("4", "afterwards")).await;
    assert_eq!(running.text().await, "afterwards");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);

    // Twitch may be quicker to end the old one.
    new.say(&moved(side.socket.url("/ws?challenge=2"))).await;
    new.close(4_004, "reconnect grace time expired").await;
    let mut newest = side.welcome("s1").await;
    newest.say(&said("5", "on the newest one")).await;
    assert_eq!(running.text().await, "on the newest one");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);

    // And where the new one is none, the old one goes on.
    newest.say(&moved(side.socket.url("/ws?challenge=3"))).await;
    drop(side.socket.accept_raw().await);
    newest.say(&said("6", "still here")).await;
    assert_eq!(running.text().await, "still here");
    running.stop().await;
}

#[tokio::test]
async fn a_silent_connection_is_left_before_we_say_anything() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    running.ready().await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    running.lose("silent").await;
    let silent = begun.elapsed();
    tokio::time::resume();
    assert!(silent >= Duration::from_secs(30) && silent < Duration::from_secs(45), "{silent:?}");
    assert_eq!(peer.heard().await, None, "whoever says anything is hung up on");
    let mut peer = side.begin().await;
    peer.say(&said("1", "one")).await;
    assert_eq!(running.text().await, "one");
}

#[tokio::test]
async fn connecting_goes_on_after_every_kind_of_trouble() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    side.server.call().await.answer(500, "<html>").await;
    refuse(side.server.call().await, 500, "internal").await;
    side.server.call().await.answer(200, "no json").await;
    side.server.call().await.json_answer(200, json!({ "client_id": "client5", "user_id": "../x" })).await;
    side.server.call().await.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    drop(side.server.call().await);
    side.validate("fixeds3cret").await;
    drop(side.socket.accept_raw().await);
    side.validate("fixeds3cret").await;
    let mut peer = side.socket.accept().await;
    peer.say("no json").await;
    peer.say(&word("session_welcome", "w", &json!({}))).await;
    side.validate("fixeds3cret").await;
    let peer = side.welcome("s1").await;
    refuse(side.server.call().await, 429, "number of websocket transports limit exceeded").await;
    running.lose("limit exceeded").await;
    drop(peer);
    side.validate("fixeds3cret").await;
    let peer = side.welcome("s1").await;
    let call = side.server.call().await;
    peer.close(4_003, "connection unused").await;
    drop(call);
    let mut peer = side.begin().await;
    running.ready().await;
    for garbage in ["", "no json", "[]", "{}", r#"{"metadata":{}}"#, r#"{"metadata":{"message_id":1}}"#] {
        peer.say(garbage).await;
    }
    peer.say_bytes(&[0; 1_000]).await;
    peer.say(&said("1", "one")).await;
    assert_eq!(running.text().await, "one");
    for code in [4_000, 4_001, 4_002, 4_005, 4_006, 4_007, 1_006 - 6] {
        peer.close(code, "").await;
        peer = side.begin().await;
    }
    let flood = async {
        let long = "x".repeat(5 * 1024 * 1024);
        peer.say(&long).await;
        std::future::pending::<()>().await;
    };
    let mut peer = tokio::select! {
        peer = side.begin() => peer,
        () = flood => panic!("never"),
    };
    peer.say(&said("2", "two")).await;
    assert_eq!(running.text().await, "two");
}

#[tokio::test]
async fn who_is_silent_or_slow_at_the_beginning_is_left() {
    let side = Side::start().await;
    let running = run(&side.bot(), 8);
    side.validate("fixeds3cret").await;
    let silent = side.socket.accept().await;
    tokio::time::pause();
    running.lose("says nothing").await;
    tokio::time::resume();
    drop(silent);
    side.validate("fixeds3cret").await;
    let _peer = side.welcome("s1").await;
    let call = side.server.call().await;
    tokio::time::pause();
    running.lose("did not subscribe us in time").await;
    tokio::time::resume();
    drop(call);
    let _peer = side.begin().await;
    running.ready().await;
}

#[tokio::test]
async fn a_burst_waits_its_turn_and_nothing_of_it_is_lost() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    let shower = tokio::spawn(async move {
        for number in 0..10_000 {
            peer.say(&said(&number.to_string(), &number.to_string())).await;
        }
        peer
    });
    for number in 0..10_000 {
        assert_eq!(running.text().await, number.to_string());
    }
    let mut peer = shower.await.unwrap();
    assert_eq!(running.bot.seen.len(), 4_096, "memory has its bounds");
    peer.say(&said("last", "last")).await;
    assert_eq!(running.text().await, "last");
}

#[tokio::test]
async fn while_the_gate_is_stuck_the_connection_stays_and_what_is_too_much_is_lost() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    running.ready().await;
    // One in the inbox, one on its way there, a thousand in the queue.
    let room = 2 + WAITING;
    for number in 0..room + 5 {
        peer.say(&said(&number.to_string(), &number.to_string())).await;
    }
    while running.bot.seen.len() < room {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    while running.bot.seen.len() < room + 5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::resume();
    for number in 0..room {
        assert_eq!(running.text().await, number.to_string());
    }
    peer.say(&said("later", "later")).await;
    let mut next = running.text().await;
    while next != "later" {
        // How many found room depends on who was quicker.
        assert!(next.parse::<usize>().unwrap() >= room, "{next}");
        next = running.text().await;
    }
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
}

#[tokio::test]
async fn what_waits_at_the_end_is_still_handed_on() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    for number in 0..10 {
        peer.say(&said(&number.to_string(), &number.to_string())).await;
    }
    while running.bot.seen.len() < 10 {
        tokio::task::yield_now().await;
    }
    running.shutdown.cancel();
    for number in 0..10 {
        assert_eq!(running.text().await, number.to_string());
    }
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subscription_that_ends_is_made_anew_if_it_may() {
    let side = Side::start().await;
    let running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    running.ready().await;
    let revoked =
        |status: &str| word("revocation", "r", &json!({ "subscription": listed("sub-1", status, "") }));
    peer.say(&revoked("moderator_removed")).await;
    running.lose("moderator_removed").await;
    let mut peer = side.begin().await;
    running.ready().await;
    peer.say(&revoked("version_removed")).await;
    assert!(running.refusal().await.contains("update dmgate"));

    // The user took the leave back: the token does no more.
    let side = Side::start().await;
    let running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    peer.say(&revoked("authorization_revoked")).await;
    refuse(side.server.call().await, 401, "invalid access token").await;
    assert!(running.refusal().await.contains("put another one into `token`"));
}

#[tokio::test]
async fn the_token_is_shown_every_hour() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    running.ready().await;
    tokio::time::pause();
    // Twitch says that it is there, until the hour is over.
    let call = tokio::select! {
        call = side.server.call() => call,
        () = async {
            loop {
                tokio::time::sleep(Duration::from_secs(25)).await;
                peer.say(&word("session_keepalive", "k", &json!({}))).await;
            }
        } => panic!("never"),
    };
    tokio::time::resume();
    assert_eq!(call.line, "GET /oauth2/validate");
    call.answer(500, "").await;
    peer.say(&said("1", "one")).await;
    assert_eq!(running.text().await, "one", "another hour will do");
    running.stop().await;
}
