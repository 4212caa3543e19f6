//! Updates by web hook.

use super::*;

const SECRET: &str = "hook_s3cret";

fn hooked(server: &FakeServer) -> Arc<Telegram> {
    bot(server, |config| {
        config.mode = Mode::Webhook;
        config.webhook_secret = Some(Secret::new(SECRET));
    })
}

async fn post(bot: &Telegram, secret: &str, body: impl Into<Bytes>) -> (u16, Vec<InboundMessage>) {
    let request = http::Request::post("/webhooks/telegram/default")
        .header("X-Telegram-Bot-Api-Secret-Token", secret)
        .body(body.into())
        .unwrap();
    let (head, body) = request.into_parts();
    let refused = bot.refuses(&head);
    let answer = bot.webhook(http::Request::from_parts(head, body)).await.taken();
    let is_same = |status| status == answer.response.status();
    assert!(refused.is_none_or(is_same), "what the head condemns is refused with its body");
    assert_eq!(refused.is_some(), [401, 404, 405].contains(&answer.response.status().as_u16()));
    (answer.response.status().as_u16(), answer.messages)
}

#[tokio::test]
async fn i14_only_who_knows_the_secret_is_heard() {
    let server = FakeServer::start().await;
    let bot = hooked(&server);
    let body = hello(1).to_string();
    for wrong in ["", "hook_s3cre", "hook_s3cret2", "HOOK_S3CRET"] {
        let (status, messages) = post(&bot, wrong, body.clone()).await;
        assert_eq!((status, messages.len()), (401, 0), "{wrong}");
    }
    assert_eq!(post(&bot, "wrong", "no json").await.0, 401, "the secret comes before the body");
    let bare = http::Request::post("/").body(Bytes::from(body.clone())).unwrap();
    assert_eq!(bot.webhook(bare).await.response.status(), 401);

    let (status, messages) = post(&bot, SECRET, body).await;
    assert_eq!((status, messages.len()), (200, 1), "what was refused did not use up the id");
    assert_eq!(messages[0].text, "hello 1");
}

#[tokio::test]
async fn i14_a_repeated_update_counts_once() {
    let server = FakeServer::start().await;
    let bot = hooked(&server);
    for (id, expected) in [(1, 1), (1, 0), (2, 1), (1, 0)] {
        let (status, messages) = post(&bot, SECRET, hello(id).to_string()).await;
        assert_eq!((status, messages.len()), (200, expected), "{id}");
    }
}

#[tokio::test]
async fn what_is_no_update_is_refused_and_what_says_nothing_is_taken() {
    let server = FakeServer::start().await;
    let bot = hooked(&server);
    for bad in ["", "no json", "[]", "{}", r#"{"update_id":"1"}"#, r#"{"update_id":1"#] {
        assert_eq!(post(&bot, SECRET, bad).await.0, 400, "{bad}");
    }
    let (status, messages) = post(&bot, SECRET, vec![b' '; 1024 * 1024 + 1]).await;
    assert_eq!((status, messages.len()), (413, 0));
    let (status, messages) = post(&bot, SECRET, r#"{"update_id":5,"channel_post":{}}"#).await;
    assert_eq!((status, messages.len()), (200, 0), "or Telegram would send it again and again");
    let get = http::Request::get("/").body(Bytes::new()).unwrap();
    assert_eq!(bot.webhook(get).await.response.status(), 405);
}

#[tokio::test]
async fn telegram_is_told_where_to_call_until_it_takes_it() {
    let server = FakeServer::start().await;
    let running = run(&hooked(&server), 1);
    server
        .call()
        .await
        .json_answer(400, refusal(400, "Bad Request: bad webhook: Failed to resolve host"))
        .await;
    let call = server.call().await;
    let told = running.bot.status();
    assert!(matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("bad webhook")), "{told:?}");
    assert_eq!(call.method(), "setWebhook");
    assert_eq!(
        call.json(),
        json!({
            "url": "https://gate.example.org/webhooks/telegram/default",
            "secret_token": SECRET,
            "allowed_updates": ["message", "callback_query"],
        })
    );
    call.json_answer(200, ok(json!(true))).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bot_that_polls_takes_no_web_hooks() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |config| config.webhook_secret = Some(Secret::new(SECRET)));
    let (status, messages) = post(&bot, SECRET, hello(1).to_string()).await;
    assert_eq!((status, messages.len()), (404, 0));
}

#[test]
fn i14_a_web_hook_without_a_good_secret_or_an_address_is_no_configuration() {
    let refusal = |secret: Option<&str>, url: Option<&str>| {
        let mut config = Config::new(Secret::new(TOKEN));
        config.mode = Mode::Webhook;
        config.webhook_secret = secret.map(Secret::new);
        let mut setup = Setup::new(account());
        setup.public_url = url.map(str::to_owned);
        Telegram::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let url = Some("https://gate.example.org");
    assert!(refusal(None, url).starts_with("`webhook_secret` is missing"));
    let long = "x".repeat(257);
    for bad in ["", "a b", "ä", "a:b", &long] {
        assert!(refusal(Some(bad), url).starts_with("`webhook_secret`: 1 to 256"), "{bad}");
    }
    assert!(refusal(Some("s"), None).contains("`public_url`"));
    assert_eq!(refusal(Some(&long[..256]), url), "");
}
