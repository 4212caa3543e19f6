//! The connection: how it begins, how it stays, what ends it for good, and what a burst does to it.

use super::*;

#[tokio::test]
async fn a_session_begins_with_what_we_ask_for_and_nothing_more() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    side.say_where(1_000).await;
    let (mut peer, word) = side.greet().await;
    let properties = json!({ "os": std::env::consts::OS, "browser": "dmgate", "device": "dmgate" });
    assert_eq!(word, json!({ "op": 2, "d": { "token": TOKEN, "intents": 4096, "properties": properties } }));
    assert_eq!(running.bot.status(), ChannelStatus::Connecting(None));
    side.ready(&mut peer).await;
    running.reach(ChannelStatus::Ready).await;
    peer.say(&said(2, "one")).await;
    peer.say(&dispatch(3, "CHANNEL_CREATE", &json!({ "id": "5", "type": 1 }))).await;
    peer.say(&said(4, "two")).await;
    assert_eq!((running.text().await, running.text().await), ("one".to_owned(), "two".to_owned()));
    peer.say(r#"{"op":1,"d":null}"#).await;
    assert_eq!(peer.json().await, json!({ "op": 1, "d": 4 }), "a heartbeat that was asked for");
    let (closing, ()) = tokio::join!(peer.closing(), running.stop());
    assert_eq!(closing, Some(4_000), "1000 would end the session");
}

#[tokio::test]
async fn nothing_that_a_session_says_before_it_is_one_reaches_anybody() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    side.say_where(1_000).await;
    let (mut peer, _) = side.greet().await;
    peer.say(&said(1, "too early")).await;
    side.ready(&mut peer).await;
    peer.say(&said(2, "one")).await;
    assert_eq!(
        running.text().await,
        "one",
        "without knowing who we are, our own could not be told from others'"
    );
}

#[tokio::test]
async fn who_answers_heartbeats_stays_and_who_is_silent_is_left() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    running.reach(ChannelStatus::Ready).await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    for beat in 0..5 {
        assert_eq!(peer.json().await, json!({ "op": 1, "d": 1 }));
        let least = INTERVAL * beat.max(1) - if beat == 0 { INTERVAL } else { 0 };
        assert!(begun.elapsed().as_millis() >= u128::from(least.saturating_sub(INTERVAL)), "{beat}");
        peer.say(r#"{"op":11}"#).await;
    }
    assert!(begun.elapsed().as_millis() <= u128::from(INTERVAL * 5), "the first one came early");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    // Now nobody answers.
    assert_eq!(peer.json().await, json!({ "op": 1, "d": 1 }));
    running.lose("does not answer our heartbeats").await;
    tokio::time::resume();
    assert_eq!(peer.closing().await, Some(4_000));
    let mut peer = side.resume(1).await;
    peer.say(&said(2, "one")).await;
    assert_eq!(running.text().await, "one");
}

#[tokio::test]
async fn what_trying_again_cannot_mend_is_refused_with_what_to_do() {
    for (code, what_to_do) in [
        (4_004, "`token`"),
        (4_010, "a bot of its own"),
        (4_011, "a bot of its own"),
        (4_012, "update it"),
        (4_013, "intents"),
        (4_014, "intents"),
    ] {
        let side = Side::start().await;
        let running = run(&side.bot(), 8);
        side.say_where(1_000).await;
        let (peer, _) = side.greet().await;
        peer.close(code, "No.").await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains(what_to_do) && error.contains(&code.to_string()), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert_eq!(running.bot.status(), ChannelStatus::Refused(error));
    }
    let side = Side::start().await;
    let running = run(&side.bot(), 8);
    side.server.call().await.json_answer(401, json!({ "message": format!("401: {TOKEN}"), "code": 0 })).await;
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("check `token`") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_bot_that_began_too_many_sessions_waits() {
    let side = Side::start().await;
    let running = run(&side.bot(), 8);
    side.say_where(10).await;
    running.lose("10 are left").await;
    let (closing, ()) = tokio::join!(side.gateway.accept_or_none(), running.stop());
    assert!(closing.is_none(), "no session was begun");
}

#[tokio::test]
async fn connecting_goes_on_after_every_kind_of_trouble() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    side.server.call().await.json_answer(500, json!({ "message": "Internal Server Error", "code": 0 })).await;
    side.server
        .call()
        .await
        .json_answer(429, json!({ "message": "slow", "retry_after": 0.001, "global": true }))
        .await;
    side.server.call().await.answer(429, "<html>").await;
    side.server.call().await.answer(200, "no json").await;
    side.server.call().await.json_answer(200, json!({ "url": 5 })).await;
    side.server.call().await.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    side.server.call().await.json_answer(200, json!({ "url": "wss://evil.test" })).await;
    let call = side.server.call().await;
    running.lose("not Discord's").await;
    drop(call);
    side.say_where(1_000).await;
    drop(side.gateway.accept_raw().await);
    side.say_where(1_000).await;
    let mut peer = side.gateway.accept().await;
    peer.say("no json").await;
    peer.say_bytes(&[1, 2, 3]).await;
    peer.close(1_011, "").await;
    // It says nothing at all.
    side.say_where(1_000).await;
    let silent = side.gateway.accept().await;
    tokio::time::pause();
    running.lose("says nothing").await;
    tokio::time::resume();
    drop(silent);
    let mut peer = side.begin().await;
    running.reach(ChannelStatus::Ready).await;
    for garbage in [
        "",
        "no json",
        "[]",
        "{}",
        r#"{"op":"x"}"#,
        r#"{"op":0}"#,
        r#"{"op":0,"t":"X","s":"y","d":1}"#,
        r#"{"op":99}"#,
    ] {
        peer.say(garbage).await;
    }
    peer.say_bytes(&[0; 1_000]).await;
    peer.say(&said(2, "one")).await;
    assert_eq!(running.text().await, "one");
    // More than any event is long: the connection ends, the session does not.
    let flood = async {
        let long = "x".repeat(5 * 1024 * 1024);
        peer.say(&long).await;
        std::future::pending::<()>().await;
    };
    let mut peer = tokio::select! {
        peer = side.resume(2) => peer,
        () = flood => panic!("never"),
    };
    peer.say(&said(3, "two")).await;
    assert_eq!(running.text().await, "two");
}

#[tokio::test]
async fn a_burst_waits_its_turn_and_nothing_of_it_is_lost() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    let shower = tokio::spawn(async move {
        for number in 2..10_002 {
            peer.say(&said(number, &number.to_string())).await;
        }
        peer
    });
    for number in 2..10_002 {
        assert_eq!(running.text().await, number.to_string());
    }
    let mut peer = shower.await.unwrap();
    assert_eq!(running.bot.seen.len(), 1_024, "memory has its bounds");
    peer.say(r#"{"op":1,"d":null}"#).await;
    // On a slow machine there were heartbeats meanwhile.
    let mut beats = Vec::new();
    while beats.len() < 10 && beats.last() != Some(&json!({ "op": 1, "d": 10_001 })) {
        beats.push(peer.json().await);
    }
    assert_eq!(beats.last(), Some(&json!({ "op": 1, "d": 10_001 })), "{beats:?}");
}

#[tokio::test]
async fn heartbeats_go_on_while_the_gate_is_busy_and_the_number_waits() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    peer.say(&said(2, "one")).await;
    peer.say(&said(3, "two")).await;
    peer.say(&said(4, "three")).await;
    while running.messages.is_empty() {
        tokio::task::yield_now().await;
    }
    // The first is in the inbox, the second waits for room.
    tokio::time::pause();
    for _ in 0..5 {
        assert_eq!(peer.json().await, json!({ "op": 1, "d": 2 }), "the second is not taken yet");
    }
    tokio::time::resume();
    for text in ["one", "two", "three"] {
        assert_eq!(running.text().await, text);
    }
    peer.say(r#"{"op":1,"d":null}"#).await;
    assert_eq!(peer.json().await, json!({ "op": 1, "d": 4 }), "nobody could be heard, and nobody was left");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
}
