//! Texts, and a Slack that refuses, babbles, breaks off or is silent.

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new("D01ANN")
}

/// What a call says, as a form.
fn fields(call: &Call) -> Value {
    let fields = form_urlencoded::parse(&call.body).into_owned();
    Value::Object(fields.map(|(key, value)| (key, json!(value))).collect())
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, body: &str) -> Result<(), SendError> {
    let fake = Fake::start().await;
    let bot = fake.bot(|_| {});
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        fake.calls.call().await.answer(status, body).await;
    });
    outcome
}

fn refused(word: &str) -> String {
    json!({ "ok": false, "error": word }).to_string()
}

#[tokio::test]
async fn a_text_is_sent_as_it_is_and_calls_nobody() {
    let fake = Fake::start().await;
    let bot = fake.bot(|_| {});
    let (outcome, sent) = tokio::join!(
        async {
            bot.send_text(&ReplyRoute::new("D01ANN 1771442400.000100"), &text("<!channel> a & *b*")).await
        },
        async {
            let call = fake.calls.call().await;
            let seen = (call.line.clone(), call.header("authorization").map(str::to_owned), fields(&call));
            call.json_answer(200, json!({ "ok": true, "ts": "1.2" })).await;
            seen
        }
    );
    outcome.unwrap();
    assert_eq!(
        (sent.0.as_str(), sent.1.as_deref()),
        ("POST /chat.postMessage", Some("Bearer xoxb-b0t-t0ken"))
    );
    let expected = json!({
        "channel": "D01ANN", "thread_ts": "1771442400.000100", "text": "&lt;!channel&gt; a &amp; *b*", "parse": "none",
        "link_names": "false", "mrkdwn": "false", "unfurl_links": "false", "unfurl_media": "false",
    });
    assert_eq!(sent.2, expected);
}

#[tokio::test]
async fn who_is_known_by_id_alone_is_written_to_in_a_conversation_of_two() {
    let fake = Fake::start().await;
    let bot = fake.bot(|_| {});
    let ann = SenderId::parse(account().channel(), "U07ANN").unwrap();
    let route = bot.route_to(&ann).unwrap();
    let guest = SenderId::parse(account().channel(), "T02GUEST:U07ANN").unwrap();
    assert_eq!(bot.route_to(&guest), None);
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route, &text("hi")).await }, async {
        let call = fake.calls.call().await;
        assert_eq!((call.method(), fields(&call)), ("conversations.open", json!({ "users": "U07ANN" })));
        call.json_answer(200, json!({ "ok": true, "channel": { "id": "D01ANN" } })).await;
        let call = fake.calls.call().await;
        assert_eq!((call.method(), &fields(&call)["channel"]), ("chat.postMessage", &json!("D01ANN")));
        call.json_answer(200, json!({ "ok": true })).await;
    });
    outcome.unwrap();
    for (answer, is_hopeless) in [
        (json!({ "ok": true, "channel": { "id": "C01" } }), false),
        (json!({ "ok": false, "error": "user_not_found" }), true),
        (json!({ "ok": false, "error": "internal_error" }), false),
        (json!("garbage"), false),
    ] {
        let (outcome, ()) = tokio::join!(async { bot.send_text(&route, &text("hi")).await }, async {
            fake.calls.call().await.json_answer(200, answer.clone()).await;
        });
        let outcome = outcome.unwrap_err();
        assert_eq!(matches!(outcome, SendError::Impossible { .. }), is_hopeless, "{answer}");
        assert!(
            is_hopeless || matches!(outcome, SendError::Failed { .. }),
            "nothing was said yet: {outcome}"
        );
    }
}

#[tokio::test]
async fn i16_nothing_is_sent_into_a_channel() {
    let bot = Fake::start().await.bot(|_| {});
    for route in ["C01", "G01", "#general", "", "D01ANN,C01", "D01ANN\nC01"] {
        let outcome = bot.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}

#[tokio::test]
async fn i6_slacks_word_says_whether_trying_again_helps() {
    for word in ["channel_not_found", "user_disabled", "is_archived", "cannot_dm_bot"] {
        let outcome = sent(200, &refused(word)).await.unwrap_err();
        assert!(matches!(outcome, SendError::Impossible { .. }), "{outcome}");
        assert_eq!(outcome.to_string(), format!("can't be sent: Slack answers: {word}"));
    }
    for word in
        ["invalid_auth", "token_revoked", "missing_scope", "messages_tab_disabled", "ratelimited", "new_word"]
    {
        let outcome = sent(200, &refused(word)).await.unwrap_err();
        assert!(matches!(outcome, SendError::Failed { .. }), "the owner can mend it: {outcome}");
    }
    // "It's possible some aspect of the operation succeeded."
    for word in ["internal_error", "fatal_error"] {
        let outcome = sent(200, &refused(word)).await.unwrap_err();
        assert!(matches!(outcome, SendError::Unknown { .. }), "{outcome}");
    }
    for (status, body) in [(500, ""), (503, "<html>"), (200, "garbage"), (200, "{}"), (200, "[]")] {
        let outcome = sent(status, body).await.unwrap_err();
        assert!(matches!(outcome, SendError::Unknown { .. }), "{status} {body}: {outcome}");
    }
    // A proxy, or another address: Slack has not seen it.
    for status in [302, 404, 407] {
        let outcome = sent(status, "<html>").await.unwrap_err();
        assert!(matches!(outcome, SendError::Failed { .. }), "{status}: {outcome}");
    }
}

#[tokio::test]
async fn who_is_asked_to_wait_waits() {
    for body in [refused("ratelimited"), "slow down".to_owned()] {
        let fake = Fake::start().await;
        let bot = fake.bot(|_| {});
        let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
            let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
            fake.calls.call().await.raw(head, &body).await;
        });
        let wait = Some(Duration::from_secs(7));
        assert!(
            matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == wait),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn i6_a_connection_that_breaks_or_is_silent_leaves_it_open() {
    let fake = Fake::start().await;
    let bot = fake.bot(|_| {});
    let send = async || bot.send_text(&route(), &text("hi")).await;
    let (outcome, ()) = tokio::join!(send(), async { drop(fake.calls.call().await) });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) = tokio::join!(send(), async { fake.calls.call().await.stall() });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(send(), async {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n";
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
async fn that_we_are_at_work_is_shown_in_threads_and_not_waited_for() {
    let fake = Fake::start().await;
    let bot = fake.bot(|_| {});
    bot.show_typing(&route()).await;
    let thread = ReplyRoute::new("D01ANN 1771442400.000100");
    let ((), (method, said, stalled)) = tokio::join!(async { bot.show_typing(&thread).await }, async {
        let call = fake.calls.call().await;
        (call.method().to_owned(), fields(&call), call.stall())
    });
    unstall(stalled);
    assert_eq!(method, "assistant.threads.setStatus");
    assert_eq!(
        said,
        json!({ "channel_id": "D01ANN", "thread_ts": "1771442400.000100", "status": "is typing…" })
    );
}
