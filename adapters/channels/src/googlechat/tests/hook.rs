//! Events by web hook.

use super::*;

async fn post(bot: &GoogleChat, token: &str, body: impl Into<Bytes>) -> (u16, Vec<InboundMessage>) {
    let (head, body) = request(token, body).into_parts();
    let refused = bot.refuses(&head);
    let answer = bot.webhook(http::Request::from_parts(head, body)).await.taken();
    let status = answer.response.status();
    assert!(
        refused.is_none_or(|refused| refused == status),
        "what the head condemns is refused with its body"
    );
    if status.is_success() {
        assert_eq!(answer.response.body().as_ref(), b"{}", "texts go by the API");
    }
    (status.as_u16(), answer.messages)
}

#[tokio::test]
async fn i14_only_google_chat_is_heard_and_each_app_by_its_own_way() {
    let server = FakeServer::start().await;
    let body = hello(1).to_string();
    // What Google signs for an address that somebody entered in an app of theirs.
    let mut anybodys = Way::AddOn.claims();
    anybodys["email"] = json!(CHAT);
    for (way, other) in [(Way::AddOn, Way::Project), (Way::Project, Way::AddOn)] {
        let bot = ready(&server, way).await;
        for claims in [other.claims(), anybodys.clone()] {
            let (status, messages) = post(&bot, &KEY.token(&claims), body.clone()).await;
            assert_eq!((status, messages.len()), (401, 0));
        }
        assert_eq!(post(&bot, &OTHER.token(&way.claims()), "no json").await.0, 401, "before the body");
        let get = http::Request::get("/").header("authorization", "Bearer x").body(Bytes::new()).unwrap();
        assert_eq!(bot.webhook(get).await.response.status(), 405);
        let (status, messages) = post(&bot, &KEY.token(&way.claims()), body.clone()).await;
        assert_eq!((status, messages.len()), (200, 1), "what was refused did not use up the name");
        assert_eq!(
            bot.status(),
            ChannelStatus::Connecting(None),
            "no stranger changes what the operator reads"
        );
    }
}

#[tokio::test]
async fn a_burst_is_taken_whole_and_what_comes_twice_counts_once() {
    let server = FakeServer::start().await;
    let bot = ready(&server, Way::Project).await;
    let token = KEY.token(&Way::Project.claims());
    for chunk in (0..10_000_usize).collect::<Vec<_>>().chunks(500) {
        for expected in [1, 0] {
            for id in chunk.iter().rev() {
                let (status, messages) = post(&bot, &token, hello(*id).to_string()).await;
                assert_eq!((status, messages.len()), (200, expected), "{id}");
            }
        }
    }
    assert_eq!(bot.seen.len(), 1_024, "memory is bounded");
}

#[tokio::test]
async fn what_the_owner_told_has_to_do() {
    let server = FakeServer::start().await;
    let refusal = |way: Way, change: &dyn Fn(&mut Config), url: Option<&str>| {
        let mut config = config(&server, way);
        change(&mut config);
        let mut setup = Setup::new(account());
        setup.public_url = url.map(str::to_owned);
        GoogleChat::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let url = Some("https://gate.example.org");
    assert_eq!(refusal(Way::AddOn, &|_| {}, url), "");
    assert!(refusal(Way::AddOn, &|_| {}, None).contains("`public_url`"));
    let number = |config: &mut Config| config.audience = Some(PROJECT.to_owned());
    assert!(refusal(Way::AddOn, &number, url).starts_with("`addon_identity`"));
    for address in [None, Some("https://gate.example.org/webhooks/googlechat/default".to_owned())] {
        let no_app = |config: &mut Config| config.audience = address.clone();
        let told = refusal(Way::Project, &no_app, url);
        assert!(told.contains("`audience`") && told.contains("`addon_identity`"), "{told}");
    }
    let pattern = |config: &mut Config| config.addon_identity = Some("*".to_owned());
    assert!(refusal(Way::AddOn, &pattern, url).starts_with("`addon_identity`"));
    let nowhere = |config: &mut Config| config.certs_base = "x".to_owned();
    assert!(refusal(Way::Project, &nowhere, url).starts_with("`certs_base`"));
    let nowhere = |config: &mut Config| config.api_base = "ftp://x".to_owned();
    assert!(refusal(Way::Project, &nowhere, url).starts_with("`api_base`"));
    for (name, value) in [
        ("private_key", json!("-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----\n")),
        ("private_key", json!(null)),
        ("token_uri", json!("s3cret")),
    ] {
        let mut key = service_account(&server);
        key[name] = value;
        let bad = |config: &mut Config| config.service_account = Secret::new(key.to_string());
        let told = refusal(Way::Project, &bad, url);
        assert!(told.starts_with("`service_account`") && !told.contains("s3cret"), "{told}");
    }
    let none = |config: &mut Config| config.service_account = Secret::new("s3cret");
    let told = refusal(Way::Project, &none, url);
    assert!(told.starts_with("`service_account`") && !told.contains("s3cret"), "{told}");
}
