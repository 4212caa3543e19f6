//! What becomes of the channel while it runs.

use super::*;

#[tokio::test]
async fn it_is_ready_with_keys_and_a_token_and_not_before() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let mut running = run(&bot);
    server.call().await.answer(503, "").await;
    let told = bot.status.reach(|status| *status != ChannelStatus::Connecting(None)).await;
    assert!(matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("503")), "{told:?}");
    server.call().await.json_answer(200, json!({ "jwks_uri": "https://evil.test/keys" })).await;
    say_keys(&server).await;
    server.call().await.answer(500, "").await;
    say_keys(&server).await;
    give_token(server.call().await, "t0ken").await;
    bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    let answer = bot.webhook(request(&KEY.token(&claims()), hello(1).to_string())).await.taken();
    assert_eq!(answer.messages.len(), 1);
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    assert!(running.messages.recv().await.is_none(), "all of it comes by web hook");
}

#[tokio::test]
async fn a_secret_that_is_refused_stops_the_channel_and_is_not_shown() {
    for (status, error) in [(401, "invalid_client"), (400, "invalid_request")] {
        let server = FakeServer::start().await;
        let bot = bot(&server);
        let running = run(&bot);
        say_keys(&server).await;
        let told = json!({ "error": error, "error_description": format!("AADSTS7000215: {PASSWORD}") });
        server.call().await.json_answer(status, told).await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("check `app_id`") && error.contains("AADSTS7000215"), "{error}");
        assert!(!error.contains("passw0rd"), "{error}");
        assert!(matches!(bot.status(), ChannelStatus::Refused(why) if !why.contains("passw0rd")));
    }
}

#[tokio::test]
async fn a_login_that_is_busy_is_waited_for() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let running = run(&bot);
    say_keys(&server).await;
    server.call().await.raw("HTTP/1.1 429 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n", "").await;
    say_keys(&server).await;
    drop(server.call().await);
    say_keys(&server).await;
    server.call().await.json_answer(200, json!({ "expires_in": 3_599 })).await;
    say_keys(&server).await;
    give_token(server.call().await, "t0ken").await;
    bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn keys_are_renewed_and_an_outage_is_told_when_they_are_no_longer_good() {
    let server = FakeServer::start().await;
    let clock = ManualClock::at(NOW * 1_000);
    let bot = bot_at(&server, &clock);
    let running = run(&bot);
    say_keys(&server).await;
    give_token(server.call().await, "t0ken").await;
    bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    // An hour is over at once, whenever nothing else is to be done.
    tokio::time::pause();
    let call = server.call().await;
    tokio::time::resume();
    assert_eq!(call.line, "GET /.well-known/openidconfiguration");
    tokio::time::pause();
    call.answer(500, "").await;
    let call = server.call().await;
    assert_eq!(bot.status(), ChannelStatus::Ready, "the keys are good for a while");
    clock.advance(Duration::from_secs(24 * 3_600));
    call.answer(500, "").await;
    let told = bot.status.reach(|status| *status != ChannelStatus::Ready).await;
    assert!(matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("500")), "{told:?}");
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn old_ways_still_lead_after_a_restart() {
    let server = FakeServer::start().await;
    let token = KEY.token(&claims());
    let first = ready(&server).await;
    let taken = first.webhook(request(&token, hello(1).to_string())).await.taken();
    let route = taken.messages[0].route.as_str().to_owned();
    drop(first);
    let second = ready(&server).await;
    let taken = second.webhook(request(&token, hello(2).to_string())).await.taken();
    assert_eq!(taken.messages.len(), 1);
    assert!(route::Route::read(&ReplyRoute::new(route), second.connector.services()).is_some());
}
