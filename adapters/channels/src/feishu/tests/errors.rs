//! Texts, and an API that refuses, babbles, breaks off or is silent.

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new(ANN)
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let (route, text) = (route(), text("hi"));
    let (outcome, ()) = tokio::join!(bot.send_text(&route, &text), async {
        fake.answer(fake.calls.call().await).await;
        fake.calls.call().await.json_answer(status, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_is_sent_with_a_token_that_is_asked_for_once() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let ann = SenderId::parse(account().channel(), ANN).unwrap();
    let (route, text) = (bot.route_to(&ann).unwrap(), text("*hi* <at user_id=\"all\"></at>"));
    let done = json!({ "code": 0, "data": { "message_id": "om_9" } });
    let (outcome, body) = tokio::join!(bot.send_text(&route, &text), async {
        let call = fake.calls.call().await;
        assert_eq!(call.line, "POST /open-apis/auth/v3/tenant_access_token/internal");
        assert_eq!(call.json(), json!({ "app_id": APP, "app_secret": APP_SECRET }));
        fake.answer(call).await;
        let call = fake.calls.call().await;
        assert_eq!(call.line, "POST /open-apis/im/v1/messages?receive_id_type=open_id");
        assert_eq!(call.header("authorization"), Some("Bearer t-0ken"));
        let body = call.json();
        call.json_answer(200, done.clone()).await;
        body
    });
    outcome.unwrap();
    assert_eq!((&body["receive_id"], &body["msg_type"]), (&json!(ANN), &json!("text")));
    let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({ "text": "*hi* <\u{2060}at user_id=\"all\"><\u{2060}/at>" }));
    assert!(body["uuid"].as_str().unwrap().len() <= 50);
    // The same text again has the same mark, and needs no new token.
    let (outcome, again) = tokio::join!(bot.send_text(&route, &text), async {
        let call = fake.calls.call().await;
        let body = call.json();
        call.json_answer(200, done.clone()).await;
        body
    });
    outcome.unwrap();
    assert_eq!(again["uuid"], body["uuid"]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_any_more_is_asked_for_anew_once() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let stale = json!({ "code": 99_991_663, "msg": "Invalid access token for authorization" });
    let (route, text) = (route(), text("hi"));
    let (outcome, ()) = tokio::join!(bot.send_text(&route, &text), async {
        for answer in [Some(&stale), None] {
            fake.answer(fake.calls.call().await).await;
            let call = fake.calls.call().await;
            call.json_answer(200, answer.cloned().unwrap_or(json!({ "code": 0 }))).await;
        }
    });
    outcome.unwrap();
    let (outcome, ()) = tokio::join!(bot.send_text(&route, &text), async {
        fake.calls.call().await.json_answer(400, stale.clone()).await;
        fake.answer(fake.calls.call().await).await;
        fake.calls.call().await.json_answer(400, stale.clone()).await;
    });
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "not for ever: {outcome:?}");
}

#[tokio::test]
async fn i16_nothing_is_sent_to_what_is_no_person() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    for route in
        ["", "oc_group", "on_ann", "ann", "ou_", "ou_a b", "ou_a/b", "ou_a\u{202e}", "email@example.org"]
    {
        let outcome = bot.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
    let union_id = SenderId::parse(account().channel(), "on_ann").unwrap();
    assert!(bot.route_to(&union_id).is_none());
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    for code in [230_013, 230_029, 230_053] {
        let outcome =
            sent(400, json!({ "code": code, "msg": "Bot has NO availability to this user." })).await;
        assert!(
            matches!(&outcome, Err(SendError::Impossible { reason }) if reason.contains("NO availability")),
            "{outcome:?}"
        );
    }
    for (status, code) in
        [(400, 230_006), (400, 230_027), (200, 99_991_672), (429, 99_991_400), (400, 230_020)]
    {
        let outcome = sent(status, json!({ "code": code, "msg": "x" })).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{code}: {outcome:?}");
    }
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let (route, text) = (route(), text("hi"));
    let (outcome, ()) = tokio::join!(bot.send_text(&route, &text), async {
        fake.answer(fake.calls.call().await).await;
        let head = "HTTP/1.1 400 X\r\nx-ogw-ratelimit-reset: 52\r\nconnection: close\r\n\r\n";
        fake.calls
            .call()
            .await
            .raw(head, r#"{"code":99991400,"msg":"request trigger frequency limit"}"#)
            .await;
    });
    let wait = Some(Duration::from_secs(52));
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == wait),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in [
        (500, json!({ "code": 1, "msg": "internal" })),
        (502, json!("bad gateway")),
        (200, json!("garbage")),
        (200, json!({ "msg": "no code" })),
    ] {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    for status in [302, 403, 404] {
        let outcome = sent(status, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn i6_silence_and_a_broken_connection_leave_it_open_and_no_connection_does_not() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let (route, text) = (route(), text("hi"));
    let (outcome, ()) = tokio::join!(bot.send_text(&route, &text), async {
        fake.answer(fake.calls.call().await).await;
        drop(fake.calls.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) =
        tokio::join!(bot.send_text(&route, &text), async { fake.calls.call().await.stall() });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(fake);
    let outcome = bot.send_text(&route, &text).await.unwrap_err();
    assert!(matches!(&outcome, SendError::Failed { .. }), "{outcome}");
    let told = outcome.to_string();
    assert!(told.contains("Feishu") && !told.contains("t-0ken") && !told.contains(APP_SECRET), "{told}");
}

#[test]
fn what_cannot_be_an_address_is_refused() {
    for base in ["", "open.feishu.cn", "ftp://x", "https://x/?a"] {
        let mut config = Config::new(APP, Secret::new(APP_SECRET));
        config.api_base = Some(base.to_owned());
        let refused = Feishu::open(setup(), config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.starts_with("`api_base`"), "{base}: {refused}");
    }
}
