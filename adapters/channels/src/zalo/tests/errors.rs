//! Texts to a Bot API that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new(ANN)
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
    let ann = SenderId::parse(account().channel(), ANN).unwrap();
    let route = bot.route_to(&ann).unwrap();
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route, &text("*hi* @all")).await }, async {
        let call = server.call().await;
        assert_eq!(call.line, format!("POST /bot{TOKEN}/sendMessage"));
        assert_eq!(call.json(), json!({ "chat_id": ANN, "text": "*hi* @all" }));
        call.json_answer(200, ok(json!({ "message_id": "82599fa32f56d00e8941", "date": 1 }))).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn i16_what_is_no_chat_gets_nothing() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    for route in ["", "a b", "e4ea2c\n", "../x", &"e".repeat(65)] {
        let outcome = bot.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let slow = json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 7 } });
    for status in [200, 429] {
        let outcome = sent(status, slow.clone()).await.unwrap_err();
        let wait = Some(Duration::from_secs(7));
        assert!(
            matches!(&outcome, SendError::Failed { retry_after, .. } if *retry_after == wait),
            "{outcome}"
        );
    }
    for (code, description) in [(400, "Bad Request: chat not found"), (403, "Forbidden")] {
        let outcome = sent(200, refusal(code, description)).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
        assert!(outcome.to_string().contains(description), "{outcome}");
    }
    let outcome = sent(200, refusal(401, "Unauthorized")).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "the owner can mend it: {outcome:?}");
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in [
        (200, refusal(500, "Internal Server Error")),
        (200, refusal(408, "Request timeout")),
        (502, json!("bad gateway")),
        (200, json!("garbage")),
        (200, json!({})),
    ] {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    // A proxy or a wrong address: no Bot API has seen it.
    for status in [302, 403, 404, 407] {
        let outcome = sent(status, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        server.call().await.stall()
    });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(server);
    let outcome = bot.send_text(&route(), &text("hi")).await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("t0ken"), "{outcome:?}");
}

#[tokio::test]
async fn typing_is_shown_and_not_waited_for() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    // Whatever this sent would be the first call.
    bot.show_typing(&ReplyRoute::new("../x")).await;
    let ((), call) = tokio::join!(async { bot.show_typing(&route()).await }, async {
        let call = server.call().await;
        let seen = (call.method().to_owned(), call.json());
        (seen, call.stall())
    });
    unstall(call.1);
    assert_eq!(call.0, ("sendChatAction".to_owned(), json!({ "chat_id": ANN, "action": "typing" })));
}

#[test]
fn what_cannot_be_a_token_or_an_address_is_refused() {
    let refusal = |token: &str, base: &str| {
        let mut config = Config::new(Secret::new(token));
        config.api_base = base.to_owned();
        Zalo::open(Setup::new(account()), config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for token in
        ["", "abc", "111", "111:", ":xyz", "-1:abc", "111:a/b", "111:a b", "111:a?b", "111:a:b", "x:abc"]
    {
        let refusal = refusal(token, "https://bot-api.zaloplatforms.com");
        assert!(refusal.starts_with("`token`: this is no bot token"), "{token}: {refusal}");
        assert!(token.len() < 4 || !refusal.contains(token));
    }
    assert!(refusal("111:abc", "ftp://x").starts_with("`api_base`"));
    assert_eq!(refusal("111:abc", "http://127.0.0.1:8081/base/"), "");
}
