//! A Bot Connector that refuses, babbles, breaks off or is silent.

use super::*;
use crate::fake_server::unstall;

/// The way to a conversation at `server`.
fn route(server: &FakeServer) -> ReplyRoute {
    let (service, bot) = (format!("{}/amer/", server.base()), format!("28:{APP_ID}"));
    let route = json!({ "service": service, "conversation": "a:1/2", "bot": bot, "user": "29:ann" });
    ReplyRoute::new(route.to_string())
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: &str, answer: &str) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let way = route(&server);
    let (outcome, ()) = tokio::join!(async { bot.send_text(&way, &text("hi")).await }, async {
        give_token(server.call().await, "t0ken").await;
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
        server.call().await.raw(&head, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_is_sent_plain_into_its_conversation() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let way = route(&server);
    let send = async {
        bot.send_text(&way, &text("*hi* <at>all</at>")).await.unwrap();
        bot.show_typing(&way).await;
    };
    let ((), calls) = tokio::join!(send, async {
        give_token(server.call().await, "t0ken").await;
        let mut calls = Vec::new();
        for _ in 0..2 {
            let call = server.call().await;
            assert_eq!(call.header("authorization"), Some("Bearer t0ken"));
            assert_eq!(call.line, "POST /amer/v3/conversations/a%3A1%2F2/activities");
            calls.push(call.json());
            call.json_answer(201, json!({ "id": "1" })).await;
        }
        calls
    });
    let (from, to) = (json!({ "id": format!("28:{APP_ID}") }), json!({ "id": "29:ann" }));
    let conversation = json!({ "id": "a:1/2" });
    let text = json!({
        "type": "message", "textFormat": "plain", "text": "*hi* <at>all</at>", "from": from, "recipient": to,
        "conversation": conversation,
    });
    let typing = json!({ "type": "typing", "from": from, "recipient": to, "conversation": conversation });
    assert_eq!(calls, [text, typing]);
}

#[tokio::test]
async fn i16_nothing_is_sent_elsewhere_than_into_a_conversation_of_two_at_a_known_host() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let with = |name: &str, value: &str| {
        let mut route: Value = serde_json::from_str(route(&server).as_str()).unwrap();
        route[name] = json!(value);
        ReplyRoute::new(route.to_string())
    };
    for bad in [
        ReplyRoute::new("29:ann"),
        ReplyRoute::new("{}"),
        with("conversation", "19:x@thread.v2"),
        with("conversation", ".."),
        with("service", "https://evil.test/"),
        with("service", "http://169.254.169.254/"),
        with("user", ""),
        with("more", "x"),
    ] {
        let outcome = bot.send_text(&bad, &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{bad:?}");
        bot.show_typing(&bad).await;
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let outcome = sent("429 X\r\nretry-after: 7", r#"{"error":{"code":"Throttled"}}"#).await.unwrap_err();
    let wait = Some(Duration::from_secs(7));
    assert!(matches!(&outcome, SendError::Failed { retry_after, .. } if *retry_after == wait), "{outcome}");
    for (status, code) in [
        ("403 X", "ConversationBlockedByUser"),
        ("403 X", "BotNotInConversationRoster"),
        ("404 X", "ConversationNotFound"),
        ("413 X", "MessageSizeTooBig"),
        ("400 X", "BadSyntax"),
    ] {
        let answer = json!({ "error": { "code": code, "message": "no" } }).to_string();
        let outcome = sent(status, &answer).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
        assert!(outcome.to_string().contains(code), "{outcome}");
    }
    let outcome = sent("403 X", r#"{"error":{"code":"BotDisabledByAdmin"}}"#).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "the administrator can mend it: {outcome:?}");
    let outcome = sent("412 X", r#"{"error":{"code":"PreconditionFailed"}}"#).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for status in ["500 X", "502 X", "504 X"] {
        let outcome = sent(status, "<html>").await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status}: {outcome:?}");
    }
    assert!(sent("201 X", "no json").await.is_ok(), "it was taken, whatever else is said");
    let outcome = sent("302 X\r\nlocation: https://evil.test/", "").await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "a token goes nowhere else: {outcome:?}");
}

#[tokio::test]
async fn i6_a_connection_that_breaks_off_leaves_it_open_and_one_that_never_was_does_not() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let way = route(&server);
    let send = async || bot.send_text(&way, &text("hi")).await;
    let (outcome, ()) = tokio::join!(send(), async {
        give_token(server.call().await, "t0ken").await;
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) = tokio::join!(send(), async { server.call().await.stall() });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(server);
    let outcome = send().await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("t0ken"));
}

#[tokio::test]
async fn i6_without_a_token_nothing_has_left() {
    for (status, answer) in [(500, json!({})), (401, json!({ "error": "invalid_client" })), (200, json!([]))]
    {
        let server = FakeServer::start().await;
        let bot = bot(&server);
        let way = route(&server);
        let (outcome, ()) = tokio::join!(async { bot.send_text(&way, &text("hi")).await }, async {
            server.call().await.json_answer(status, answer).await;
        });
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced_once() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let way = route(&server);
    let refused = json!({ "error": { "code": "Unauthorized" } });
    let send = async || bot.send_text(&way, &text("hi")).await;
    let (outcome, ()) = tokio::join!(send(), async {
        give_token(server.call().await, "old").await;
        server.call().await.json_answer(401, refused.clone()).await;
        give_token(server.call().await, "new").await;
        let call = server.call().await;
        assert_eq!(call.header("authorization"), Some("Bearer new"));
        call.json_answer(201, json!({})).await;
    });
    outcome.unwrap();
    let (outcome, ()) = tokio::join!(send(), async {
        server.call().await.json_answer(401, refused.clone()).await;
        give_token(server.call().await, "newer").await;
        server.call().await.json_answer(401, refused.clone()).await;
    });
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_on_and_on() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let way = route(&server);
    let (outcome, ()) = tokio::join!(async { bot.send_text(&way, &text("hi")).await }, async {
        give_token(server.call().await, "t0ken").await;
        let head = "HTTP/1.1 400 X\r\ncontent-length: 104857600\r\nconnection: close\r\n\r\n";
        server.call().await.raw(head, vec![b'x'; 1024]).await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
}
