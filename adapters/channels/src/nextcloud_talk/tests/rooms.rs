//! Which conversations are one-to-one, as the server says.

use std::time::Duration;

use super::*;
use crate::fake_server::Call;

fn asked(call: &Call) -> bool {
    call.line.starts_with("GET /ocs/v2.php/apps/spreed/api/v4/room/")
        && call.header("ocs-apirequest") == Some("true")
        && call.header("accept") == Some("application/json")
        // assistant:app-passw0rd
        && call.header("authorization") == Some("Basic YXNzaXN0YW50OmFwcC1wYXNzdzByZA==")
}

#[tokio::test]
async fn i16_the_server_is_asked_once_for_a_while() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let (first, second, ()) = tokio::join!(talk.conversation("room1"), talk.conversation("room1"), async {
        let call = server.call().await;
        assert!(asked(&call), "{}", call.line);
        call.json_answer(200, ocs(json!({ "type": 1 }))).await;
    });
    assert_eq!((first, second), (Conversation::Direct, Conversation::Direct), "who waits gets the same");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(talk.conversation("room1").await, Conversation::Direct);
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let (now, ()) = tokio::join!(talk.conversation("room1"), async {
        server.call().await.json_answer(200, ocs(json!({ "type": 5 }))).await;
    });
    assert_eq!(now, Conversation::Unknown, "the other one left");
}

#[tokio::test]
async fn i16_what_is_not_known_is_not_direct() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let answers = [
        (200, ocs(json!({ "type": 2 })), false),
        (200, ocs(json!({ "type": 6 })), false),
        (404, ocs(json!([])), false),
        (200, ocs(json!({ "type": "1" })), true),
        (200, ocs(json!({})), true),
        (200, json!("<xml>"), true),
        (401, json!({}), true),
        (429, json!({}), true),
        (500, json!({}), true),
    ];
    for (at, (status, answer, is_trouble)) in answers.into_iter().enumerate() {
        let room = format!("room{at}");
        let (known, ()) = tokio::join!(talk.conversation(&room), async {
            for _ in 0..if is_trouble { 5 } else { 1 } {
                server.call().await.json_answer(status, answer.clone()).await;
            }
        });
        assert_ne!(known, Conversation::Direct, "{status} {answer}");
        let told = talk.status();
        assert_eq!(
            matches!(&told, ChannelStatus::Connecting(Some(_))),
            is_trouble,
            "{status} {answer}: {told:?}"
        );
    }
    // What went wrong is asked again, and the operator reads that it is over.
    let (known, ()) = tokio::join!(talk.conversation("room8"), async {
        server.call().await.answer(500, "").await;
        drop(server.call().await);
        server.call().await.json_answer(200, ocs(json!({ "type": 1 }))).await;
    });
    assert_eq!((known, talk.status()), (Conversation::Direct, ChannelStatus::Ready));
}

#[tokio::test]
async fn a_server_that_is_silent_is_asked_again_and_not_for_ever() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let begun = tokio::time::Instant::now();
    let (known, stalled) = tokio::join!(talk.conversation("room1"), async {
        let stalled = server.call().await.stall();
        for _ in 1..5 {
            drop(server.call().await);
        }
        stalled
    });
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "one question does not take longer than the server waits for us"
    );
    crate::fake_server::unstall(stalled);
    assert_eq!(known, Conversation::Unknown);
    drop(server);
    assert_eq!(talk.conversation("room2").await, Conversation::Unknown);
    assert!(!format!("{:?}", talk.status()).contains(PASSWORD));
}

#[tokio::test]
async fn whoever_is_refused_anyhow_causes_no_question() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    for (at, actor) in
        ["guests/0af", "bots/bot-1", "users/Assistant", "federated_users/a@b"].iter().enumerate()
    {
        let mut event = written("direct1", 1, "hi");
        event["actor"]["id"] = json!(actor);
        // A question would wait here for ever.
        let (_, messages) = give(&talk, call(&random(at), event.to_string())).await;
        assert!(messages.iter().all(|message| message.conversation == Conversation::Unknown), "{actor}");
    }
}
