//! Texts, and what becomes of them.

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new("iMessage;-;+15551234567")
}

async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let (outcome, ()) = tokio::join!(async { bubbles.send_text(&route(), &text("hi")).await }, async {
        server.call().await.json_answer(status, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_has_a_chat_a_name_and_a_method() {
    for (method, word) in [(Method::AppleScript, "apple-script"), (Method::PrivateApi, "private-api")] {
        let server = FakeServer::start().await;
        let bubbles = bubbles(&server, |config| config.method = method);
        let ann = SenderId::parse(account().channel(), "+15551234567").unwrap();
        let (outcome, ()) = tokio::join!(
            async { bubbles.send_text(&bubbles.route_to(&ann).unwrap(), &text("hi")).await },
            async {
                let call = server.call().await;
                assert_eq!(call.line, format!("POST /api/v1/message/text?password={ENCODED}"));
                assert_eq!(
                    call.json(),
                    json!({
                        "chatGuid": "iMessage;-;+15551234567",
                        "tempGuid": "dmgate-k1",
                        "message": "hi",
                        "method": word,
                    })
                );
                call.json_answer(200, said(json!({ "guid": "g", "error": 0 }))).await;
            }
        );
        outcome.unwrap();
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let validation = sent(400, refusal(400, "A 'message' is required", json!(null))).await;
    assert!(matches!(validation, Err(SendError::Impossible { .. })), "{validation:?}");
    let queued = "Message is already queued to be sent! (Temp GUID: dmgate-k1)";
    let queued = sent(400, refusal(400, queued, json!(null))).await;
    assert!(matches!(queued, Err(SendError::Unknown { .. })), "an earlier try goes on: {queued:?}");
    let password = sent(401, refusal(401, "Unauthorized", json!(null))).await;
    assert!(matches!(password, Err(SendError::Failed { .. })), "the owner can mend it: {password:?}");
    let no_imessage = sent(500, refusal(500, "Failed to send message!", json!({ "error": 22 }))).await;
    assert!(matches!(no_imessage, Err(SendError::Impossible { .. })), "{no_imessage:?}");
    let offline = sent(500, refusal(500, "Failed to send message!", json!({ "error": 4 }))).await;
    assert!(matches!(offline, Err(SendError::Failed { .. })), "Apple says that it did not go: {offline:?}");
    for later in [302, 403, 404, 429] {
        let outcome = sent(later, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{later}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let (slow, ()) = tokio::join!(async { bubbles.send_text(&route(), &text("hi")).await }, async {
        let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
        server.call().await.raw(head, r#"{"status":429}"#).await;
    });
    let asked = Some(Duration::from_secs(7));
    assert!(matches!(slow, Err(SendError::Failed { retry_after, .. }) if retry_after == asked), "{slow:?}");
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in [
        (500, refusal(500, "Message not found in database after 60 seconds!", json!(null))),
        (500, json!("<html>")),
        (504, refusal(504, "The server took too long", json!(null))),
        (200, Value::Null),
    ] {
        let server = FakeServer::start().await;
        let bubbles = bubbles(&server, |_| {});
        let (outcome, ()) = tokio::join!(async { bubbles.send_text(&route(), &text("hi")).await }, async {
            let body = if answer.is_null() { "garbage".to_owned() } else { answer.to_string() };
            server.call().await.answer(status, body).await;
        });
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn i6_silence_and_a_broken_line_leave_it_open_and_no_server_does_not() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let begun = tokio::time::Instant::now();
    let (outcome, stalled) = tokio::join!(async { bubbles.send_text(&route(), &text("hi")).await }, async {
        server.call().await.stall()
    });
    assert!(begun.elapsed() >= Duration::from_secs(120), "a script on the Mac takes its time");
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { bubbles.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { bubbles.send_text(&route(), &text("hi")).await }, async {
        server.call().await.answer(200, vec![b' '; 17 * 1024 * 1024]).await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(server);
    let outcome = bubbles.send_text(&route(), &text("hi")).await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    let told = format!("{outcome:?}");
    assert!(!told.contains(ENCODED) && !told.contains("/api/"), "{told}");
}

#[tokio::test]
async fn i16_nothing_is_sent_into_a_group() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    for route in [
        "",
        "+15551234567",
        "iMessage;+;chat1234",
        "iMessage;-;chat1234",
        "iMessage;-;",
        "iMessage;-;a@b;x",
        ";-;+15551234567",
        "i/M;-;+15551234567",
        "iMessage;-",
    ] {
        let outcome = bubbles.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}

#[tokio::test]
async fn typing_is_shown_by_the_private_api_and_not_waited_for() {
    let server = FakeServer::start().await;
    let private = bubbles(&server, |config| config.method = Method::PrivateApi);
    // Whatever this sent would be the first call.
    private.show_typing(&ReplyRoute::new("iMessage;+;chat1")).await;
    bubbles(&server, |_| {}).show_typing(&route()).await;
    let ((), call) = tokio::join!(async { private.show_typing(&route()).await }, async {
        let call = server.call().await;
        (call.line.clone(), call.stall())
    });
    unstall(call.1);
    assert_eq!(call.0, format!("POST /api/v1/chat/iMessage%3B-%3B%2B15551234567/typing?password={ENCODED}"));
}
