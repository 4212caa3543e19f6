//! Texts to a Messaging API that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new(ANN)
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let line = line(&server);
    let (outcome, ()) = tokio::join!(async { line.send_text(&route(), &text("hi", "1")).await }, async {
        server.call().await.json_answer(status, answer).await;
    });
    outcome
}

/// The retry key of a text.
async fn key(line: &Line, server: &FakeServer, route: &ReplyRoute, text: &OutboundText) -> String {
    let (outcome, key) = tokio::join!(line.send_text(route, text), async {
        let call = server.call().await;
        let key = call.header("x-line-retry-key").unwrap().to_owned();
        call.json_answer(200, json!({ "sentMessages": [{ "id": "1" }] })).await;
        key
    });
    outcome.unwrap();
    key
}

#[tokio::test]
async fn a_text_is_pushed_plain() {
    let server = FakeServer::start().await;
    let line = line(&server);
    let ann = SenderId::parse(account().channel(), ANN).unwrap();
    let route = line.route_to(&ann).unwrap();
    let (outcome, ()) =
        tokio::join!(async { line.send_text(&route, &text("*hi* @all", "1")).await }, async {
            let call = server.call().await;
            assert_eq!(call.line, "POST /v2/bot/message/push");
            assert_eq!(call.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
            assert_eq!(
                call.json(),
                json!({ "to": ANN, "messages": [{ "type": "text", "text": "*hi* @all" }] })
            );
            call.json_answer(
                200,
                json!({ "sentMessages": [{ "id": "461230966842064897", "quoteToken": "q" }] }),
            )
            .await;
        });
    outcome.unwrap();
}

#[tokio::test]
async fn i6_each_try_of_a_text_has_the_same_key_and_no_other_text_has() {
    let server = FakeServer::start().await;
    let line = line(&server);
    assert!(line.meta.idempotent_sends);
    let bob = ReplyRoute::new("U00000000000000000000000000000b0b");
    let first = key(&line, &server, &route(), &text("hi", "1")).await;
    let form: Vec<usize> = first.split('-').map(str::len).collect();
    assert_eq!(form, [8, 4, 4, 4, 12], "a UUID: {first}");
    assert!(first.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{first}");
    assert_eq!(key(&line, &server, &route(), &text("hi", "1")).await, first);
    assert_eq!(
        key(&self::line(&server), &server, &route(), &text("hi", "1")).await,
        first,
        "also after a restart"
    );
    assert_ne!(key(&line, &server, &route(), &text("hi", "2")).await, first);
    assert_ne!(key(&line, &server, &bob, &text("hi", "1")).await, first);
}

#[tokio::test]
async fn i6_a_text_that_was_accepted_before_is_sent() {
    let accepted = json!({
        "message": "The retry key is already accepted",
        "sentMessages": [{ "id": "461230966842064897", "quoteToken": "q" }]
    });
    sent(409, accepted).await.unwrap();
}

#[tokio::test]
async fn i16_nothing_is_sent_into_a_group() {
    let server = FakeServer::start().await;
    let line = line(&server);
    for id in
        ["C", "R", "u", ""].map(|head| format!("{head}{}", &ANN[1..])).into_iter().chain([format!("{ANN} ")])
    {
        let outcome = line.send_text(&ReplyRoute::new(id.clone()), &text("hi", "1")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{id}");
    }
    let group = SenderId::parse(account().channel(), &ANN.replace('U', "C")).unwrap();
    assert!(line.route_to(&group).is_none());
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let details = json!([{ "message": "May not be empty", "property": "messages[0].text" }]);
    let bad = json!({ "message": "The request body has 1 error(s)", "details": details });
    let outcome = sent(400, bad).await.unwrap_err();
    assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
    assert!(outcome.to_string().ends_with("1 error(s); `messages[0].text`: May not be empty"), "{outcome}");
    for (status, said) in [
        (401, "Authentication failed. Confirm that the access token in the authorization header is valid."),
        (403, "Not authorized to use the API"),
        (429, "You have reached your monthly limit."),
    ] {
        let outcome = sent(status, json!({ "message": said })).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Failed { .. }), "the owner can mend it: {outcome}");
        assert!(outcome.to_string().contains(said), "{outcome}");
    }
}

#[tokio::test]
async fn i6_who_is_asked_to_wait_waits() {
    for body in [r#"{"message":"The API rate limit has been exceeded. Try again later."}"#, "busy"] {
        let server = FakeServer::start().await;
        let line = line(&server);
        let (outcome, ()) = tokio::join!(async { line.send_text(&route(), &text("hi", "1")).await }, async {
            let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
            server.call().await.raw(head, body).await;
        });
        let wait = Some(Duration::from_secs(7));
        assert!(
            matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == wait),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in
        [(500, json!({ "message": "Internal server error" })), (502, json!("bad gateway"))]
    {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    // A proxy or a wrong address: LINE has not seen it.
    for status in [302, 403, 404, 407, 409] {
        let outcome = sent(status, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let line = line(&server);
    let (outcome, ()) = tokio::join!(async { line.send_text(&route(), &text("hi", "1")).await }, async {
        server.call().await.answer(200, "no json").await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { line.send_text(&route(), &text("hi", "1")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) =
        tokio::join!(async { line.send_text(&route(), &text("hi", "1")).await }, async {
            server.call().await.stall()
        });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(server);
    let outcome = line.send_text(&route(), &text("hi", "1")).await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("t0ken"), "{outcome:?}");
}

#[tokio::test]
async fn typing_is_shown_and_not_waited_for() {
    let server = FakeServer::start().await;
    let line = line(&server);
    // Whatever this sent would be the first call.
    line.show_typing(&ReplyRoute::new("C1")).await;
    let ((), call) = tokio::join!(async { line.show_typing(&route()).await }, async {
        let call = server.call().await;
        let seen = (call.line.clone(), call.json());
        (seen, call.stall())
    });
    unstall(call.1);
    let loading = json!({ "chatId": ANN, "loadingSeconds": 60 });
    assert_eq!(call.0, ("POST /v2/bot/chat/loading/start".to_owned(), loading));
}
