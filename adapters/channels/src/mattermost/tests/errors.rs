//! Texts and files, and a server that refuses, babbles, breaks off or is silent.

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new(CHANNEL_ID)
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, body: &str) -> Result<(), SendError> {
    let fake = Fake::start().await;
    let bot = fake.bot();
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        fake.calls.call().await.answer(status, body).await;
    });
    outcome
}

fn refusal(status: u16, id: &str) -> String {
    json!({ "id": id, "message": "No.", "detailed_error": "", "request_id": "x", "status_code": status })
        .to_string()
}

async fn taken(call: Call) -> (String, Value) {
    let seen = (call.line.clone(), call.json());
    call.json_answer(201, json!({ "id": "5greg5b4w3rojmqc188znn8s7c" })).await;
    seen
}

#[tokio::test]
async fn a_text_goes_into_the_conversation_and_the_thread() {
    let fake = Fake::start().await;
    let bot = fake.bot();
    let root = "5greg5b4w3rojmqc188znn8s7c";
    for (route, root) in [(CHANNEL_ID.to_owned(), ""), (format!("{CHANNEL_ID} {root}"), root)] {
        let (outcome, (line, said)) =
            tokio::join!(async { bot.send_text(&ReplyRoute::new(route), &text("hi")).await }, async {
                taken(fake.calls.call().await).await
            });
        outcome.unwrap();
        assert_eq!(line, "POST /sub/api/v4/posts");
        let expected =
            json!({ "channel_id": CHANNEL_ID, "root_id": root, "message": "hi", "pending_post_id": "key-1" });
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn who_is_known_by_id_alone_is_written_to_in_a_channel_of_two() {
    let fake = Fake::start().await;
    let bot = fake.bot();
    let ann = SenderId::parse(account().channel(), ANN).unwrap();
    let route = bot.route_to(&ann).unwrap();
    let (outcome, said) = tokio::join!(async { bot.send_text(&route, &text("hi")).await }, async {
        fake.answer("GET /sub/api/v4/users/me", json!({ "id": OWN })).await;
        let call = fake.calls.call().await;
        assert_eq!(
            (call.line.as_str(), call.json()),
            ("POST /sub/api/v4/channels/direct", json!([OWN, ANN]))
        );
        call.json_answer(201, json!({ "id": CHANNEL_ID })).await;
        taken(fake.calls.call().await).await.1
    });
    outcome.unwrap();
    assert_eq!(said["channel_id"], CHANNEL_ID);
    // Nothing was said yet, whatever became of the call.
    for (status, is_hopeless) in [(500, false), (403, true), (404, true), (401, false)] {
        let (outcome, ()) = tokio::join!(async { bot.send_text(&route, &text("hi")).await }, async {
            fake.answer("GET /sub/api/v4/users/me", json!({ "id": OWN })).await;
            fake.calls.call().await.answer(status, refusal(status, "x")).await;
        });
        let outcome = outcome.unwrap_err();
        assert_eq!(matches!(outcome, SendError::Impossible { .. }), is_hopeless, "{status}: {outcome}");
        assert!(is_hopeless || matches!(outcome, SendError::Failed { .. }), "{status}: {outcome}");
    }
}

#[tokio::test]
async fn i6_the_servers_word_says_whether_trying_again_helps() {
    for (status, id) in [
        (400, "model.post.is_valid.message_length.app_error"),
        (403, "api.context.permissions.app_error"),
        (404, "app.channel.get.existing.app_error"),
    ] {
        let outcome = sent(status, &refusal(status, id)).await.unwrap_err();
        assert!(
            matches!(outcome, SendError::Impossible { .. }) && outcome.to_string().contains(id),
            "{outcome}"
        );
    }
    let outcome = sent(401, &refusal(401, "api.context.session_expired.app_error")).await.unwrap_err();
    assert!(matches!(outcome, SendError::Failed { .. }), "the owner can mend it: {outcome}");
    for (status, body) in [
        (500, refusal(500, "x")),
        (502, "<html>".to_owned()),
        (200, "garbage".to_owned()),
        (201, "{}".to_owned()),
    ] {
        let outcome = sent(status, &body).await.unwrap_err();
        assert!(matches!(outcome, SendError::Unknown { .. }), "{status} {body}: {outcome}");
    }
    // A proxy, or another address: no Mattermost has seen it.
    for status in [302, 403, 404] {
        let outcome = sent(status, "<html>").await.unwrap_err();
        assert!(matches!(outcome, SendError::Failed { .. }), "{status}: {outcome}");
    }
}

#[tokio::test]
async fn who_is_asked_to_wait_waits() {
    for header in ["retry-after: 7", "x-ratelimit-reset: 7"] {
        let fake = Fake::start().await;
        let bot = fake.bot();
        let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
            let head = format!("HTTP/1.1 429 X\r\n{header}\r\nconnection: close\r\n\r\n");
            fake.calls.call().await.raw(&head, "limit exceeded\n").await;
        });
        let wait = Some(Duration::from_secs(7));
        assert!(
            matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == wait),
            "{header}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn i6_a_connection_that_breaks_or_is_silent_leaves_it_open() {
    let fake = Fake::start().await;
    let bot = fake.bot();
    let send = async || bot.send_text(&route(), &text("hi")).await;
    let (outcome, ()) = tokio::join!(send(), async { drop(fake.calls.call().await) });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) = tokio::join!(send(), async { fake.calls.call().await.stall() });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(send(), async {
        let head = "HTTP/1.1 201 Created\r\ncontent-length: 104857600\r\n\r\n";
        fake.calls.call().await.raw(head, "{").await;
    });
    assert!(
        matches!(outcome, Err(SendError::Unknown { .. })),
        "a hundred megabytes are not read: {outcome:?}"
    );
    drop(fake);
    let outcome = send().await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("t0ken"));
}

#[tokio::test]
async fn that_we_are_writing_is_shown_and_not_waited_for() {
    let fake = Fake::start().await;
    let bot = fake.bot();
    bot.show_typing(&ReplyRoute::new("no route")).await;
    let ((), (line, said, stalled)) = tokio::join!(async { bot.show_typing(&route()).await }, async {
        let call = fake.calls.call().await;
        (call.line.clone(), call.json(), call.stall())
    });
    unstall(stalled);
    assert_eq!(line, "POST /sub/api/v4/users/me/typing");
    assert_eq!(said, json!({ "channel_id": CHANNEL_ID, "parent_id": "" }));
}

#[tokio::test]
async fn a_file_is_fetched_up_to_the_limit_and_what_is_no_file_is_not() {
    let fake = Fake::start().await;
    let bot = fake.bot();
    let attachment = |reference: &str| Attachment {
        kind: "file".to_owned(),
        media_type: None,
        name: None,
        size: None,
        reference: reference.to_owned(),
    };
    let file = attachment("5greg5b4w3rojmqc188znn8s7c");
    for (status, bytes, is_good) in [(200, 10, true), (200, 11, false), (404, 1, false), (302, 1, false)] {
        let mut written = Vec::new();
        let (outcome, ()) = tokio::join!(bot.api.fetch(&file, 10, &mut written), async {
            let call = fake.calls.call().await;
            assert_eq!(call.line, "GET /sub/api/v4/files/5greg5b4w3rojmqc188znn8s7c");
            assert_eq!(call.header("authorization"), Some("Bearer b0t-t0ken"));
            call.answer(status, vec![1; bytes]).await;
        });
        assert_eq!(outcome.is_ok(), is_good, "{status}: {outcome:?}");
    }
    for reference in ["", "a/b", "../users/me", "https://evil.test/x"] {
        let outcome = bot.api.fetch(&attachment(reference), 10, &mut Vec::new()).await;
        assert!(matches!(outcome, Err(FetchError::Unsupported)), "{reference}");
    }
}
