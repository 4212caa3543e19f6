//! A session that goes on: over connections, and over restarts.

use super::*;

#[tokio::test]
async fn a_restart_goes_on_after_what_the_gate_has_taken() {
    let side = Side::start().await;
    let mut first = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    peer.say(&said(2, "one")).await;
    assert_eq!(first.text().await, "one");
    peer.say(&said(3, "two")).await;
    assert_eq!(first.text().await, "two");
    peer.say(r#"{"op":1}"#).await;
    assert_eq!(peer.json().await["d"], 3);
    first.stop().await;
    drop(peer);

    // What came in between is sent again by Discord, and nothing else is.
    let mut second = run(&side.bot(), 8);
    let mut peer = side.resume(3).await;
    peer.say(&said(4, "three")).await;
    assert_eq!(second.text().await, "three");
    assert_ne!(second.bot.status(), ChannelStatus::Ready, "not before it is all there");
    peer.say(&dispatch(5, "RESUMED", &json!({}))).await;
    second.reach(ChannelStatus::Ready).await;
    peer.say(&said(6, "four")).await;
    assert_eq!(second.text().await, "four");
    peer.say(&said(6, "four")).await;
    peer.say(&said(7, "five")).await;
    assert_eq!(second.text().await, "five", "what comes twice counts once");
    second.stop().await;
}

#[tokio::test]
async fn what_the_gate_has_not_taken_comes_again_in_the_next_run() {
    let side = Side::start().await;
    let mut first = run(&side.bot(), 1);
    let mut peer = side.begin().await;
    for number in 2..5 {
        peer.say(&said(number, &number.to_string())).await;
    }
    // One is in the inbox, the next waits for room; then nobody takes any more.
    assert_eq!(first.text().await, "2");
    drop(first.messages);
    first.ended.await.unwrap().unwrap();
    let second = run(&side.bot(), 8);
    let (_, word) = side.greet().await;
    let number = word["d"]["seq"].as_u64().unwrap();
    assert!((2..4).contains(&number), "the third was never taken: {word}");
    drop(second);
}

#[tokio::test]
async fn a_crash_costs_a_second_at_most() {
    let side = Side::start().await;
    let mut first = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    peer.say(&said(2, "one")).await;
    assert_eq!(first.text().await, "one");
    let saved = |number: u64| {
        let keeper = Arc::clone(&side.keeper);
        async move {
            let document = keeper.load().await.unwrap().unwrap_or_default();
            document.contains(&format!("\"number\":{number}"))
        }
    };
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    while !saved(2).await {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() <= std::time::Duration::from_millis(1_200), "{:?}", begun.elapsed());
    let document = side.keeper.load().await.unwrap().unwrap();
    assert!(!document.contains("s3cret"), "the token is not kept");
    first.ended.abort();
}

#[tokio::test]
async fn who_is_sent_away_comes_back_and_goes_on() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    peer.say(&said(2, "one")).await;
    for (number, end) in [r#"{"op":7,"d":null}"#, r#"{"op":9,"d":true}"#].into_iter().enumerate() {
        let number = number as u64 + 2;
        peer.say(end).await;
        assert_eq!(peer.closing().await, Some(4_000), "so that the session stays");
        peer = side.resume(number).await;
        peer.say(&said(number + 1, "next")).await;
    }
    for text in ["one", "next", "next"] {
        assert_eq!(running.text().await, text);
    }
    for (number, code) in [4_000, 4_001, 4_002, 4_003, 4_005, 4_008, 1_000, 1_001].into_iter().enumerate() {
        let number = number as u64 + 5;
        peer.say(&said(number, "more")).await;
        assert_eq!(running.text().await, "more");
        peer.say(r#"{"op":1}"#).await;
        assert_eq!(peer.json().await["d"], number);
        peer.close(code, "").await;
        peer = side.resume(number).await;
    }
    peer.say(&dispatch(20, "RESUMED", &json!({}))).await;
    running.reach(ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_session_that_is_over_is_not_insisted_on() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    peer.say(r#"{"op":9,"d":false}"#).await;
    peer = side.begin().await;
    for code in [4_007, 4_009] {
        peer.close(code, "").await;
        peer = side.begin().await;
    }
    peer.say(&said(2, "one")).await;
    assert_eq!(running.text().await, "one");
    running.stop().await;

    // Nor over a restart: Discord has forgotten it meanwhile.
    let running = run(&side.bot(), 8);
    let mut peer = side.resume(2).await;
    peer.say(r#"{"op":9,"d":false}"#).await;
    running.lose("does not know our session").await;
    let _peer = side.begin().await;
    running.reach(ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_host_that_is_gone_is_left_and_the_session_goes_on_elsewhere() {
    let side = Side::start().await;
    let first = run(&side.bot(), 8);
    let _peer = side.begin().await;
    first.reach(ChannelStatus::Ready).await;
    first.stop().await;
    let nobody = FakeSocket::start().await.url("");
    let document = side.keeper.load().await.unwrap().unwrap();
    side.keeper.save(&document.replace(&side.gateway.url(""), &nobody)).await.unwrap();
    let mut bot = Arc::into_inner(side.bot()).unwrap();
    let bases = [nobody, side.gateway.url("")].map(|url| url.replace("ws", "http"));
    bot.gateways = Hosts::new(&[], bases.iter().map(String::as_str));
    let _second = run(&Arc::new(bot), 8);
    side.say_where(0).await;
    side.resume(1).await;
}

#[tokio::test]
async fn what_was_kept_is_checked() {
    let side = Side::start().await;
    let first = run(&side.bot(), 8);
    let _peer = side.begin().await;
    first.reach(ChannelStatus::Ready).await;
    first.stop().await;
    let document = side.keeper.load().await.unwrap().unwrap();
    // Another bot's session is none of ours.
    side.keeper.save(&document.replace("MTk4NjIy", "MTk5OTk5")).await.unwrap();
    let second = run(&side.bot(), 8);
    let _peer = side.begin().await;
    second.reach(ChannelStatus::Ready).await;
    second.stop().await;
    // Nobody else's host learns the token.
    side.keeper.save(&document.replace(&side.gateway.url(""), "wss://evil.test")).await.unwrap();
    let third = run(&side.bot(), 8);
    side.say_where(1_000).await;
    side.resume(1).await;
    third.stop().await;
    for damaged in ["", "{}", r#"{"session":5}"#, r#"{"session":{"bot":"MTk4NjIy"}}"#] {
        side.keeper.save(damaged).await.unwrap();
        let next = run(&side.bot(), 8);
        let _peer = side.begin().await;
        next.reach(ChannelStatus::Ready).await;
        next.stop().await;
    }
}

#[tokio::test]
async fn i16_an_event_that_does_not_say_where_waits_for_the_answer() {
    let side = Side::start().await;
    let mut running = run(&side.bot(), 8);
    let mut peer = side.begin().await;
    let bare = |number: u64, channel: &str| {
        let mut event = hello(number, &number.to_string());
        event.as_object_mut().unwrap().remove("channel_type");
        event["channel_id"] = json!(channel);
        dispatch(number, "MESSAGE_CREATE", &event)
    };
    peer.say(&bare(2, "77")).await;
    // No answer decides nothing: the event comes again.
    let call = side.server.call().await;
    assert_eq!(call.line, "GET /channels/77");
    call.answer(502, "<html>").await;
    let mut peer = side.resume(1).await;
    peer.say(&bare(2, "77")).await;
    let slow = json!({ "message": "slow", "retry_after": 0.001, "global": false });
    side.server.call().await.json_answer(429, slow).await;
    let mut peer = side.resume(1).await;
    peer.say(&bare(2, "77")).await;
    side.server.call().await.json_answer(200, json!({ "id": "77", "type": 1 })).await;
    let message = running.messages.recv().await.unwrap();
    assert_eq!((message.conversation, message.route.as_str()), (dmgate::Conversation::Direct, "77"));
    // Once is enough.
    peer.say(&bare(3, "77")).await;
    assert_eq!(running.messages.recv().await.unwrap().conversation, dmgate::Conversation::Direct);
    peer.say(&bare(4, "78")).await;
    side.server.call().await.json_answer(403, json!({ "message": "Missing Access", "code": 50001 })).await;
    let message = running.messages.recv().await.unwrap();
    assert_eq!((message.conversation, message.route.as_str()), (dmgate::Conversation::Unknown, ""));
}
