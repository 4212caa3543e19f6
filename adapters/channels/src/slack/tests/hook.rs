//! The web hook: what is proven, what is answered.

use super::*;
use crate::fake_server::unstall;
use crate::signature::Signature;

/// A request as Slack makes it, or nearly: a case may give another `secret`, an age (`old`, in seconds), what stands in
/// place of the `signature` and of the `stamp` (null for nothing), a body that was changed afterwards (`forged`).
pub(super) fn signed(given: &Value, kind: &str, body: &str) -> http::Request<Bytes> {
    let stamp = (NOW - given["old"].as_i64().unwrap_or_default()).to_string();
    let secret = Secret::new(given["secret"].as_str().unwrap_or(SECRET));
    let signature = Signature::hmac(&secret, &[b"v0:", stamp.as_bytes(), b":", body.as_bytes()]);
    let signature = json!(format!("v0={}", signature.to_hex()));
    let mut request = http::Request::post("/webhooks/slack/default").header("content-type", kind);
    for (name, key, value) in
        [("x-slack-request-timestamp", "stamp", json!(stamp)), ("x-slack-signature", "signature", signature)]
    {
        if let Some(value) = given.get(key).unwrap_or(&value).as_str() {
            request = request.header(name, value);
        }
    }
    let body = given["forged"].as_str().unwrap_or(body);
    request.body(Bytes::from(body.to_owned())).unwrap()
}

async fn post(bot: &Slack, given: &Value, kind: &str, body: &str) -> (u16, Bytes, Vec<InboundMessage>) {
    let request = signed(given, kind, body);
    let answer = bot.webhook(request).await.taken();
    (answer.response.status().as_u16(), answer.response.into_body(), answer.messages)
}

#[tokio::test]
async fn slack_is_told_its_challenge_and_nobody_else_is() {
    let fake = Fake::start().await;
    let bot = fake.hooked();
    let body = json!({ "type": "url_verification", "token": "x", "challenge": "3eZbrw" }).to_string();
    let (status, answer, messages) = post(&bot, &json!({}), "application/json", &body).await;
    assert_eq!((status, &answer[..], messages.len()), (200, &b"3eZbrw"[..], 0));
    let (status, answer, _) = post(&bot, &json!({ "secret": "another" }), "application/json", &body).await;
    assert_eq!((status, answer.len()), (401, 0));
    let (status, ..) = post(&bot, &json!({}), "application/json", r#"{"type":"url_verification"}"#).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn i14_the_published_example_is_right_and_nothing_near_it() {
    // Of Slack's page on verifying requests.
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
                trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let bot = Fake::start().await.hooked();
    let clock = ManualClock::at(1_531_420_618_000);
    let mut bot = Arc::into_inner(bot).unwrap();
    bot.world.clock = clock.world().clock;
    bot.hook = Some(Hook::new(Secret::new("8f742231b10e8888abcd99yyyzzz85a5")));
    let given = json!({ "stamp": "1531420618", "signature": signature });
    let kind = "application/x-www-form-urlencoded";
    let (status, _, messages) = post(&bot, &given, kind, body).await;
    assert_eq!((status, messages.len()), (200, 1));
    assert_eq!(
        (messages[0].text.as_str(), messages[0].sender.primary().as_str()),
        ("/webhook-collect", "T1DC2JH3J:U2CERLKJA")
    );
    assert_eq!(post(&bot, &given, kind, &body.replace("text=", "text=x")).await.0, 401);
    assert_eq!(post(&bot, &given, kind, &format!("{body}\n")).await.0, 401);
    let stamp = json!({ "stamp": "1531420619", "signature": signature });
    assert_eq!(post(&bot, &stamp, kind, body).await.0, 401);
    clock.advance(Duration::from_secs(301));
    assert_eq!(post(&bot, &given, kind, body).await.0, 401);
}

#[tokio::test]
async fn i14_what_is_refused_uses_nothing_up_and_a_repeat_counts_once() {
    let bot = Fake::start().await.hooked();
    let body = envelope(&hello(1)).to_string();
    for wrong in
        [json!({ "secret": "wrong" }), json!({ "secret": "" }), json!({ "old": 301 }), json!({ "old": -301 })]
    {
        assert_eq!(post(&bot, &wrong, "application/json", &body).await.0, 401, "{wrong}");
    }
    for expected in [1, 0, 0] {
        let (status, _, messages) = post(&bot, &json!({}), "application/json", &body).await;
        assert_eq!((status, messages.len()), (200, expected));
    }
    let twice = signed(&json!({}), "application/json", &body);
    let (mut head, body) = twice.into_parts();
    let signature = head.headers["x-slack-signature"].clone();
    head.headers.append("x-slack-signature", signature);
    assert_eq!(bot.refuses(&head).unwrap(), 401);
    assert_eq!(bot.webhook(http::Request::from_parts(head, body)).await.response.status(), 401);
}

#[tokio::test]
async fn an_event_waits_until_we_know_who_we_are() {
    let fake = Fake::start().await;
    let mut bot = Arc::into_inner(fake.hooked()).unwrap();
    bot.identity = OnceLock::new();
    let running = run(&Arc::new(bot), 8);
    let body = envelope(&hello(1)).to_string();
    assert_eq!(post(&running.bot, &json!({}), "application/json", &body).await.0, 503);
    fake.calls.call().await.json_answer(200, json!({ "ok": false, "error": "fatal_error" })).await;
    let call = fake.calls.call().await;
    assert!(
        matches!(running.bot.status(), ChannelStatus::Connecting(Some(why)) if why.contains("fatal_error"))
    );
    fake.answer(call).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    let (status, _, messages) = post(&running.bot, &json!({}), "application/json", &body).await;
    assert_eq!((status, messages.len()), (200, 1), "it comes again, and is new");
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_burst_is_taken_with_bounded_memory() {
    let bot = Fake::start().await.hooked();
    for number in 0..10_000 {
        let body = envelope(&hello(number)).to_string();
        let (status, _, messages) = post(&bot, &json!({}), "application/json", &body).await;
        assert_eq!((status, messages.len()), (200, 1), "{number}");
    }
    assert_eq!(bot.seen.len(), REMEMBERED);
}

#[tokio::test]
async fn i16_silence_makes_no_conversation_one_to_one() {
    let fake = Fake::start().await;
    let bot = fake.hooked();
    let mut given = hello(1);
    given["event"]["channel_type"] = Value::Null;
    let body = envelope(&given).to_string();
    let given = json!({});
    let (taken, stalled) = tokio::join!(post(&bot, &given, "application/json", &body), async {
        fake.calls.call().await.stall()
    });
    unstall(stalled);
    assert_eq!((taken.0, taken.2.len()), (503, 0), "Slack sends it again");
}

#[tokio::test]
async fn a_bot_with_sockets_takes_no_web_hooks() {
    let bot = Fake::start().await.bot(|config| config.signing_secret = Some(Secret::new(SECRET)));
    let body = envelope(&hello(1)).to_string();
    let (status, _, messages) = post(&bot, &json!({}), "application/json", &body).await;
    assert_eq!((status, messages.len()), (404, 0));
    let (head, _) = signed(&json!({}), "application/json", &body).into_parts();
    assert_eq!(bot.refuses(&head).unwrap(), 404);
}

/// What Ann's command to the bot is.
fn command(trigger: &str) -> String {
    format!(
        "team_id=T01HOME&channel_id=D01ANN&channel_name=directmessage&user_id=U07ANN&user_name=ann&command=%2Fask&\
         text=milk&trigger_id={trigger}"
    )
}

#[tokio::test]
async fn i16_where_slack_does_not_say_whether_it_is_direct_it_has_to_come_again() {
    let fake = Fake::start().await;
    let bot = fake.hooked();
    let kind = "application/x-www-form-urlencoded";
    let given = json!({});
    for (status, answer) in [
        (503, json!("<html>")),
        (200, json!({ "ok": false, "error": "internal_error" })),
        (429, json!({ "ok": false, "error": "ratelimited" })),
    ] {
        let ask = command("t1");
        let ((answered, _, messages), ()) = tokio::join!(post(&bot, &given, kind, &ask), async {
            fake.calls.call().await.json_answer(status, answer.clone()).await;
        });
        assert_eq!((answered, messages.len()), (503, 0), "{answer}");
    }
    let ask = command("t1");
    let ((answered, _, messages), ()) = tokio::join!(post(&bot, &given, kind, &ask), async {
        fake.answer(fake.calls.call().await).await;
    });
    assert_eq!((answered, messages[0].conversation), (200, Conversation::Direct));
    // Whose conversation it is never changes: nobody answers now.
    let (answered, _, messages) = post(&bot, &given, kind, &command("t2")).await;
    assert_eq!((answered, messages[0].conversation), (200, Conversation::Direct));
}
