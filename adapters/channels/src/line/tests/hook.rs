//! Calls of LINE's, and how it learns where to call.

use super::*;

async fn post(line: &Line, body: &str, signature: &str) -> (u16, Vec<InboundMessage>) {
    let request = http::Request::post("/webhooks/line/default").header("x-line-signature", signature);
    let answer = line.webhook(request.body(Bytes::from(body.to_owned())).unwrap()).await.taken();
    (answer.response.status().as_u16(), answer.messages)
}

async fn signed(line: &Line, events: &[Value]) -> Vec<InboundMessage> {
    let body = call(events);
    let (status, messages) = post(line, &body, &signature(SECRET, &body)).await;
    assert_eq!(status, 200);
    messages
}

#[tokio::test]
async fn i14_a_call_is_all_of_its_events_or_nothing() {
    let server = FakeServer::start().await;
    let line = line(&server);
    let body = call(&[hello(1), json!({}), hello(2), hello(1)]);
    let (status, messages) = post(&line, &body, &signature("another", &body)).await;
    assert_eq!((status, messages.len()), (401, 0));
    let (status, messages) = post(&line, &body, &signature(SECRET, &body)).await;
    let texts: Vec<_> = messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!((status, texts), (200, vec!["hello 1", "hello 2"]), "what was refused used up no id");
}

#[tokio::test]
async fn i14_what_comes_again_out_of_order_counts_once() {
    let server = FakeServer::start().await;
    let line = line(&server);
    for (events, expected) in
        [(vec![hello(3)], 1), (vec![hello(1), hello(3)], 1), (vec![hello(2), hello(1)], 1)]
    {
        assert_eq!(signed(&line, &events).await.len(), expected);
    }
}

#[tokio::test]
async fn a_burst_is_taken_whole_and_what_is_remembered_of_it_is_bounded() {
    let server = FakeServer::start().await;
    let line = line(&server);
    for number in (0..10_000).step_by(100) {
        let events: Vec<_> = (number..number + 100).map(hello).collect();
        assert_eq!(signed(&line, &events).await.len(), 100);
    }
    assert_eq!(line.memory.len(), 10_000);
}

#[tokio::test]
async fn i14_the_head_alone_condemns_what_is_no_call() {
    let server = FakeServer::start().await;
    let line = line(&server);
    let refused = |request: http::request::Builder| {
        line.refuses(&request.body(()).unwrap().into_parts().0).map(|status| status.as_u16())
    };
    assert_eq!(refused(http::Request::get("/").header("x-line-signature", "x")), Some(405));
    assert_eq!(refused(http::Request::post("/")), Some(401));
    assert_eq!(refused(http::Request::post("/").header("x-line-signature", "x")), None, "the body decides");
}

#[tokio::test]
async fn line_is_told_where_to_call_until_it_takes_it() {
    let server = FakeServer::start().await;
    let running = run(&line(&server));
    let call = server.call().await;
    assert_eq!(call.line, "GET /v2/bot/channel/webhook/endpoint");
    assert_eq!(call.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    call.json_answer(404, json!({ "message": "Not found" })).await;
    let call = server.call().await;
    assert_eq!(call.line, "PUT /v2/bot/channel/webhook/endpoint");
    assert_eq!(call.json(), json!({ "endpoint": HOOK }));
    let details = json!([{ "message": "Invalid webhook URL", "property": "endpoint" }]);
    call.json_answer(400, json!({ "message": "The request body has 1 error(s)", "details": details })).await;
    let call = server.call().await;
    let told = running.line.status();
    assert!(
        matches!(&told, ChannelStatus::Connecting(Some(why)) if why.ends_with("`endpoint`: Invalid webhook URL")),
        "{told:?}"
    );
    call.json_answer(200, json!({ "endpoint": "https://old.example.org/", "active": true })).await;
    server.call().await.json_answer(200, json!({})).await;
    server.call().await.json_answer(200, json!({ "endpoint": HOOK, "active": true })).await;
    running.line.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_web_hook_that_is_switched_off_is_no_way_in_and_is_not_set_again() {
    let server = FakeServer::start().await;
    let running = run(&line(&server));
    for _ in 0..2 {
        let call = server.call().await;
        assert!(call.line.starts_with("GET "), "{}", call.line);
        call.json_answer(200, json!({ "endpoint": HOOK, "active": false })).await;
    }
    let told = running.line.status.reach(|status| *status != ChannelStatus::Connecting(None)).await;
    assert!(
        matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("`Use webhook`")),
        "{told:?}"
    );
    server.call().await.json_answer(200, json!({ "endpoint": HOOK, "active": true })).await;
    running.line.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn connecting_goes_on_after_every_kind_of_trouble() {
    let server = FakeServer::start().await;
    let running = run(&line(&server));
    server.call().await.json_answer(500, json!({ "message": "Internal server error" })).await;
    server.call().await.json_answer(429, json!({ "message": "slow down" })).await;
    server.call().await.answer(200, "no json").await;
    server.call().await.json_answer(200, json!({ "endpoint": 5 })).await;
    server.call().await.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    drop(server.call().await);
    let call = server.call().await;
    assert!(matches!(running.line.status(), ChannelStatus::Connecting(Some(_))));
    call.json_answer(200, json!({ "endpoint": HOOK, "active": true })).await;
    running.line.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_and_is_not_shown() {
    let server = FakeServer::start().await;
    let running = run(&line(&server));
    server
        .call()
        .await
        .json_answer(401, json!({ "message": format!("Authentication failed: {TOKEN}") }))
        .await;
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("check `channel_access_token`") && !error.contains("t0ken"), "{error}");
    assert!(matches!(running.line.status(), ChannelStatus::Refused(reason) if !reason.contains("t0ken")));
}

#[test]
fn without_an_address_there_is_no_way_in() {
    let config = Config::new(Secret::new(SECRET), Secret::new(TOKEN));
    let refused = Line::open(Setup::new(account()), config.clone()).err().unwrap().to_string();
    assert!(refused.contains("`public_url`"), "{refused}");
    for base in ["", "api.line.me", "ftp://x", "https://x/?a"] {
        let config = Config { data_base: base.to_owned(), ..config.clone() };
        assert!(Line::open(setup(), config).err().unwrap().to_string().starts_with("`data_base`"), "{base}");
    }
}

#[tokio::test]
async fn i14_what_comes_again_after_a_restart_counts_once() {
    let (server, setup) = (FakeServer::start().await, setup());
    let first = line_with(&server, setup.clone());
    assert_eq!(signed(&first, &[hello(1)]).await.len(), 1);
    first.memory.keep(async {}).await;
    assert_eq!(signed(&line_with(&server, setup), &[hello(1), hello(2)]).await.len(), 1);
}
