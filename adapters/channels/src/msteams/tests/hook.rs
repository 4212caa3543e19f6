//! Activities by web hook.

use super::*;

async fn post(bot: &Teams, token: &str, body: impl Into<Bytes>) -> (u16, Vec<InboundMessage>) {
    let (head, body) = request(token, body).into_parts();
    let refused = bot.refuses(&head);
    let answer = bot.webhook(http::Request::from_parts(head, body)).await.taken();
    let status = answer.response.status();
    assert!(
        refused.is_none_or(|refused| refused == status),
        "what the head condemns is refused with its body"
    );
    (status.as_u16(), answer.messages)
}

#[tokio::test]
async fn i14_only_the_bot_framework_is_heard() {
    let server = FakeServer::start().await;
    let bot = ready(&server).await;
    let body = hello(1).to_string();
    for wrong in ["", "x", "a.b.c", &OTHER.token(&claims()), PASSWORD] {
        let (status, messages) = post(&bot, wrong, body.clone()).await;
        assert_eq!((status, messages.len()), (401, 0), "{wrong}");
    }
    assert_eq!(
        post(&bot, &OTHER.token(&claims()), "no json").await.0,
        401,
        "the token comes before the body"
    );
    let token = KEY.token(&claims());
    let twice = http::Request::post("/")
        .header("authorization", format!("Bearer {token}"))
        .header("authorization", format!("Bearer {token}"));
    assert_eq!(bot.webhook(twice.body(body.clone().into()).unwrap()).await.response.status(), 401);
    let get = http::Request::get("/").header("authorization", format!("Bearer {token}"));
    assert_eq!(bot.webhook(get.body(Bytes::new()).unwrap()).await.response.status(), 405);

    let (status, messages) = post(&bot, &token, body).await;
    assert_eq!((status, messages.len()), (200, 1), "what was refused did not use up the id");
    assert_eq!(messages[0].text, "hello 1");
    assert_eq!(bot.status(), ChannelStatus::Connecting(None), "no stranger changes what the operator reads");
}

#[tokio::test]
async fn an_answer_is_what_teams_wants() {
    let server = FakeServer::start().await;
    let bot = ready(&server).await;
    let token = KEY.token(&claims());
    let mut invoke = hello(1);
    invoke["type"] = json!("invoke");
    let answer = bot.webhook(request(&token, invoke.to_string())).await.response;
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, &b"{}"[..]));
    let answer = bot.webhook(request(&token, hello(2).to_string())).await.response;
    assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0));
}

#[tokio::test]
async fn without_keys_teams_is_asked_to_come_again() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let token = KEY.token(&claims());
    let (answer, ()) = tokio::join!(post(&bot, &token, hello(1).to_string()), async {
        server.call().await.answer(500, "").await;
    });
    assert_eq!((answer.0, answer.1.len()), (503, 0));
    let again = post(&bot, &token, hello(1).to_string()).await;
    assert_eq!(again.0, 503, "and nobody is asked a second time just now");
}

#[tokio::test]
async fn a_burst_is_taken_whole_and_what_comes_twice_counts_once() {
    let server = FakeServer::start().await;
    let bot = ready(&server).await;
    let token = KEY.token(&claims());
    // Out of order, and each twice; the second may come a while after the first.
    for chunk in (0..10_000_usize).collect::<Vec<_>>().chunks(500) {
        for (again, expected) in [(false, 1), (true, 0)] {
            for id in chunk.iter().rev() {
                let (status, messages) = post(&bot, &token, hello(*id).to_string()).await;
                assert_eq!((status, messages.len()), (200, expected), "{id} {again}");
            }
        }
    }
    assert_eq!(bot.seen.len(), 1_024, "memory is bounded");
}

#[test]
fn what_the_owner_told_has_to_do() {
    let refusal = |change: fn(&mut Config), url: Option<&str>| {
        let mut config = Config::new(APP_ID, Secret::new(PASSWORD), TENANT);
        config.service_urls = vec!["http://127.0.0.1:1".to_owned()];
        config.openid_base = "http://127.0.0.1:1".to_owned();
        config.login_base = "http://127.0.0.1:1".to_owned();
        change(&mut config);
        let mut setup = Setup::new(account());
        setup.public_url = url.map(str::to_owned);
        Teams::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let url = Some("https://gate.example.org");
    assert_eq!(refusal(|_| {}, url), "");
    assert!(refusal(|_| {}, None).contains("`public_url`"));
    assert!(refusal(|config| config.app_id = "a/b".to_owned(), url).starts_with("`app_id`"));
    assert!(refusal(|config| config.tenant_id = "contoso.com".to_owned(), url).starts_with("`tenant_id`"));
    assert!(refusal(|config| config.tenant_id = "common".to_owned(), url).starts_with("`tenant_id`"));
    assert!(refusal(|config| config.openid_base = "x".to_owned(), url).starts_with("`openid_base`"));
    assert!(refusal(|config| config.login_base = "ftp://x".to_owned(), url).starts_with("`login_base`"));
    let bad_service = |config: &mut Config| config.service_urls = vec!["x".to_owned()];
    assert!(refusal(bad_service, url).starts_with("`service_urls`"));
}
