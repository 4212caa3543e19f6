//! Web hooks: what proves them, and the subscription that brings them.

use http::Request;

use super::*;
use crate::signature::Signature;

const URL: &str = "https://gate.example.org/webhooks/twitch/default";

/// A call of Twitch's, as a case describes it: `id`, `kind`, `payload` or `raw`; `stamp`, `secret`, `unsigned`, `another`
/// (a body that was not the one that is signed).
pub(super) fn signed(given: &Value) -> Request<Bytes> {
    let text = |name: &str, usual: &str| given[name].as_str().unwrap_or(usual).to_owned();
    let (id, stamp) = (text("id", "m1"), text("stamp", STAMP));
    let body = given["raw"].as_str().map_or_else(|| given["payload"].to_string(), str::to_owned);
    let blanks = usize::try_from(given["blanks"].as_u64().unwrap_or_default()).unwrap();
    let body = format!("{body}{}", " ".repeat(blanks));
    let secret = Secret::new(text("secret", SECRET));
    let signature = Signature::hmac(&secret, &[id.as_bytes(), stamp.as_bytes(), body.as_bytes()]).to_hex();
    let mut request = Request::post("/webhooks/twitch/default")
        .header("content-type", "application/json")
        .header("Twitch-Eventsub-Message-Id", id)
        .header("Twitch-Eventsub-Message-Timestamp", stamp)
        .header("Twitch-Eventsub-Message-Type", text("kind", "notification"))
        .header("Twitch-Eventsub-Message-Retry", "0");
    for signature in match given["signature"].as_str() {
        Some("none") => vec![],
        Some("twice") => vec![format!("sha256={signature}"), format!("sha256={signature}")],
        Some("bare") => vec![signature],
        Some("short") => vec![format!("sha256={}", &signature[..62])],
        Some("sha1") => vec![format!("sha1={signature}")],
        _ => vec![format!("sha256={signature}")],
    } {
        request = request.header("Twitch-Eventsub-Message-Signature", signature);
    }
    request.body(given["another"].as_str().map_or(body, str::to_owned).into()).unwrap()
}

/// What an account answers to a call; how many messages come of it.
async fn answered(bot: &Twitch, request: Request<Bytes>) -> (u16, usize) {
    let (head, body) = request.into_parts();
    let refused = bot.refuses(&head);
    let answer = bot.webhook(Request::from_parts(head, body)).await.taken();
    assert!(refused.is_none_or(|refused| refused == answer.response.status()));
    (answer.response.status().as_u16(), answer.messages.len())
}

fn without(name: &str) -> Request<Bytes> {
    let mut request = signed(&json!({ "payload": whisper("1", "hello") }));
    request.headers_mut().remove(name).unwrap();
    request
}

async fn known(side: &Side) -> Arc<Twitch> {
    let bot = side.hooked();
    let (me, ()) = tokio::join!(bot.identify(), side.validate("fixeds3cret"));
    me.unwrap();
    bot
}

#[tokio::test]
async fn i14_only_what_twitch_signed_a_moment_ago_is_taken_and_once() {
    let side = Side::start().await;
    let bot = known(&side).await;
    let payload = || whisper("1", "hello");
    for (what, given) in [
        ("another secret", json!({ "payload": payload(), "secret": "another secret of ten" })),
        ("an empty secret", json!({ "payload": payload(), "secret": "" })),
        ("no signature", json!({ "payload": payload(), "signature": "none" })),
        ("two signatures", json!({ "payload": payload(), "signature": "twice" })),
        ("no kind of signature", json!({ "payload": payload(), "signature": "bare" })),
        ("another kind of signature", json!({ "payload": payload(), "signature": "sha1" })),
        ("half a signature", json!({ "payload": payload(), "signature": "short" })),
        ("another body", json!({ "payload": payload(), "another": whisper("1", "hellp").to_string() })),
        ("an old stamp", json!({ "payload": payload(), "stamp": "2025-12-31T23:38:20Z" })),
        ("a stamp to come", json!({ "payload": payload(), "stamp": "2025-12-31T23:58:22Z" })),
        ("no stamp", json!({ "payload": payload(), "stamp": "yesterday" })),
    ] {
        assert_eq!(answered(&bot, signed(&given)).await, (401, 0), "{what}");
    }
    for header in ["id", "timestamp", "signature", "type"] {
        let name = format!("twitch-eventsub-message-{header}");
        assert_eq!(answered(&bot, without(&name)).await, (401, 0), "{name}");
    }
    let mut get = signed(&json!({ "payload": payload() }));
    *get.method_mut() = http::Method::GET;
    assert_eq!(answered(&bot, get).await, (405, 0));
    let large = json!({ "payload": payload(), "blanks": 1024 * 1024 });
    assert_eq!(answered(&bot, signed(&large)).await, (413, 0));

    // Nothing of that was used up.
    let good = json!({ "payload": payload() });
    assert_eq!(answered(&bot, signed(&good)).await, (204, 1));
    assert_eq!(answered(&bot, signed(&good)).await, (204, 0), "Twitch repeats what it thinks we did not get");
    for stamp in ["2025-12-31T23:38:21Z", "2025-12-31T23:58:21Z"] {
        let given = json!({ "payload": payload(), "stamp": stamp, "id": stamp });
        assert_eq!(answered(&bot, signed(&given)).await, (204, 1), "{stamp}: just in time");
    }
    assert_eq!(answered(&bot, signed(&json!({ "raw": "no json", "id": "m9" }))).await, (400, 0));
}

#[tokio::test]
async fn an_account_with_a_socket_has_no_web_hook() {
    let side = Side::start().await;
    let request = signed(&json!({ "payload": whisper("1", "hello") }));
    assert_eq!(answered(&side.bot(), request).await, (404, 0));
}

#[tokio::test]
async fn who_does_not_know_itself_yet_has_twitch_come_again() {
    let side = Side::start().await;
    let bot = side.hooked();
    let good = json!({ "payload": whisper("1", "hello") });
    assert_eq!(answered(&bot, signed(&good)).await, (503, 0));
    let (me, ()) = tokio::join!(bot.identify(), side.validate("fixeds3cret"));
    me.unwrap();
    assert_eq!(answered(&bot, signed(&good)).await, (204, 1));
}

#[tokio::test]
async fn a_burst_is_taken_call_by_call_and_remembered_within_bounds() {
    let side = Side::start().await;
    let bot = known(&side).await;
    for number in 0..10_000 {
        let id = number.to_string();
        let given = json!({ "id": id, "payload": whisper(&id, "hello") });
        assert_eq!(answered(&bot, signed(&given)).await, (204, 1));
    }
    assert_eq!(bot.seen.len(), 4_096);
}

impl Side {
    /// Gives the application its token.
    async fn app_token(&self) {
        let call = self.server.call().await;
        assert_eq!(call.line, "POST /oauth2/token");
        let form = "client_id=client5&client_secret=clients3cret&grant_type=client_credentials";
        assert_eq!(call.body, form);
        let granted = json!({ "access_token": "apps3cret", "expires_in": 5_011_271, "token_type": "bearer" });
        call.json_answer(200, granted).await;
    }

    /// Says which subscriptions there are.
    async fn list(&self, subscriptions: Value) {
        let call = self.server.call().await;
        assert_eq!(call.line, "GET /helix/eventsub/subscriptions?type=user.whisper.message");
        assert_eq!(call.header("authorization"), Some("Bearer apps3cret"));
        call.json_answer(200, json!({ "total": 1, "data": subscriptions, "pagination": {} })).await;
    }

    async fn unsubscribe(&self, id: &str) {
        let call = self.server.call().await;
        assert_eq!(call.line, format!("DELETE /helix/eventsub/subscriptions?id={id}"));
        call.answer(204, "").await;
    }

    /// Takes a subscription, and sees whether the account is there.
    async fn take(&self, bot: &Twitch, id: &str) {
        let call = self.server.call().await;
        assert_eq!(call.line, "POST /helix/eventsub/subscriptions");
        assert_eq!(call.header("authorization"), Some("Bearer apps3cret"));
        let transport = json!({ "method": "webhook", "callback": URL, "secret": SECRET });
        assert_eq!(call.json()["transport"], transport);
        let pending = listed(id, "webhook_callback_verification_pending", URL);
        call.json_answer(202, json!({ "data": [pending] })).await;
        self.challenge(bot).await;
    }

    async fn challenge(&self, bot: &Twitch) {
        let payload = json!({ "challenge": "pogchamp-kappa-360noscope-vohiyo", "subscription": {} });
        let call =
            signed(&json!({ "kind": "webhook_callback_verification", "id": "c1", "payload": payload }));
        let answer = bot.webhook(call).await.taken();
        assert_eq!(answer.response.status(), 200);
        assert_eq!(answer.response.body(), "pogchamp-kappa-360noscope-vohiyo");
        let media_type = answer.response.headers()["content-type"].to_str().unwrap();
        assert!(media_type.starts_with("text/plain"), "{media_type}");
    }
}

#[tokio::test]
async fn a_subscription_is_made_once_and_kept_over_restarts() {
    let side = Side::start().await;
    let bot = side.hooked();
    let first = run(&bot, 8);
    side.validate("fixeds3cret").await;
    side.app_token().await;
    // What leads elsewhere is somebody else's; what leads here is of an earlier life.
    let elsewhere = listed("else", "enabled", "https://else.example.org/");
    side.list(json!([elsewhere, listed("old", "webhook_callback_verification_failed", URL)])).await;
    side.unsubscribe("old").await;
    assert_ne!(bot.status(), ChannelStatus::Ready);
    side.take(&bot, "new-1").await;
    first.ready().await;
    assert_eq!(answered(&bot, signed(&json!({ "payload": whisper("1", "hello") }))).await, (204, 1));
    first.stop().await;

    let second = run(&side.hooked(), 8);
    side.validate("fixeds3cret").await;
    side.app_token().await;
    side.list(json!([listed("new-1", "enabled", URL)])).await;
    second.ready().await;
    second.stop().await;

    // With another secret the old one's calls could not be verified.
    let third = side.bot_with(|config| {
        config.token = Some(Secret::new("fixeds3cret"));
        config.mode = Mode::Webhook;
        config.client_secret = Some(Secret::new("clients3cret"));
        config.webhook_secret = Some(Secret::new("a later s3cret"));
    });
    let _third = run(&third, 8);
    side.validate("fixeds3cret").await;
    side.app_token().await;
    side.list(json!([listed("new-1", "enabled", URL)])).await;
    side.unsubscribe("new-1").await;
}

#[tokio::test]
async fn who_is_not_reached_is_told_and_tries_again() {
    let side = Side::start().await;
    let bot = side.hooked();
    let running = run(&bot, 8);
    side.validate("fixeds3cret").await;
    side.app_token().await;
    side.list(json!([])).await;
    let call = side.server.call().await;
    let pending = listed("new-1", "webhook_callback_verification_pending", URL);
    call.json_answer(202, json!({ "data": [pending] })).await;
    tokio::time::pause();
    running.lose("does not reach us at https://gate.example.org").await;
    tokio::time::resume();
    side.validate("fixeds3cret").await;
    side.list(json!([listed("new-1", "webhook_callback_verification_failed", URL)])).await;
    side.unsubscribe("new-1").await;
    side.take(&bot, "new-2").await;
    running.ready().await;

    // It ends, and is made anew.
    let revocation = json!({ "subscription": listed("new-2", "notification_failures_exceeded", URL) });
    let call = signed(&json!({ "kind": "revocation", "id": "r1", "payload": revocation }));
    assert_eq!(answered(&bot, call).await, (204, 0));
    running.lose("notification_failures_exceeded").await;
    side.validate("fixeds3cret").await;
    side.list(json!([])).await;
    side.take(&bot, "new-3").await;
    running.ready().await;
    let revocation = json!({ "subscription": listed("new-3", "user_removed", URL) });
    let call = signed(&json!({ "kind": "revocation", "id": "r2", "payload": revocation }));
    assert_eq!(answered(&bot, call).await, (204, 0));
    assert!(running.refusal().await.contains("does not exist any more"));
}

#[tokio::test]
async fn an_application_that_twitch_does_not_take_is_refused() {
    let side = Side::start().await;
    let running = run(&side.hooked(), 8);
    side.validate("fixeds3cret").await;
    refuse(side.server.call().await, 403, "invalid client secret").await;
    let reason = running.refusal().await;
    assert!(reason.contains("`client_secret`") && reason.contains("invalid client secret"), "{reason}");

    let side = Side::start().await;
    let running = run(&side.hooked(), 8);
    side.validate("fixeds3cret").await;
    side.app_token().await;
    side.list(json!([])).await;
    refuse(side.server.call().await, 403, "subscription missing proper authorization").await;
    assert!(running.refusal().await.contains("has to allow the application"));
}

#[test]
fn what_a_web_hook_needs_is_asked_for() {
    let side = |change: fn(&mut Config), public_url: Option<&str>| {
        let mut config = Config::new("client5".to_owned());
        config.mode = Mode::Webhook;
        config.client_secret = Some(Secret::new("clients3cret"));
        config.webhook_secret = Some(Secret::new(SECRET));
        change(&mut config);
        let mut setup = Setup::new(account());
        setup.public_url = public_url.map(str::to_owned);
        Twitch::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let url = Some("https://gate.example.org");
    assert_eq!(side(|_| (), url), "");
    assert!(side(|_| (), None).contains("public_url"));
    assert!(side(|config| config.client_secret = None, url).starts_with("`client_secret`"));
    assert!(side(|config| config.webhook_secret = None, url).starts_with("`webhook_secret`"));
    for secret in ["short", "", "ümlaut in the secret", "line\nin the secret"] {
        let mut config = Config::new("client5".to_owned());
        config.mode = Mode::Webhook;
        config.client_secret = Some(Secret::new("clients3cret"));
        config.webhook_secret = Some(Secret::new(secret));
        let mut setup = Setup::new(account());
        setup.public_url = url.map(str::to_owned);
        let refused = Twitch::open(setup, config).err().unwrap().to_string();
        assert!(
            refused.starts_with("`webhook_secret`") && (secret.is_empty() || !refused.contains(secret)),
            "{refused}"
        );
    }
}
