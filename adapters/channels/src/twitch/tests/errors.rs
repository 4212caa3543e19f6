//! Whispers of ours, and an API that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

/// What becomes of a text while Twitch does this.
async fn sent<T>(serve: impl AsyncFnOnce(&Side) -> T) -> (Result<(), SendError>, T) {
    let side = Side::start().await;
    let bot = side.bot();
    tokio::join!(async { bot.send_text(&ReplyRoute::new("42"), &text("hi")).await }, async {
        side.validate("fixeds3cret").await;
        serve(&side).await
    })
}

#[tokio::test]
async fn a_whisper_goes_from_our_own_user() {
    let (outcome, call) = sent(async |side| {
        let call = side.server.call().await;
        let seen = (call.line.clone(), call.json(), call.header("client-id").map(str::to_owned));
        call.answer(204, "").await;
        let kept = side.keeper.load().await.unwrap().unwrap();
        assert!(kept.contains("[42,"), "whom we wrote to today is saved before we do: {kept}");
        seen
    })
    .await;
    outcome.unwrap();
    assert_eq!(call.0, format!("POST /helix/whispers?from_user_id={OWN}&to_user_id=42"));
    assert_eq!((call.1, call.2), (json!({ "message": "hi" }), Some("client5".to_owned())));
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    for (status, message, is_hopeless) in [
        (400, "The user that you're sending the whisper to doesn't allow whisper messages", true),
        (404, "The ID in to_user_id was not found", true),
        (400, "The ID in the from_user_id query parameter must match the user ID in the token", false),
        (401, "the sender does not have a verified phone number", false),
        (403, "Suspending the account", false),
        (429, "slow", false),
    ] {
        let (outcome, ()) = sent(async |side| refuse(side.server.call().await, status, message).await).await;
        let outcome = outcome.unwrap_err();
        assert_eq!(matches!(outcome, SendError::Impossible { .. }), is_hopeless, "{outcome}");
        assert!(is_hopeless || matches!(outcome, SendError::Failed { .. }), "{outcome}");
        assert!(outcome.to_string().contains(message), "{outcome}");
    }
    let (outcome, ()) = sent(async |side| refuse(side.server.call().await, 500, "internal").await).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = sent(async |side| drop(side.server.call().await)).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = sent(async |side| side.server.call().await.answer(502, "<html>").await).await;
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, stalled) = sent(async |side| side.server.call().await.stall()).await;
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
}

#[tokio::test]
async fn who_is_asked_to_wait_says_how_long() {
    let until = NOW / 1_000 + 40;
    let slow = format!("HTTP/1.1 429 X\r\nRatelimit-Reset: {until}\r\nconnection: close\r\n\r\n");
    let body = r#"{"error":"Too Many Requests","status":429,"message":"slow"}"#;
    let (outcome, ()) = sent(async |side| side.server.call().await.raw(&slow, body).await).await;
    let wait = Duration::from_secs(40);
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after: Some(asked), .. }) if *asked == wait),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn nothing_leaves_before_we_know_who_we_are() {
    let side = Side::start().await;
    let bot = side.bot();
    let (outcome, ()) =
        tokio::join!(async { bot.send_text(&ReplyRoute::new("42"), &text("hi")).await }, async {
            drop(side.server.call().await);
        });
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    for wrong in ["", "0", "-1", "x", "42&to_user_id=43", " 42"] {
        let outcome = bot.send_text(&ReplyRoute::new(wrong), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{wrong}");
    }
    let outcome = bot.send_text(&ReplyRoute::new("42"), &text(" ")).await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{outcome:?}");
}

#[tokio::test]
async fn the_forty_first_user_of_a_day_waits_also_after_a_restart() {
    let side = Side::start().await;
    let now = side.clock.world().clock.now();
    let mut place = Place::default();
    for user in 100..140 {
        place.add(user, false, now).unwrap();
    }
    side.keeper.save(&serde_json::to_string(&place).unwrap()).await.unwrap();
    let bot = side.bot();
    let (me, ()) = tokio::join!(bot.identify(), side.validate("fixeds3cret"));
    me.unwrap();
    let outcome = bot.send_text(&ReplyRoute::new("42"), &text("hi")).await;
    let day = Duration::from_secs(86_400);
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after: Some(wait), .. }) if *wait == day),
        "{outcome:?}"
    );
    let (outcome, ()) =
        tokio::join!(async { bot.send_text(&ReplyRoute::new("100"), &text("hi")).await }, async {
            side.server.call().await.answer(204, "").await;
        });
    outcome.unwrap();
}

#[tokio::test]
async fn i11_the_twenty_first_code_of_a_day_waits_and_an_answer_does_not() {
    let side = Side::start().await;
    let now = side.clock.world().clock.now();
    let mut place = Place::default();
    for user in 100..120 {
        place.add(user, true, now).unwrap();
    }
    side.keeper.save(&serde_json::to_string(&place).unwrap()).await.unwrap();
    let bot = side.bot();
    let (me, ()) = tokio::join!(bot.identify(), side.validate("fixeds3cret"));
    me.unwrap();
    let code = OutboundText { kind: dmgate::TextKind::Challenge, ..text("your code") };
    let outcome = bot.send_text(&ReplyRoute::new("42"), &code).await;
    assert!(matches!(outcome, Err(SendError::Failed { retry_after: Some(_), .. })), "{outcome:?}");
    let (outcome, ()) =
        tokio::join!(async { bot.send_text(&ReplyRoute::new("42"), &text("hi")).await }, async {
            side.server.call().await.answer(204, "").await;
        });
    outcome.unwrap();
}

#[tokio::test]
async fn whispers_keep_their_distance() {
    let sending = send::Sending::default();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    for _ in 0..4 {
        sending.turn(PACE.whisper).await;
    }
    let took = begun.elapsed();
    assert!(took >= PACE.whisper * 3 && took < PACE.whisper * 4, "{took:?}");
}

#[test]
fn what_cannot_be_an_address_is_refused() {
    let refusal = |change: fn(&mut Config)| {
        let mut config = Config::new("client5".to_owned());
        change(&mut config);
        Twitch::open(Setup::new(account()), config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refusal(|_| ()), "");
    assert!(refusal(|config| config.api_base = "x".to_owned()).starts_with("`api_base`"));
    assert!(refusal(|config| config.auth_base = "ftp://x".to_owned()).starts_with("`auth_base`"));
    assert!(refusal(|config| config.socket_url = "https://x".to_owned()).starts_with("`socket_url`"));
    assert!(refusal(|config| config.proxy = Some(Secret::new("socks5://x"))).starts_with("`proxy`"));
}
