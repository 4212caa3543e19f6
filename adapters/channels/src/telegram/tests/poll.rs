//! The long poll: order, confirmation, shutdown.

use super::*;
use crate::api::{ApiError, Trouble};
use crate::backoff::Backoff;

#[tokio::test]
async fn an_update_is_confirmed_when_the_gate_has_it_and_only_once() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 1);

    let first = server.call().await;
    assert_eq!(first.line, format!("POST /bot{TOKEN}/getUpdates"));
    assert_eq!(first.json(), json!({ "timeout": 0, "allowed_updates": ["message", "callback_query"] }));
    first.json_answer(200, ok(json!([hello(7), { "update_id": 8, "poll": {} }, hello(9)]))).await;

    // There is room for one message: the second waits, and with it the confirmation of all.
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 7");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 9");

    let second = server.call().await;
    assert_eq!((second.json()["offset"].as_i64(), second.json()["timeout"].as_i64()), (Some(10), Some(50)));
    second.json_answer(200, ok(json!([]))).await;
    let third = server.call().await;
    assert!(third.json().get("offset").is_none(), "an old offset would hide updates whose ids start anew");
    third.json_answer(200, ok(json!([hello(2)]))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");

    // At the end, what was delivered is confirmed, without waiting.
    let _poll = server.call().await;
    running.shutdown.cancel();
    let last = server.call().await;
    assert_eq!((last.json()["offset"].as_i64(), last.json()["timeout"].as_i64()), (Some(3), Some(0)));
    last.json_answer(200, ok(json!([hello(3)]))).await;
    running.ended.await.unwrap().unwrap();
    assert!(running.messages.recv().await.is_none(), "what is not confirmed comes in the next run");
}

#[tokio::test]
async fn a_shutdown_amid_a_batch_confirms_what_was_delivered_and_no_more() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 1);
    server.call().await.json_answer(200, ok(json!([hello(1), hello(2), hello(3)]))).await;
    // One message is in the inbox, the next one waits for room when the shutdown comes.
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    let last = server.call().await;
    assert_eq!((last.json()["offset"].as_i64(), last.json()["timeout"].as_i64()), (Some(3), Some(0)));
    last.json_answer(200, ok(json!([hello(3)]))).await;
    running.ended.await.unwrap().unwrap();
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    assert!(running.messages.recv().await.is_none(), "the rest is for the next run");
}

#[tokio::test]
async fn a_web_hook_that_is_in_the_way_is_removed_once_and_keeps_what_waits() {
    let server = FakeServer::start().await;
    let running = run(&bot(&server, |_| {}), 8);
    let conflict = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first";
    server.call().await.json_answer(409, refusal(409, conflict)).await;
    let removal = server.call().await;
    assert_eq!(removal.method(), "deleteWebhook");
    assert_eq!(removal.json(), json!({ "drop_pending_updates": false }));
    removal.json_answer(200, ok(json!(true))).await;
    // Telegram may take a moment; that is no reason to insist.
    for _ in 0..2 {
        let poll = server.call().await;
        assert_eq!(poll.method(), "getUpdates");
        poll.json_answer(409, refusal(409, conflict)).await;
    }
    server.call().await.json_answer(200, ok(json!([]))).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;

    // Later it is somebody else's wish.
    server.call().await.json_answer(409, refusal(409, conflict)).await;
    let next = server.call().await;
    assert_eq!(next.method(), "getUpdates");
    let told = running.bot.status.reach(|status| *status != ChannelStatus::Ready).await;
    assert!(matches!(told, ChannelStatus::Connecting(Some(reason)) if reason.contains("another program")));
}

#[tokio::test]
async fn nothing_is_confirmed_when_nothing_was_delivered() {
    let server = FakeServer::start().await;
    let running = run(&bot(&server, |_| {}), 8);
    let _poll = server.call().await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_nobody_takes_is_not_confirmed() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 1);
    let first = server.call().await;
    first.json_answer(200, ok(json!([hello(1), hello(2), hello(3)]))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    drop(running.messages);
    let last = server.call().await;
    let confirmed = last.json()["offset"].as_i64().unwrap();
    assert!((2..4).contains(&confirmed), "the third was never taken: {confirmed}");
    last.json_answer(200, ok(json!([]))).await;
    running.ended.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_silenced_for_years() {
    let bot = Telegram::open(Setup::new(account()), Config::new(Secret::new(TOKEN))).ok().unwrap();
    let mut backoff = Backoff::new(bot.world.clone(), NO_WAIT, NO_WAIT);
    let (retry_after, description) = (Some(Duration::MAX), String::new());
    let trouble = Trouble::Refused { status: 429, code: 429, description, retry_after };
    let error = ApiError { platform: "Telegram", trouble };
    let begun = tokio::time::Instant::now();
    assert!(bot.recover(&error, &mut backoff, &CancellationToken::new()).await.unwrap());
    assert_eq!(begun.elapsed(), Duration::from_secs(15 * 60));
}
