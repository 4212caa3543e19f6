//! Tokens: what renews them is kept; logging in.

use super::*;
use crate::login::tests::FakeScreen;
use crate::login::{LoggedIn, Login, LoginError};
use crate::options::Options;

impl Side {
    /// Renews a token.
    async fn renew(&self, with: &str, access_token: &str, refresh_token: &str) {
        let call = self.server.call().await;
        assert_eq!(call.line, "POST /oauth2/token");
        let form = format!("client_id=client5&grant_type=refresh_token&refresh_token={with}");
        assert_eq!(call.body, form);
        let granted = json!({
            "access_token": access_token, "refresh_token": refresh_token, "expires_in": 14_124,
            "scope": ["user:manage:whispers"], "token_type": "bearer",
        });
        call.json_answer(200, granted).await;
    }

    fn renewing(&self, refresh_token: &str) -> Arc<Twitch> {
        self.bot_with(|config| config.refresh_token = Some(Secret::new(refresh_token)))
    }
}

#[tokio::test]
async fn what_renews_the_token_is_kept_and_the_owners_newer_word_counts_more() {
    let side = Side::start().await;
    for (given, with, next) in [
        ("r1s3cret", "r1s3cret", "r2s3cret"),
        // After a restart what came in its place, since Twitch takes some only once.
        ("r1s3cret", "r2s3cret", "r3s3cret"),
        ("r1s3cret", "r3s3cret", "r3s3cret"),
        // The owner gave another one meanwhile.
        ("r9s3cret", "r9s3cret", "r10s3cret"),
        ("r9s3cret", "r10s3cret", "r11s3cret"),
    ] {
        let bot = side.renewing(given);
        let (me, ()) = tokio::join!(bot.identify(), async {
            side.renew(with, "a1", next).await;
            side.validate("a1").await;
        });
        assert_eq!(me.unwrap().user_id, OWN);
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_when_it_is_refused() {
    let side = Side::start().await;
    let bot = side.renewing("r1");
    let (me, ()) = tokio::join!(bot.identify(), async {
        side.renew("r1", "a1", "r2").await;
        side.validate("a1").await;
    });
    me.unwrap();
    let (sent, ()) =
        tokio::join!(async { bot.send_text(&ReplyRoute::new("42"), &text("hi")).await }, async {
            let call = side.server.call().await;
            assert_eq!(call.header("authorization"), Some("Bearer a1"));
            refuse(call, 401, "Invalid OAuth token").await;
            side.renew("r2", "a2", "r3").await;
            let call = side.server.call().await;
            assert_eq!(call.header("authorization"), Some("Bearer a2"));
            call.answer(204, "").await;
        });
    sent.unwrap();
    side.clock.advance(std::time::Duration::from_secs(14_100));
    let (sent, ()) =
        tokio::join!(async { bot.send_text(&ReplyRoute::new("42"), &text("hi")).await }, async {
            side.renew("r3", "a3", "r4").await;
            side.server.call().await.answer(204, "").await;
        });
    sent.unwrap();
}

#[tokio::test]
async fn a_renewal_that_nobody_waits_for_is_still_kept() {
    let side = Side::start().await;
    let bot = side.renewing("r1");
    let call = tokio::select! {
        _ = bot.identify() => panic!("it is not answered yet"),
        call = side.server.call() => call,
    };
    // Whoever asked is gone.
    let granted = json!({ "access_token": "a1", "refresh_token": "r2", "expires_in": 14_124 });
    call.json_answer(200, granted).await;
    while side.keeper.load().await.unwrap().is_none_or(|document| !document.contains("\"r2\"")) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_token_that_does_not_do_is_named_with_what_to_do() {
    let answer = |change: fn(&mut Value)| {
        let mut answer = valid();
        change(&mut answer);
        answer
    };
    for (answer, words) in [
        (answer(|me| me["client_id"] = json!("another")), "another application"),
        (answer(|me| me["scopes"] = json!(["user:read:whispers"])), "lacks the scope user:manage:whispers"),
        (answer(|me| me["scopes"] = Value::Null), "it does not say"),
    ] {
        let side = Side::start().await;
        let running = run(&side.bot(), 8);
        side.server.call().await.json_answer(200, answer).await;
        if words == "it does not say" {
            running.lose(words).await;
            continue;
        }
        let status = running.bot.status.reach(|status| !matches!(status, ChannelStatus::Connecting(_))).await;
        assert!(matches!(status, ChannelStatus::NeedsLogin(_)), "{status:?}");
        let reason = running.refusal().await;
        assert!(reason.contains(words) && reason.contains("`token`"), "{reason}");
    }
    let side = Side::start().await;
    let running = run(&side.renewing("r1s3cret"), 8);
    refuse(side.server.call().await, 400, "Invalid refresh token r1s3cret").await;
    let reason = running.refusal().await;
    assert!(reason.contains("`refresh_token`") && reason.contains("Invalid refresh token"), "{reason}");
}

#[tokio::test]
async fn who_is_not_logged_in_waits_for_it() {
    let side = Side::start().await;
    let mut running = run(&side.bot_with(|_| ()), 8);
    let told = |status: &ChannelStatus| matches!(status, ChannelStatus::NeedsLogin(reason) if reason.contains("dmgate channels login twitch"));
    running.bot.status.reach(told).await;
    // Another process writes it.
    side.login.save(r#"{"refresh_token":"r1"}"#).await.unwrap();
    side.renew("r1", "fixeds3cret", "r2").await;
    let mut peer = side.begin().await;
    running.ready().await;
    peer.say(&said("1", "one")).await;
    assert_eq!(running.text().await, "one");
    running.stop().await;
}

/// Logs in while Twitch does this.
async fn logged_in(
    side: &Side,
    serve: impl AsyncFnOnce(&Side),
) -> (Result<LoggedIn, LoginError>, FakeScreen) {
    let config = side.config();
    let options = Options::new()
        .with("client_id", "client5")
        .with("api_base", config.api_base.as_str())
        .with("auth_base", config.auth_base.as_str());
    let mut screen = FakeScreen::default();
    let login = Login { setup: side.setup(), options: &options, others: Vec::new(), screen: &mut screen };
    let (outcome, ()) = tokio::join!(login::log_in_by(login, NO_WAIT), serve(side));
    (outcome, screen)
}

fn device(expires_in: u64) -> Value {
    json!({
        "device_code": "deviceS3cret", "expires_in": expires_in, "interval": 1, "user_code": "ABCDEFGH",
        "verification_uri": "https://www.twitch.tv/activate?public=true&device-code=ABCDEFGH",
    })
}

#[tokio::test]
async fn the_owner_logs_in_with_a_browser() {
    let side = Side::start().await;
    let (outcome, screen) = logged_in(&side, async |side| {
        let call = side.server.call().await;
        assert_eq!(
            (call.line.as_str(), &call.body[..]),
            ("POST /oauth2/device", &b"client_id=client5&scopes=user%3Amanage%3Awhispers"[..])
        );
        call.json_answer(200, device(1_800)).await;
        let call = side.server.call().await;
        let form = "client_id=client5&scopes=user%3Amanage%3Awhispers&device_code=deviceS3cret&grant_type=\
                    urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
        assert_eq!(call.body, form);
        refuse(call, 400, "authorization_pending").await;
        drop(side.server.call().await);
        let granted = json!({ "access_token": "a1", "refresh_token": "r1s3cret", "expires_in": 14_124 });
        side.server.call().await.json_answer(200, granted).await;
    })
    .await;
    assert_eq!(outcome.unwrap().told, "Logged in.");
    assert_eq!(screen.codes, ["https://www.twitch.tv/activate?public=true&device-code=ABCDEFGH"]);
    assert!(screen.said[0].contains("ABCDEFGH") && !screen.said[0].contains("S3cret"), "{:?}", screen.said);
    assert_eq!(side.login.load().await.unwrap().unwrap(), r#"{"refresh_token":"r1s3cret"}"#);
    assert_eq!(side.keeper.load().await, Ok(None), "that is `run`'s");
}

#[tokio::test]
async fn a_login_that_nobody_allows_ends() {
    let side = Side::start().await;
    let (outcome, _) = logged_in(&side, async |side| {
        side.server.call().await.json_answer(200, device(2)).await;
        refuse(side.server.call().await, 400, "authorization_pending").await;
    })
    .await;
    assert!(outcome.unwrap_err().to_string().contains("in time"));
    let (outcome, _) = logged_in(&side, async |side| {
        side.server.call().await.json_answer(200, device(1_800)).await;
        refuse(side.server.call().await, 400, "invalid device code").await;
    })
    .await;
    assert!(matches!(outcome, Err(LoginError::Failed(_))));
    let (outcome, _) = logged_in(&side, async |side| {
        refuse(side.server.call().await, 400, "invalid client").await;
    })
    .await;
    let told = outcome.unwrap_err().to_string();
    assert!(told.contains("`client_id`") && told.contains("invalid client"), "{told}");
}
