//! Connections, gaps, restarts, the end.

use super::*;
use crate::fake_server::unstall;

const ME: &str = "GET /sub/api/v4/users/me";
const CHANNELS: &str = "GET /sub/api/v4/users/me/channels";

/// The question for the posts since five seconds before this one.
fn question(number: i64) -> String {
    question_since(START + number - 5_000)
}

fn question_since(since: i64) -> String {
    format!("GET /sub/api/v4/channels/{CHANNEL_ID}/posts?since={since}")
}

async fn connected(fake: &Fake, room: usize) -> (Running, FakePeer) {
    let running = run(&fake.bot(), room);
    let peer = fake.welcome().await;
    running.ready().await;
    (running, peer)
}

#[tokio::test]
async fn a_gap_in_the_numbers_is_closed_by_asking() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 8).await;
    peer.say(&posted(1, &post(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    // The second event is lost on the way.
    peer.say(&posted(3, &post(3))).await;
    assert_eq!(peer.closing().await, Some(1000));
    let mut peer = fake.enter().await;
    fake.answer(CHANNELS, json!([channel(START + 3)])).await;
    // Some are known, and an old one was only changed since.
    let mut answer = posts(&[1, 2, 3]);
    answer["order"].as_array_mut().unwrap().push(json!(format!("{:026}", 99)));
    answer["posts"][format!("{:026}", 99)] = post(99);
    answer["posts"][format!("{:026}", 99)]["create_at"] = json!(START - 60_000);
    fake.answer(&question(1), answer).await;
    peer.say(&posted(1, &post(3))).await;
    peer.say(&posted(2, &post(4))).await;
    for number in 2..=4 {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
    }
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    running.end().await;
}

#[tokio::test]
async fn a_restart_neither_loses_nor_repeats() {
    let fake = Fake::start().await;
    // In the very first run what was written before is left alone.
    let mut running = run(&fake.bot(), 8);
    let mut peer = fake.enter().await;
    fake.answer(
        CHANNELS,
        json!([channel(START), { "id": "x", "type": "O", "name": "y", "last_post_at": START + 9 }]),
    )
    .await;
    running.ready().await;
    peer.say(&posted(1, &post(1))).await;
    peer.say(&posted(2, &post(2))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    running.end().await;

    let mut running = run(&fake.bot(), 8);
    let _peer = fake.enter().await;
    let quiet = json!({ "id": "q".repeat(26), "type": "D", "name": "", "last_post_at": START - 10_000 });
    fake.answer(CHANNELS, json!([quiet, channel(START + 4)])).await;
    // Not since five seconds before the last one, which would be before the first run.
    fake.answer(&question_since(START), posts(&[0, 1, 2, 3, 4])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 3");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 4");
    running.ready().await;
    running.end().await;

    let running = run(&fake.bot(), 8);
    let _peer = fake.enter().await;
    fake.answer(CHANNELS, json!([channel(START + 4)])).await;
    fake.answer(&question_since(START), posts(&[1, 2, 3, 4])).await;
    running.ready().await;
    let mut messages = running.messages;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    assert!(messages.recv().await.is_none(), "nothing came twice");
}

#[tokio::test]
async fn a_crash_while_catching_up_loses_no_other_conversation() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 8).await;
    peer.say(&posted(1, &post(1))).await;
    running.messages.recv().await.unwrap();
    running.end().await;
    // Two wrote; the first one's are taken when the second one's can't be had.
    let other = "2".repeat(26);
    let others =
        json!({ "id": other, "type": "D", "name": format!("{OWN}__{ANN}"), "last_post_at": START + 2 });
    let mut running = run(&fake.bot(), 8);
    let _peer = fake.enter().await;
    fake.answer(CHANNELS, json!([channel(START + 3), others])).await;
    fake.answer(&question(1), posts(&[3])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 3");
    let call = fake.calls.call().await;
    assert!(call.line.contains(&other), "{}", call.line);
    running.ended.abort();
    drop(call);

    let mut running = run(&fake.bot(), 8);
    let _peer = fake.enter().await;
    fake.answer(CHANNELS, json!([channel(START + 3), others])).await;
    fake.answer(&question(1), posts(&[1, 3])).await;
    let mut missing = posts(&[2]);
    missing["posts"][format!("{:026}", 2)]["channel_id"] = json!(other);
    fake.answer(&question(1).replace(CHANNEL_ID, &other), missing).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    running.ready().await;
    running.end().await;
}

#[tokio::test]
async fn a_shutdown_takes_what_was_read() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    for number in 1..=3 {
        peer.say(&posted(number, &post(number))).await;
    }
    peer.answered_ping().await;
    running.shutdown.cancel();
    assert_eq!(peer.closing().await, Some(1000));
    for number in 1..=3 {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
    }
    running.ended.await.unwrap().unwrap();
    assert!(fake.keeper.load().await.unwrap().unwrap().contains(&(START + 3).to_string()));
}

#[tokio::test]
async fn what_nobody_takes_is_asked_for_again() {
    let fake = Fake::start().await;
    let (running, mut peer) = connected(&fake, 1).await;
    peer.say(&posted(1, &post(1))).await;
    let mut messages = running.messages;
    assert_eq!(messages.recv().await.unwrap().text, "hello 1");
    drop(messages);
    peer.say(&posted(2, &post(2))).await;
    // It ends at the next frame after the one that nobody took.
    while !running.ended.is_finished() {
        peer.say("{}").await;
        tokio::task::yield_now().await;
    }
    running.ended.await.unwrap().unwrap();
    let kept = fake.keeper.load().await.unwrap().unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&kept["until"], &kept["taken"]), (&json!(START + 1), &json!([format!("{:026}", 1)])));
}

#[tokio::test]
async fn a_burst_is_waited_for_and_nothing_is_lost() {
    const BURST: i64 = 10_000;
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    let said = async {
        for number in 1..=BURST {
            peer.say(&posted(number, &post(number))).await;
        }
    };
    let took = async {
        for number in 1..=BURST {
            assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
        }
    };
    tokio::join!(said, took);
    running.end().await;
    let kept = fake.keeper.load().await.unwrap().unwrap();
    assert!(kept.contains(&(START + BURST).to_string()) && kept.len() < 20_000, "{}", kept.len());
}

#[tokio::test]
async fn it_connects_again_after_every_kind_of_trouble() {
    let fake = Fake::start().await;
    let mut running = run(&fake.bot(), 8);
    let calls = &fake.calls;
    calls.call().await.answer(500, "").await;
    calls.call().await.answer(200, "no json").await;
    calls.call().await.json_answer(200, json!({ "id": "short" })).await;
    calls
        .call()
        .await
        .raw("HTTP/1.1 429 X\r\nx-ratelimit-reset: 0\r\nconnection: close\r\n\r\n", "limit exceeded")
        .await;
    drop(calls.call().await);
    let stalled = calls.call().await.stall();
    let call = calls.call().await;
    unstall(stalled);
    call.json_answer(200, json!({ "id": OWN })).await;
    // A socket that becomes none.
    drop(fake.sockets.accept_raw().await);
    // A token that the socket does not take.
    fake.answer(ME, json!({ "id": OWN })).await;
    let mut peer = fake.sockets.accept().await;
    peer.json().await;
    peer.say(r#"{"status":"FAIL","seq_reply":1,"error":{"id":"api.web","message":"Invalid token"}}"#).await;
    let call = calls.call().await;
    let told = running.bot.status();
    assert!(
        matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("Invalid token")),
        "{told:?}"
    );
    call.json_answer(200, json!({ "id": OWN })).await;
    // A connection that breaks before the hello, and one without an answer to what is asked then.
    let mut peer = fake.sockets.accept().await;
    peer.json().await;
    drop(peer);
    let _peer = fake.enter().await;
    calls.call().await.answer(500, "").await;
    let mut peer = fake.welcome().await;
    for garbage in ["", "no json", "[]", "{}", r#"{"event":5,"seq":1}"#, r#"{"event":"posted"}"#] {
        peer.say(garbage).await;
    }
    peer.say_bytes(&[1, 2, 3]).await;
    peer.say(&posted(1, &post(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    peer.say(&"x".repeat(5 * 1024 * 1024)).await;
    let _peer = fake.welcome().await;
    running.ready().await;
    running.end().await;
}

#[tokio::test]
async fn a_server_without_a_hello_is_given_up() {
    let fake = Fake::start().await;
    let running = run(&fake.bot(), 8);
    fake.answer(ME, json!({ "id": OWN })).await;
    let mut peer = fake.sockets.accept().await;
    peer.json().await;
    peer.say(r#"{"status":"OK","seq_reply":1}"#).await;
    tokio::time::pause();
    let told = running.bot.status.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
    assert_eq!(told, ChannelStatus::Connecting(Some("the server does not let us in".to_owned())));
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_and_is_not_shown() {
    let fake = Fake::start().await;
    let running = run(&fake.bot(), 8);
    let refusal = json!({
        "id": "api.context.session_expired.app_error", "message": format!("Invalid or expired session {TOKEN}"),
        "detailed_error": "", "request_id": "x", "status_code": 401,
    });
    fake.calls.call().await.json_answer(401, refusal).await;
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("check `token`") && !error.contains("t0ken"), "{error}");
    assert_eq!(running.bot.status(), ChannelStatus::Refused(error));
}

#[tokio::test]
async fn what_is_posted_in_channels_puts_no_direct_post_out_of_memory() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 8).await;
    peer.say(&posted(1, &post(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    for number in 2..=1_000 {
        let mut elsewhere: Value = serde_json::from_str(&posted(number, &post(number))).unwrap();
        (elsewhere["data"]["channel_type"], elsewhere["data"]["channel_name"]) =
            (json!("O"), json!("town-square"));
        peer.say(&elsewhere.to_string()).await;
        running.messages.recv().await.unwrap();
    }
    running.end().await;

    let running = run(&fake.bot(), 8);
    let _peer = fake.enter().await;
    fake.answer(CHANNELS, json!([channel(START + 1)])).await;
    fake.answer(&question(1), posts(&[1])).await;
    running.ready().await;
    let mut messages = running.messages;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    assert!(messages.recv().await.is_none(), "it came before the restart");
}
