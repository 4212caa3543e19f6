//! The long poll: one update at a time, trouble, shutdown.

use super::*;

#[tokio::test]
async fn nothing_is_asked_for_before_the_gate_has_what_came() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 1);
    welcome(&server).await;
    for number in 1..=2 {
        let poll = server.call().await;
        assert_eq!(poll.line, format!("POST /bot{TOKEN}/getUpdates"));
        assert_eq!(poll.json(), json!({ "timeout": "30" }), "a text, as Zalo wants it");
        poll.json_answer(200, ok(hello(number))).await;
        if number == 1 {
            running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
        }
    }
    // There is room for one message, and one more waits at the door: nobody asks for a third.
    let asked = tokio::select! {
        biased;
        _ = server.call() => true,
        () = async { for _ in 0..100 { tokio::task::yield_now().await } } => false,
    };
    assert_eq!((asked, running.messages.recv().await.unwrap().text.as_str()), (false, "hello 1"));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    let _poll = server.call().await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_poll_that_says_nothing_is_no_trouble() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 8);
    welcome(&server).await;
    for nothing in [
        refusal(408, "Request timeout"),
        json!({ "ok": true }),
        ok(json!({})),
        ok(json!([])),
        ok(Value::Null),
    ] {
        let poll = server.call().await;
        assert_eq!(poll.method(), "getUpdates");
        poll.json_answer(200, nothing).await;
    }
    server.call().await.json_answer(408, refusal(408, "Request timeout")).await;
    server.call().await.json_answer(200, ok(hello(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
}

#[tokio::test]
async fn a_burst_comes_one_by_one_and_whole() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 4);
    welcome(&server).await;
    let came = tokio::spawn(async move {
        for number in 0..10_000 {
            assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
        }
        running.shutdown.cancel();
        running.ended.await.unwrap().unwrap();
        running.bot
    });
    for start in (0..10_000).step_by(100) {
        let updates: Vec<_> = (start..start + 100).map(hello).collect();
        server.call().await.json_answer(200, ok(updates)).await;
    }
    assert_eq!(came.await.unwrap().seen.len(), 1_024);
}

#[tokio::test]
async fn a_web_hook_that_is_in_the_way_is_removed() {
    let server = FakeServer::start().await;
    let running = run(&bot(&server, |_| {}), 8);
    server.call().await.json_answer(200, ok(json!({}))).await;
    let info = server.call().await;
    assert_eq!(info.method(), "getWebhookInfo");
    info.json_answer(200, ok(json!({ "url": "https://old.example.org", "updated_at": 1 }))).await;
    let removal = server.call().await;
    assert_eq!(removal.method(), "deleteWebhook");
    removal.json_answer(200, ok(json!({ "url": "" }))).await;
    assert_eq!(server.call().await.method(), "getUpdates");
    // Later it is somebody else's wish.
    server.call().await.json_answer(200, ok(json!({}))).await;
    server.call().await.json_answer(200, refusal(404, "there is none")).await;
    server.call().await.json_answer(200, refusal(409, "Conflict")).await;
    let told = running
        .bot
        .status
        .reach(|status| matches!(status, ChannelStatus::Connecting(Some(why)) if why.contains("another program")))
        .await;
    assert!(format!("{told:?}").contains("Conflict"), "{told:?}");
}

#[tokio::test]
async fn polling_goes_on_after_every_kind_of_trouble() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 8);
    server.call().await.json_answer(200, refusal(500, "Internal Server Error")).await;
    server.call().await.json_answer(502, json!("bad gateway")).await;
    let slow = json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 0 } });
    server.call().await.json_answer(429, slow).await;
    drop(server.call().await);
    let elsewhere =
        format!("HTTP/1.1 302 X\r\nlocation: {}/elsewhere\r\ncontent-length: 0\r\n\r\n", server.base());
    server.call().await.raw(&elsewhere, "").await;
    welcome(&server).await;
    server.call().await.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    welcome(&server).await;
    let call = server.call().await;
    let stalled = call.stall();
    // A poll that is held for longer than was asked is given up.
    let call = server.call().await;
    crate::fake_server::unstall(stalled);
    let told = running.bot.status.get();
    assert!(matches!(&told, ChannelStatus::Connecting(Some(_))), "{told:?}");
    call.json_answer(200, ok(json!({}))).await;
    server.call().await.json_answer(200, ok(json!({ "url": "" }))).await;
    server.call().await.json_answer(200, ok(hello(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_and_is_not_shown() {
    for code in [401, 404] {
        let server = FakeServer::start().await;
        let running = run(&bot(&server, |_| {}), 8);
        server.call().await.json_answer(200, refusal(code, &format!("no bot {TOKEN}"))).await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("check `token`") && !error.contains("t0ken"), "{error}");
        assert!(matches!(running.bot.status(), ChannelStatus::Refused(reason) if !reason.contains("t0ken")));
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_poll() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 8);
    welcome(&server).await;
    let _poll = server.call().await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    assert!(running.messages.recv().await.is_none());
}
