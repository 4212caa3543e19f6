//! Updates by web hook.

use super::*;

const SECRET: &str = "hook_s3cret";

fn hooked(server: &FakeServer) -> Arc<Zalo> {
    bot(server, |config| {
        config.mode = Mode::Webhook;
        config.webhook_secret = Some(Secret::new(SECRET));
    })
}

async fn post(bot: &Zalo, secret: &str, body: impl Into<Bytes>) -> (u16, Vec<InboundMessage>) {
    let request = http::Request::post("/webhooks/zalo/default").header("X-Bot-Api-Secret-Token", secret);
    let (head, body) = request.body(body.into()).unwrap().into_parts();
    let refused = bot.refuses(&head);
    let answer = bot.webhook(http::Request::from_parts(head, body)).await.taken();
    assert!(refused.is_none_or(|status| status == answer.response.status()), "the head condemns");
    (answer.response.status().as_u16(), answer.messages)
}

#[tokio::test]
async fn i14_only_who_knows_the_secret_is_heard() {
    let server = FakeServer::start().await;
    let bot = hooked(&server);
    for wrong in ["", "hook_s3cre", "hook_s3cret2", "HOOK_S3CRET"] {
        assert_eq!(post(&bot, wrong, hello(1).to_string()).await.0, 401, "{wrong}");
    }
    let twice = http::Request::post("/").header("X-Bot-Api-Secret-Token", SECRET);
    let twice =
        twice.header("X-Bot-Api-Secret-Token", SECRET).body(Bytes::from(hello(1).to_string())).unwrap();
    assert_eq!(bot.webhook(twice).await.response.status(), 401);
    let (status, messages) = post(&bot, SECRET, hello(1).to_string()).await;
    assert_eq!((status, messages.len()), (200, 1), "what was refused did not use up the id");
    let (status, messages) = post(&bot, SECRET, ok(hello(1)).to_string()).await;
    assert_eq!((status, messages.len()), (200, 0), "the same in other clothes");
}

#[tokio::test]
async fn a_burst_out_of_order_is_taken_whole_and_what_is_remembered_of_it_is_bounded() {
    let server = FakeServer::start().await;
    let bot = hooked(&server);
    for number in (0..10_000).rev() {
        let (status, messages) = post(&bot, SECRET, hello(number).to_string()).await;
        assert_eq!((status, messages.len()), (200, 1));
    }
    assert_eq!(bot.seen.len(), 1_024);
}

#[tokio::test]
async fn zalo_is_told_where_to_call_until_it_takes_it() {
    let server = FakeServer::start().await;
    let running = run(&hooked(&server), 1);
    server.call().await.json_answer(200, refusal(400, "url must be https")).await;
    let call = server.call().await;
    let told = running.bot.status();
    assert!(
        matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("must be https")),
        "{told:?}"
    );
    assert_eq!(call.method(), "setWebhook");
    let url = "https://gate.example.org/webhooks/zalo/default";
    assert_eq!(call.json(), json!({ "url": url, "secret_token": SECRET }));
    call.json_answer(200, ok(json!({ "url": url, "updated_at": 1 }))).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_bot_that_polls_takes_no_web_hooks() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |config| config.webhook_secret = Some(Secret::new(SECRET)));
    assert_eq!(post(&bot, SECRET, hello(1).to_string()).await.0, 404);
}

#[test]
fn i14_a_web_hook_without_a_good_secret_or_an_address_is_no_configuration() {
    let refusal = |secret: Option<&str>, url: Option<&str>| {
        let mut config = Config::new(Secret::new(TOKEN));
        config.mode = Mode::Webhook;
        config.webhook_secret = secret.map(Secret::new);
        let mut setup = Setup::new(account());
        setup.public_url = url.map(str::to_owned);
        Zalo::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let url = Some("https://gate.example.org");
    assert!(refusal(None, url).starts_with("`webhook_secret` is missing"));
    let long = "x".repeat(257);
    for bad in ["", "seven_7", "with blanks", "ääääääää", &long] {
        assert!(refusal(Some(bad), url).starts_with("`webhook_secret`: 8 to 256"), "{bad}");
    }
    assert!(refusal(Some("eight__8"), None).contains("`public_url`"));
    assert_eq!(refusal(Some(&long[..256]), url), "");
}
