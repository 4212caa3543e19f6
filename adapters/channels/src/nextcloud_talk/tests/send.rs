//! Texts: how they are signed, and what becomes of them.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new("n3xtc10ud")
}

async fn sent(status: u16, body: &str) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let (outcome, ()) = tokio::join!(async { talk.send_text(&route(), &text("hi")).await }, async {
        server.call().await.answer(status, body).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_is_signed_over_itself() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let (outcome, randoms) = tokio::join!(
        async {
            talk.send_text(&route(), &text("*hä?*")).await?;
            talk.send_text(&route(), &text("*hä?*")).await
        },
        async {
            let mut randoms = Vec::new();
            for _ in 0..2 {
                let call = server.call().await;
                assert_eq!(call.line, "POST /ocs/v2.php/apps/spreed/api/v1/bot/n3xtc10ud/message");
                assert_eq!(call.header("ocs-apirequest"), Some("true"));
                assert_eq!(call.header("content-type"), Some("application/json"));
                assert_eq!(call.json()["message"], "*hä?*");
                assert_eq!(call.json()["referenceId"].as_str().map(str::len), Some(64));
                let random = call.header("x-nextcloud-talk-bot-random").unwrap().to_owned();
                let right = Signature::hmac(&Secret::new(SECRET), &[random.as_bytes(), "*hä?*".as_bytes()]);
                assert!(right.is_hex(call.header("x-nextcloud-talk-bot-signature").unwrap()));
                assert!(call.header("authorization").is_none(), "the bot is not the user");
                randoms.push(random);
                call.json_answer(201, ocs(json!(null))).await;
            }
            randoms
        }
    );
    outcome.unwrap();
    assert!(randoms[0] != randoms[1] && randoms[0].len() == 64);
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    for hopeless in [400, 404, 413] {
        let outcome = sent(hopeless, "<html>").await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{hopeless}: {outcome:?}");
    }
    let outcome = sent(401, "").await;
    let slowly = Some(Duration::from_secs(300));
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after, reason }) if *retry_after == slowly && reason.contains("`bot_secret`")),
        "the owner can mend it, and the server slows down who insists: {outcome:?}"
    );
    for later in [302, 403, 412, 429] {
        let outcome = sent(later, "").await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{later}: {outcome:?}");
    }
    for unknown in [500, 502, 503] {
        let outcome = sent(unknown, "").await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{unknown}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let (slow, ()) = tokio::join!(async { talk.send_text(&route(), &text("hi")).await }, async {
        let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
        server.call().await.raw(head, "").await;
    });
    let asked = Some(Duration::from_secs(7));
    assert!(matches!(slow, Err(SendError::Failed { retry_after, .. }) if retry_after == asked), "{slow:?}");
}

#[tokio::test]
async fn i6_silence_and_a_broken_line_leave_it_open_and_no_server_does_not() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let (outcome, stalled) = tokio::join!(async { talk.send_text(&route(), &text("hi")).await }, async {
        server.call().await.stall()
    });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { talk.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { talk.send_text(&route(), &text("hi")).await }, async {
        server.call().await.answer(200, vec![b' '; 17 * 1024 * 1024]).await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(server);
    let outcome = talk.send_text(&route(), &text("hi")).await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains(SECRET));
}

#[tokio::test]
async fn what_is_no_conversation_is_not_called() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    for route in ["", "a/b", "..", "a?b", "ä", "a b", &"x".repeat(65)] {
        let outcome = talk.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}
