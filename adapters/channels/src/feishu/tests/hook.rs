//! Web hooks: proofs, questions, what comes twice, floods.

use dmgate::Webhook;

use super::*;
use crate::feishu::encryption::tests::encrypt;
use crate::signature::Signature;

/// What a call brings.
pub(super) enum Body {
    Plain(String),
    /// With this key.
    Encrypted(String, String),
}

/// A call as Feishu makes it. `sign` is null for a right signature, `false` for none, a text for a wrong one, or an object
/// that says what differs. Where there is no key nothing is signed, unless that is told.
pub(super) fn request(body: Body, sign: &Value, is_plain: bool) -> http::Request<Bytes> {
    let body = match body {
        Body::Plain(body) => body,
        Body::Encrypted(body, key) => json!({ "encrypt": encrypt(&key, &body) }).to_string(),
    };
    let key = sign["key"].as_str().unwrap_or(KEY);
    let stamp = "1771442490";
    let signature = |body: &str| {
        let parts = [stamp.as_bytes(), b"n0nce", key.as_bytes(), body.as_bytes()];
        Signature::sha256(&Secret::new(key), &parts).to_hex()
    };
    let mut request =
        http::Request::post("/webhooks/feishu/default").header("content-type", "application/json");
    let signature = match sign {
        Value::Bool(false) => None,
        Value::Null if is_plain => None,
        Value::String(wrong) => Some(wrong.clone()),
        _ => Some(signature(&body)),
    };
    if let Some(signature) = signature {
        let names = ["X-Lark-Request-Timestamp", "X-Lark-Request-Nonce", "X-Lark-Signature"];
        for (name, value) in names.iter().zip([sign["stamp"].as_str().unwrap_or(stamp), "n0nce", &signature])
        {
            match sign["without"].as_str() == Some(name) {
                true => {}
                false => request = request.header(*name, value),
            }
            if sign["twice"].as_str() == Some(name) {
                request = request.header(*name, value);
            }
        }
    }
    let body = if sign["changed"] == true { body.replacen('e', "E", 1) } else { body };
    request.body(body.into()).unwrap()
}

async fn post(bot: &Feishu, event: &Value) -> Webhook {
    bot.webhook(request(Body::Encrypted(event.to_string(), KEY.to_owned()), &Value::Null, false))
        .await
        .taken()
}

fn question() -> String {
    json!({ "challenge": "ch4llenge", "token": TOKEN, "type": "url_verification" }).to_string()
}

#[tokio::test]
async fn the_question_is_answered_for_who_has_the_key_or_the_token() {
    let fake = Fake::start().await;
    let encrypted = || Body::Encrypted(question(), KEY.to_owned());
    let unsigned = json!(false);
    let answer = json!({ "challenge": "ch4llenge" }).to_string();
    let with_key = fake.hooked(|_| {});
    let with_both = fake.hooked(|config| config.verification_token = Some(Secret::new(TOKEN)));
    let with_token = fake.hooked(|config| {
        (config.encrypt_key, config.verification_token) = (None, Some(Secret::new(TOKEN)));
    });
    for (bot, body, sign) in [
        (&with_key, encrypted(), &unsigned),
        (&with_key, encrypted(), &Value::Null),
        (&with_both, encrypted(), &unsigned),
        (&with_token, Body::Plain(question()), &unsigned),
    ] {
        let got = bot.webhook(request(body, sign, false)).await.taken();
        assert_eq!((got.response.status().as_u16(), &got.response.body()[..]), (200, answer.as_bytes()));
        assert!(got.messages.is_empty());
    }
    let another = question().replace(TOKEN, "another");
    for (bot, body) in [
        (&with_key, Body::Plain(question())),
        (&with_key, Body::Encrypted(question(), "another".to_owned())),
        (&with_both, Body::Plain(question())),
        (&with_both, Body::Encrypted(another.clone(), KEY.to_owned())),
        (&with_token, Body::Plain(another)),
        (&with_token, encrypted()),
    ] {
        let got = bot.webhook(request(body, &unsigned, false)).await;
        assert_eq!((got.response.status().as_u16(), got.response.body().len()), (401, 0));
    }
    let no_challenge = json!({ "token": TOKEN, "type": "url_verification" }).to_string();
    let got = with_token.webhook(request(Body::Plain(no_challenge), &unsigned, false)).await;
    assert_eq!(got.response.status().as_u16(), 400);
}

#[tokio::test]
async fn an_event_counts_once_also_after_a_restart() {
    let fake = Fake::start().await;
    let setup = setup();
    let open = || {
        fake.bot(setup.clone(), |config| {
            (config.mode, config.encrypt_key) = (Mode::Webhook, Some(Secret::new(KEY)));
        })
    };
    let first = open();
    let running = run(&first, 8);
    let (token, info) = (fake.calls.call(), async { fake.calls.call().await });
    fake.answer(token.await).await;
    fake.answer(info.await).await;
    first.status.reach(|status| *status == ChannelStatus::Ready).await;
    assert_eq!(post(&first, &hello(1)).await.messages[0].text, "hello 1");
    let again = post(&first, &hello(1)).await;
    assert_eq!((again.response.status().as_u16(), again.messages.len()), (200, 0));
    // The same message in another event, as Feishu warns.
    let mut other = hello(1);
    other["header"]["event_id"] = json!("e1 again");
    assert!(post(&first, &other).await.messages.is_empty());
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();

    let second = open();
    assert!(post(&second, &hello(1)).await.messages.is_empty(), "six hours are long");
    assert_eq!(post(&second, &hello(2)).await.messages[0].text, "hello 2");
}

#[tokio::test]
async fn i14_what_is_refused_uses_nothing_up() {
    let fake = Fake::start().await;
    let bot = fake.hooked(|_| {});
    for (sign, what) in [
        (json!(false), "no signature"),
        (json!({ "key": "another" }), "another key"),
        (json!({ "changed": true }), "another body"),
        (json!({ "stamp": "1771442491" }), "another stamp"),
        (json!({ "without": "X-Lark-Request-Nonce" }), "half a signature"),
        (json!({ "twice": "X-Lark-Signature" }), "twice"),
        (json!(""), "an empty one"),
    ] {
        let got = bot
            .webhook(request(Body::Encrypted(hello(1).to_string(), KEY.to_owned()), &sign, false))
            .await
            .taken();
        assert_eq!((got.response.status().as_u16(), got.messages.len()), (401, 0), "{what}");
    }
    let mut old = hello(1);
    old["header"]["create_time"] = json!((NOW - 8 * 3_600_000 - 1).to_string());
    assert_eq!(post(&bot, &old).await.response.status().as_u16(), 401, "older than any repetition");
    old["header"]["create_time"] = json!((NOW - 7 * 3_600_000).to_string());
    assert_eq!(post(&bot, &old).await.messages.len(), 1, "the last repetition");
}

#[tokio::test]
async fn ten_thousand_events_are_all_taken_and_the_memory_is_bounded() {
    let fake = Fake::start().await;
    let bot = fake.hooked(|config| {
        (config.encrypt_key, config.verification_token) = (None, Some(Secret::new(TOKEN)));
    });
    for number in 0..10_000 {
        let got =
            bot.webhook(request(Body::Plain(hello(number).to_string()), &Value::Null, true)).await.taken();
        assert_eq!(got.messages[0].text, format!("hello {number}"));
    }
    let got = bot.webhook(request(Body::Plain(hello(9_999).to_string()), &Value::Null, true)).await.taken();
    assert!(got.messages.is_empty());
}

#[tokio::test]
async fn without_the_mode_there_is_no_hook() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let request = request(Body::Plain("{}".to_owned()), &Value::Null, false);
    let (head, body) = request.into_parts();
    assert_eq!(bot.refuses(&head).map(|status| status.as_u16()), Some(404));
    let got = bot.webhook(http::Request::from_parts(head, body)).await.taken();
    assert_eq!(got.response.status().as_u16(), 404);
}
