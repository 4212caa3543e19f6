//! Texts, and an API that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::{Call, unstall};

const CHANNEL: &str = "1457536551830421525";

fn route() -> ReplyRoute {
    ReplyRoute::new(CHANNEL)
}

/// What becomes of a text while Discord does this.
async fn sent<T>(serve: impl AsyncFnOnce(&Side) -> T) -> (Result<(), SendError>, T) {
    let side = Side::start().await;
    let bot = side.bot();
    tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, serve(&side))
}

async fn refuse(side: &Side, status: u16, code: i64) {
    let call = side.server.call().await;
    call.json_answer(status, json!({ "message": format!("no, {TOKEN}"), "code": code })).await;
}

#[tokio::test]
async fn a_text_mentions_nobody_and_has_a_number() {
    let (outcome, call) = sent(async |side| {
        let call = side.server.call().await;
        let seen = (call.line.clone(), call.json(), call.header("authorization").map(str::to_owned));
        call.json_answer(200, json!({ "id": "1" })).await;
        seen
    })
    .await;
    outcome.unwrap();
    assert_eq!(call.0, format!("POST /channels/{CHANNEL}/messages"));
    assert_eq!(call.2, Some(format!("Bot {TOKEN}")));
    let nonce = call.1["nonce"].as_str().unwrap();
    assert!((1..=25).contains(&nonce.len()), "{nonce}");
    let expected = json!({
        "content": "hi", "allowed_mentions": { "parse": [] }, "flags": 4, "nonce": nonce, "enforce_nonce": true,
    });
    assert_eq!(call.1, expected);
}

#[tokio::test]
async fn a_code_is_shown_as_it_is_and_an_answer_as_the_agent_wrote_it() {
    for (kind, shown) in
        [(TextKind::Challenge, "\\*a\\*"), (TextKind::Notice, "\\*a\\*"), (TextKind::Reply, "*a*")]
    {
        let side = Side::start().await;
        let bot = side.bot();
        let text = OutboundText { body: "*a*".to_owned(), kind, idempotency_key: String::new() };
        let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text).await }, async {
            let call = side.server.call().await;
            assert_eq!(call.json()["content"], shown);
            call.json_answer(200, json!({})).await;
        });
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_picture_comes_with_its_message_and_mentions_nobody() {
    let side = Side::start().await;
    let bot = side.bot();
    let picture = OutboundPicture {
        png: bytes::Bytes::from_static(b"\x89PNG"),
        caption: "scan *this* @everyone".to_owned(),
        idempotency_key: "1".to_owned(),
    };
    let (outcome, (line, body)) = tokio::join!(async { bot.send_picture(&route(), &picture).await }, async {
        let call = side.server.call().await;
        let seen = (call.line.clone(), call.body.clone());
        call.json_answer(200, json!({ "id": "1" })).await;
        seen
    });
    outcome.unwrap();
    assert_eq!(line, format!("POST /channels/{CHANNEL}/messages"));
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("name=\"files[0]\"; filename=\"code.png\""), "{body}");
    let (_, message) = body.split_once("name=\"payload_json\"\r\n\r\n").unwrap();
    let message: Value = serde_json::from_str(message.split_once("\r\n").unwrap().0).unwrap();
    assert_eq!(message["content"], "scan \\*this\\* @everyone");
    assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
    for (code, is_hopeless) in [(50_007, true), (40_005, false)] {
        let (outcome, ()) =
            tokio::join!(async { bot.send_picture(&route(), &picture).await }, refuse(&side, 403, code));
        assert_eq!(matches!(outcome, Err(SendError::Impossible { .. })), is_hopeless, "{code}");
    }
    let outcome = bot.send_picture(&ReplyRoute::new("@everyone"), &picture).await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })));
}

#[tokio::test]
async fn a_user_is_written_to_in_a_channel_that_is_opened_once() {
    let side = Side::start().await;
    let bot = side.bot();
    let route = bot.route_to(&SenderId::parse(account().channel(), "42").unwrap()).unwrap();
    assert_eq!(route.as_str(), "user:42");
    let first = async { bot.send_text(&route, &text("hi")).await };
    let (outcome, ()) = tokio::join!(first, async {
        let call = side.server.call().await;
        assert_eq!(
            (call.line.as_str(), call.json()),
            ("POST /users/@me/channels", json!({ "recipient_id": "42" }))
        );
        call.json_answer(200, json!({ "id": "77", "type": 1 })).await;
        let call = side.server.call().await;
        assert_eq!(call.line, "POST /channels/77/messages");
        call.json_answer(200, json!({})).await;
    });
    outcome.unwrap();
    let second = async { bot.send_text(&route, &text("ho")).await };
    let (outcome, ()) = tokio::join!(second, async {
        let call = side.server.call().await;
        assert_eq!(call.line, "POST /channels/77/messages");
        call.json_answer(200, json!({})).await;
    });
    outcome.unwrap();
}

#[tokio::test]
async fn i16_nothing_is_sent_where_no_private_channel_is() {
    let side = Side::start().await;
    let bot = side.bot();
    for wrong in ["", "0", "-1", "1/messages", "user:x", "@everyone"] {
        let outcome = bot.send_text(&ReplyRoute::new(wrong), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{wrong}");
    }
    let user = ReplyRoute::new("user:42");
    for (answer, is_hopeless) in [
        ((200, json!({ "id": "77", "type": 3 })), true),
        ((200, json!({ "id": "77" })), true),
        ((400, json!({ "message": "Cannot send messages to this user", "code": 50007 })), true),
        ((404, json!({ "message": "Unknown User", "code": 10013 })), true),
        ((500, json!({ "message": "Internal Server Error", "code": 0 })), false),
        ((429, json!({ "message": "slow", "retry_after": 0.01, "global": false })), false),
    ] {
        let opened = async { bot.send_text(&user, &text("hi")).await };
        let told = answer.clone();
        let (outcome, ()) =
            tokio::join!(opened, async { side.server.call().await.json_answer(told.0, told.1).await });
        match outcome {
            Err(SendError::Impossible { .. }) => assert!(is_hopeless, "{answer:?}"),
            Err(SendError::Failed { .. }) => assert!(!is_hopeless, "{answer:?}: nothing left"),
            outcome => panic!("{answer:?}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    for (status, code) in [(403, 50_007), (404, 10_003), (403, 50_001), (400, 50_035), (403, 50_278)] {
        let (outcome, ()) = sent(async |side| refuse(side, status, code).await).await;
        let outcome = outcome.unwrap_err();
        assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
        assert!(
            outcome.to_string().contains(&code.to_string()) && !outcome.to_string().contains("s3cret"),
            "{outcome}"
        );
    }
    for (status, code) in [(401, 0), (403, 40_002), (405, 0)] {
        let (outcome, ()) = sent(async |side| refuse(side, status, code).await).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "the owner can mend it: {outcome:?}");
    }
    let (outcome, ()) = sent(async |side| side.server.call().await.answer(403, "<html>").await).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "it did not get to Discord: {outcome:?}");
}

#[tokio::test]
async fn i6_what_may_have_arrived_is_sent_again_at_once_under_its_number() {
    let numbers = async |side: &Side, answers: Vec<(u16, Value)>| {
        let mut numbers = Vec::new();
        for (status, answer) in answers {
            let call = side.server.call().await;
            numbers.push(call.json()["nonce"].clone());
            if status == 0 { drop(call) } else { call.json_answer(status, answer).await }
        }
        numbers.dedup();
        assert_eq!(numbers.len(), 1, "Discord makes one message of them");
    };
    let broken = || (502, json!({ "message": "bad gateway", "code": 0 }));
    let (outcome, ()) = sent(async |side| numbers(side, vec![(0, json!(0)), (200, json!({}))]).await).await;
    outcome.unwrap();
    let (outcome, ()) =
        sent(async |side| numbers(side, vec![broken(), broken(), (200, json!({}))]).await).await;
    outcome.unwrap();
    let (outcome, ()) = sent(async |side| numbers(side, vec![broken(), (0, json!(0)), broken()]).await).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    // A later refusal does not say that the first did not arrive.
    let slow = || (429, json!({ "message": "slow", "retry_after": 0.001, "global": false }));
    let (outcome, ()) = sent(async |side| numbers(side, vec![broken(), slow(), slow()]).await).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let never = (403, json!({ "message": "no", "code": 50007 }));
    let (outcome, ()) = sent(async |side| numbers(side, vec![broken(), never]).await).await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_stalled_call_is_given_up_and_the_text_sent_again() {
    let (outcome, ()) = sent(async |side| {
        let stalled = side.server.call().await.stall();
        let again = side.server.call().await;
        unstall(stalled);
        again.json_answer(200, json!({})).await;
    })
    .await;
    outcome.unwrap();
}

#[tokio::test]
async fn who_is_asked_to_wait_waits() {
    let side = Side::start().await;
    let bot = side.bot();
    let send = async |channel: &str| bot.send_text(&ReplyRoute::new(channel), &text("hi")).await;
    let asked = |outcome: Result<(), SendError>| match outcome {
        Err(SendError::Failed { retry_after: Some(wait), .. }) => wait,
        outcome => panic!("{outcome:?}"),
    };
    // In one channel: others go on.
    let slow = json!({ "message": "You are being rate limited.", "retry_after": 64.57, "global": false });
    let (outcome, ()) =
        tokio::join!(send("1"), async { side.server.call().await.json_answer(429, slow.clone()).await });
    assert_eq!(asked(outcome), Duration::from_millis(64_570));
    assert!(asked(send("1").await) > Duration::from_secs(50), "nobody is asked before that");
    let (outcome, ()) =
        tokio::join!(send("2"), async { side.server.call().await.json_answer(200, json!({})).await });
    outcome.unwrap();
    // When nothing is left of what was allowed, the next text waits here.
    let used_up = "HTTP/1.1 200 X\r\ncontent-length: 2\r\nconnection: close\r\nX-RateLimit-Remaining: 0\r\n\
                   X-RateLimit-Reset-After: 4.500\r\n\r\n";
    let (outcome, ()) = tokio::join!(send("2"), async { side.server.call().await.raw(used_up, "{}").await });
    outcome.unwrap();
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    let (outcome, ()) = tokio::join!(send("2"), async {
        let call = side.server.call().await;
        assert!(before.elapsed() > Duration::from_secs(3), "{:?}", before.elapsed());
        call.json_answer(200, json!({})).await;
    });
    outcome.unwrap();
    tokio::time::resume();
    // Everywhere.
    let global = "HTTP/1.1 429 X\r\nretry-after: 65\r\nx-ratelimit-global: true\r\nconnection: close\r\n\r\n";
    let body = r#"{"message":"You are being rate limited.","retry_after":65.0,"global":true}"#;
    let (outcome, ()) = tokio::join!(send("3"), async { side.server.call().await.raw(global, body).await });
    assert_eq!(asked(outcome), Duration::from_secs(65));
    assert!(asked(send("4").await) > Duration::from_secs(50));
}

#[tokio::test]
async fn a_page_that_asks_to_wait_is_believed_too() {
    let page = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
    let (outcome, ()) = sent(async |side| side.server.call().await.raw(page, "<html>").await).await;
    let seven = Duration::from_secs(7);
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after: Some(wait), .. }) if *wait == seven),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn typing_is_shown_and_nobody_waits_for_it_for_long() {
    let side = Side::start().await;
    let bot = side.bot();
    // Whatever this sent would be the first call.
    bot.show_typing(&ReplyRoute::new("../x")).await;
    let ((), call) = tokio::join!(async { bot.show_typing(&route()).await }, async {
        let call = side.server.call().await;
        (call.line.clone(), call.stall())
    });
    unstall(call.1);
    assert_eq!(call.0, format!("POST /channels/{CHANNEL}/typing"));
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let side = Side::start().await;
    let bot = side.bot();
    let cut = |call: Call| drop(call);
    let (outcome, ()) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, async {
        for _ in 0..3 {
            cut(side.server.call().await);
        }
    });
    let mut errors = vec![format!("{outcome:?}")];
    drop(side);
    errors.push(format!("{:?}", bot.send_text(&route(), &text("hi")).await));
    for error in errors {
        assert!(error.contains("Discord") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn what_cannot_be_an_address_is_refused() {
    let refusal = |base: &str, proxy: Option<&str>| {
        let mut config = Config::new(Secret::new(TOKEN));
        config.api_base = base.to_owned();
        config.proxy = proxy.map(Secret::new);
        Discord::open(Setup::new(account()), config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for base in ["", "discord.com", "ftp://x", "https://x/?a"] {
        assert!(refusal(base, None).starts_with("`api_base`"), "{base}");
    }
    let refused = refusal("https://discord.com/api/v10", Some("socks5://me:pw@x"));
    assert!(refused.starts_with("`proxy`") && !refused.contains("pw"), "{refused}");
    assert_eq!(refusal("http://127.0.0.1:8081/api/v10", Some("http://127.0.0.1:3128")), "");
}
