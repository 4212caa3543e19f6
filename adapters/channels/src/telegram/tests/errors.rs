//! A Bot API that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new("42")
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        server.call().await.json_answer(status, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_is_sent_plain() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let (outcome, call) = tokio::join!(
        async {
            bot.send_text(&bot.route_to(&sender("42")).unwrap(), &text("*hi* https://example.org")).await
        },
        async {
            let call = server.call().await;
            let seen = (call.line.clone(), call.json());
            call.json_answer(200, ok(json!({ "message_id": 1 }))).await;
            seen
        }
    );
    outcome.unwrap();
    assert_eq!(call.0, format!("POST /bot{TOKEN}/sendMessage"));
    let preview = json!({ "is_disabled": true });
    assert_eq!(
        call.1,
        json!({ "chat_id": 42, "text": "*hi* https://example.org", "link_preview_options": preview })
    );
}

#[tokio::test]
async fn a_picture_is_an_upload_and_goes_into_no_group() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let picture = OutboundPicture {
        png: Bytes::from_static(b"\x89PNG"),
        caption: "scan *this*".to_owned(),
        idempotency_key: "1".to_owned(),
    };
    let (outcome, call) = tokio::join!(async { bot.send_picture(&route(), &picture).await }, async {
        let call = server.call().await;
        let seen = (call.line.clone(), call.body.clone());
        call.json_answer(200, ok(json!({ "message_id": 1 }))).await;
        seen
    });
    outcome.unwrap();
    assert_eq!(call.0, format!("POST /bot{TOKEN}/sendPhoto"));
    let body = String::from_utf8_lossy(&call.1);
    for part in
        ["name=\"chat_id\"\r\n\r\n42\r\n", "name=\"caption\"\r\n\r\nscan *this*\r\n", "name=\"photo\""]
    {
        assert!(body.contains(part), "{body}");
    }
    let outcome = bot.send_picture(&ReplyRoute::new("-1001"), &picture).await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })));
    let (outcome, ()) = tokio::join!(async { bot.send_picture(&route(), &picture).await }, async {
        server.call().await.json_answer(403, refusal(403, "Forbidden: bot was blocked by the user")).await;
    });
    assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{outcome:?}");
}

fn sender(id: &str) -> SenderId {
    SenderId::parse(account().channel(), id).unwrap()
}

#[tokio::test]
async fn i16_nothing_is_sent_into_a_group() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    for route in ["-1001", "", "0", "42 ", "@channel"] {
        let outcome = bot.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let slow = json!({
        "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 7",
        "parameters": { "retry_after": 7 }
    });
    let outcome = sent(429, slow).await.unwrap_err();
    assert!(
        matches!(&outcome, SendError::Failed { retry_after: Some(wait), .. } if *wait == Duration::from_secs(7)),
        "{outcome}"
    );
    for (code, description) in [
        (403, "Forbidden: bot was blocked by the user"),
        (403, "Forbidden: user is deactivated"),
        (400, "Bad Request: chat not found"),
    ] {
        let outcome = sent(code, refusal(code, description)).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
        assert!(outcome.to_string().contains(description), "{outcome}");
    }
    let outcome = sent(401, refusal(401, "Unauthorized")).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "the owner can mend it: {outcome:?}");
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in [
        (500, refusal(500, "Internal Server Error")),
        (502, json!("bad gateway")),
        (200, json!("garbage")),
        (200, json!({ "ok": true })),
    ] {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    // A proxy or a wrong address: no Bot API has seen it.
    for status in [302, 403, 404, 407] {
        let outcome = sent(status, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn i6_a_connection_that_breaks_off_leaves_it_open_and_one_that_never_was_does_not() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");

    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
        server.call().await.raw(head, r#"{"ok":true,"#).await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");

    drop(server);
    let outcome = bot.send_text(&route(), &text("hi")).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn i6_silence_ends_with_the_deadline_and_leaves_it_open() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let (outcome, stalled) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        server.call().await.stall()
    });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
}

#[tokio::test]
async fn typing_is_shown_and_not_waited_for() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    // Whatever this sent would be the first call.
    bot.show_typing(&ReplyRoute::new("-5")).await;
    let ((), call) = tokio::join!(async { bot.show_typing(&route()).await }, async {
        let call = server.call().await;
        let seen = (call.method().to_owned(), call.json());
        (seen, call.stall())
    });
    unstall(call.1);
    assert_eq!(call.0, ("sendChatAction".to_owned(), json!({ "chat_id": 42, "action": "typing" })));
}

#[tokio::test]
async fn polling_goes_on_after_every_kind_of_trouble() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, |_| {}), 8);
    let slow =
        json!({ "ok": false, "error_code": 429, "description": "x", "parameters": { "retry_after": 0 } });
    server.call().await.json_answer(429, slow).await;
    server.call().await.json_answer(500, refusal(500, "Internal Server Error")).await;
    server.call().await.answer(200, "no json").await;
    server.call().await.json_answer(200, ok(json!({}))).await;
    server.call().await.json_answer(200, ok(json!([]))).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    server.call().await.json_answer(200, ok(json!([{ "message": {} }]))).await;
    running.bot.status.reach(|status| *status != ChannelStatus::Ready).await;
    let call = server.call().await;
    assert_eq!(call.json()["timeout"], 0, "what can't be confirmed is no answer");
    call.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    let elsewhere =
        format!("HTTP/1.1 302 X\r\nlocation: {}/elsewhere\r\ncontent-length: 0\r\n\r\n", server.base());
    server.call().await.raw(&elsewhere, "").await;
    let call = server.call().await;
    assert_eq!(call.method(), "getUpdates", "a token goes nowhere else");
    drop(call);
    let call = server.call().await;
    let told = running.bot.status.get();
    assert!(matches!(&told, ChannelStatus::Connecting(Some(reason)) if !reason.is_empty()), "{told:?}");
    let stalled = call.stall();
    let call = server.call().await;
    unstall(stalled);
    call.json_answer(200, ok(json!([hello(1)]))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_and_is_not_shown() {
    for code in [401, 404] {
        let server = FakeServer::start().await;
        let running = run(&bot(&server, |_| {}), 8);
        server.call().await.json_answer(code, refusal(code, &format!("no bot {TOKEN}"))).await;
        let error = running.ended.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("check `token`"), "{error}");
        assert!(!error.to_string().contains("t0ken"), "{error}");
        assert!(matches!(running.bot.status(), ChannelStatus::Refused(reason) if !reason.contains("t0ken")));
    }
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let mut errors = Vec::new();
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    errors.push(format!("{outcome:?}"));
    drop(server);
    let attachment = Attachment {
        kind: "file".to_owned(),
        media_type: None,
        name: None,
        size: None,
        reference: "f1".to_owned(),
    };
    errors.push(format!("{:?}", bot.send_text(&route(), &text("hi")).await));
    errors.push(format!("{:?}", bot.api.fetch(&attachment, 10, &mut Vec::new()).await));
    for error in errors {
        assert!(error.contains("Telegram") && !error.contains("t0ken") && !error.contains("/bot"), "{error}");
    }
}

#[test]
fn what_cannot_be_a_token_or_an_address_is_refused() {
    let refusal = |token: &str, base: &str| {
        let mut config = Config::new(Secret::new(token));
        config.api_base = base.to_owned();
        Telegram::open(Setup::new(account()), config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for token in
        ["", "abc", "111", "111:", ":abc", "-1:abc", "111:a/b", "111:a b", "111:a?b", "111:a:b", "x:abc"]
    {
        let refusal = refusal(token, "https://api.telegram.org");
        assert!(refusal.starts_with("`token`: this is no bot token"), "{token}: {refusal}");
        assert!(token.len() < 4 || !refusal.contains(token));
    }
    for base in ["", "api.telegram.org", "ftp://x", "https://x/?a", "https://x/#a"] {
        assert!(refusal("111:abc", base).starts_with("`api_base`"), "{base}");
    }
    assert_eq!(refusal("111:abc", "http://127.0.0.1:8081/base/"), "");
}
