//! A Chat API that refuses, babbles, breaks off or is silent.

use super::*;
use crate::fake_server::unstall;

const SPACE: &str = "spaces/A-b_1";

async fn send(bot: &GoogleChat, route: &'static str) -> Result<(), SendError> {
    bot.send_text(&ReplyRoute::new(route), &text("*hi*")).await
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: &str, answer: &str) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let (outcome, ()) = tokio::join!(send(&bot, SPACE), async {
        give_token(&server, "t0ken").await;
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n");
        server.call().await.raw(&head, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_is_written_into_its_space_with_its_key() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let (outcome, ()) = tokio::join!(send(&bot, SPACE), async {
        give_token(&server, "t0ken").await;
        let call = server.call().await;
        assert_eq!(call.header("authorization"), Some("Bearer t0ken"));
        assert_eq!(call.line, "POST /v1/spaces/A-b_1/messages?requestId=the+key%2F1");
        assert_eq!(call.json(), json!({ "text": "*hi*" }));
        call.json_answer(200, json!({ "name": "spaces/A-b_1/messages/9" })).await;
    });
    outcome.unwrap();
    assert!(bot.meta().idempotent_sends);
}

#[tokio::test]
async fn i16_a_direct_message_is_found_by_its_person_and_looked_at() {
    let direct = json!({ "name": "spaces/D", "spaceType": "DIRECT_MESSAGE", "singleUserBotDm": true });
    let with = |name: &str, value: Value| {
        let mut space = direct.clone();
        space[name] = value;
        space
    };
    for (found, is_good) in [
        (direct.clone(), true),
        (with("singleUserBotDm", json!(false)), false),
        (with("spaceType", json!("SPACE")), false),
        (with("name", json!("spaces/../x")), false),
        (json!({}), false),
    ] {
        let server = FakeServer::start().await;
        let bot = bot(&server, Way::Project);
        let ann = SenderId::parse(account().channel(), "users/42").unwrap();
        assert_eq!(bot.route_to(&ann), Some(ReplyRoute::new("users/42")));
        let (outcome, ()) = tokio::join!(send(&bot, "users/42"), async {
            give_token(&server, "t0ken").await;
            let call = server.call().await;
            assert_eq!(call.line, "GET /v1/spaces:findDirectMessage?name=users%2F42");
            call.json_answer(200, found.clone()).await;
            if is_good {
                let call = server.call().await;
                assert_eq!(call.line, "POST /v1/spaces/D/messages?requestId=the+key%2F1");
                call.json_answer(200, json!({})).await;
            }
        });
        match is_good {
            true => outcome.unwrap(),
            false => assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{found}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn i16_nothing_is_sent_elsewhere() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    for bad in ["", "spaces/", "spaces/a/b", "spaces/../x", "spaces/a?b", "users/", "users/ann", "A-b_1"] {
        let outcome = send(&bot, bad).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{bad}");
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let outcome = sent("429 X\r\nretry-after: 7", "{}").await.unwrap_err();
    let wait = Some(Duration::from_secs(7));
    assert!(matches!(&outcome, SendError::Failed { retry_after, .. } if *retry_after == wait), "{outcome}");
    for (status, told) in [
        ("403 X", "This Chat app is not a member of this space."),
        ("404 X", "Space not found"),
        ("400 X", "Message cannot be empty"),
    ] {
        let outcome = sent(status, &json!({ "error": { "message": told } }).to_string()).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
        assert!(outcome.to_string().contains(told), "{outcome}");
    }
    let told = "Google Chat API has not been used in project 1 before or it is disabled.";
    let outcome = sent("403 X", &json!({ "error": { "message": told } }).to_string()).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "the owner can mend it: {outcome:?}");
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in [("500 X", "{}"), ("502 X", "<html>"), ("200 OK", "no json")] {
        let outcome = sent(status, answer).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let (outcome, ()) = tokio::join!(send(&bot, SPACE), async {
        give_token(&server, "t0ken").await;
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) = tokio::join!(send(&bot, SPACE), async { server.call().await.stall() });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(send(&bot, SPACE), async {
        let head = "HTTP/1.1 400 X\r\ncontent-length: 104857600\r\nconnection: close\r\n\r\n";
        server.call().await.raw(head, vec![b'x'; 1024]).await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "nobody reads so much: {outcome:?}");
    drop(server);
    let outcome = send(&bot, SPACE).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("t0ken"));
}

#[tokio::test]
async fn i6_without_a_token_or_a_way_nothing_has_left() {
    for (status, answer) in [(500, json!({})), (400, json!({ "error": "invalid_grant" })), (200, json!([]))] {
        let server = FakeServer::start().await;
        let bot = bot(&server, Way::Project);
        let (outcome, ()) = tokio::join!(send(&bot, SPACE), async {
            server.call().await.json_answer(status, answer).await;
        });
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let (outcome, ()) = tokio::join!(send(&bot, "users/42"), async {
        give_token(&server, "t0ken").await;
        server.call().await.answer(500, "").await;
    });
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "the way was not found yet: {outcome:?}");
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced_once() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let (outcome, ()) = tokio::join!(send(&bot, SPACE), async {
        give_token(&server, "old").await;
        server.call().await.answer(401, "{}").await;
        give_token(&server, "new").await;
        let call = server.call().await;
        assert_eq!(call.header("authorization"), Some("Bearer new"));
        call.answer(401, "{}").await;
    });
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}
