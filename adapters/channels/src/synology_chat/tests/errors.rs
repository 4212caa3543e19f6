//! Texts to a NAS that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new("4")
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        server.call().await.json_answer(status, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_is_sent_to_one_user() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let alice = SenderId::parse(account().channel(), "4").unwrap();
    let route = bot.route_to(&alice).unwrap();
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route, &text("a & b = ü")).await }, async {
        let call = server.call().await;
        assert_eq!(call.line, POST);
        assert_eq!(call.header("content-type"), Some("application/x-www-form-urlencoded"));
        let fields: Vec<_> = form_urlencoded::parse(&call.body).into_owned().collect();
        assert_eq!((fields.len(), fields[0].0.as_str()), (1, "payload"));
        let payload: Value = serde_json::from_str(&fields[0].1).unwrap();
        assert_eq!(payload, json!({ "text": "a & b = ü", "user_ids": [4] }));
        call.json_answer(200, ok(json!({ "succ": { "user_id_post_map": { "4": 1 } } }))).await;
    });
    outcome.unwrap();
    let soon = tokio::time::timeout(Duration::ZERO, bot.pacing.turn()).await;
    assert!(soon.is_err(), "the next one has to wait");
}

#[tokio::test]
async fn i16_what_is_no_user_gets_nothing() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    for route in ["", "0", "-4", "04", "+4", "4 ", "alice", "4,5"] {
        let outcome = bot.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let outcome = sent(200, refusal(411)).await.unwrap_err();
    let wait = Some(Duration::from_secs(1));
    assert!(matches!(&outcome, SendError::Failed { retry_after, .. } if *retry_after == wait), "{outcome}");
    let outcome = sent(200, refusal(117)).await.unwrap_err();
    assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
    assert!(outcome.to_string().contains("no reason"), "{outcome}");
    for code in [404, 100, 103] {
        let outcome = sent(200, refusal(code)).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Failed { .. }), "the owner can mend it: {outcome}");
    }
    let outcome = sent(200, json!({ "success": false })).await.unwrap_err();
    assert!(matches!(&outcome, SendError::Failed { .. }), "{outcome}");
}

#[tokio::test]
async fn i6_what_became_of_a_text_is_unknown_when_the_answer_is() {
    for (status, answer) in
        [(500, refusal(100)), (502, json!("bad gateway")), (200, json!("x")), (200, json!({}))]
    {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    // A proxy or a wrong address: no Chat has seen it.
    for status in [302, 403, 404, 407] {
        let outcome = sent(status, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let bot = self::bot(&server);
    let (outcome, stalled) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        server.call().await.stall()
    });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let bot = self::bot(&server);
    drop(server);
    let outcome = bot.send_text(&route(), &text("hi")).await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains(TOKEN), "{outcome:?}");
}

#[test]
fn what_cannot_be_a_token_or_an_address_is_refused() {
    let refusal = |base: &str, token: &str, ca_file: Option<&str>| {
        let mut setup = Setup::new(account());
        setup.public_url = Some("https://gate.example.org".to_owned());
        let mut config = Config::new(base.to_owned(), Secret::new(token));
        config.ca_file = ca_file.map(Into::into);
        SynologyChat::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for token in ["", "short", "\"HfjT9wFaKeToken\"", "%22HfjT9wFaKeToken", "HfjT9w&FaKeToken"] {
        let refusal = refusal("http://nas", token, None);
        assert!(
            refusal.starts_with("`token`: letters and digits") && !refusal.contains("HfjT9w"),
            "{refusal}"
        );
    }
    for base in ["", "nas.example.org", "ftp://nas", "https://nas/?token=x"] {
        assert!(refusal(base, TOKEN, None).starts_with("`base_url`"), "{base}");
    }
    assert!(refusal("https://nas", TOKEN, Some("/no/such/file")).starts_with("`ca_file`"));
    assert_eq!(refusal("http://127.0.0.1:5000/", TOKEN, None), "");
    let config = Config::new("http://nas".to_owned(), Secret::new(TOKEN));
    let refused = SynologyChat::open(Setup::new(account()), config).err().unwrap().to_string();
    assert!(refused.contains("`public_url`"), "{refused}");
}
