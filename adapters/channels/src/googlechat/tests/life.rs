//! What becomes of the channel while it runs.

use super::*;

#[tokio::test]
async fn it_is_ready_with_keys_and_a_token_and_not_before() {
    for way in [Way::Project, Way::AddOn] {
        let server = FakeServer::start().await;
        let bot = bot(&server, way);
        let mut running = run(&bot);
        server.call().await.answer(503, "").await;
        let told = bot.status.reach(|status| *status != ChannelStatus::Connecting(None)).await;
        assert!(matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("503")), "{told:?}");
        server.call().await.json_answer(200, json!({})).await;
        say_keys(&server, way).await;
        drop(server.call().await);
        say_keys(&server, way).await;
        server.call().await.raw("HTTP/1.1 429 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n", "").await;
        say_keys(&server, way).await;
        give_token(&server, "t0ken").await;
        bot.status.reach(|status| *status == ChannelStatus::Ready).await;
        let taken = bot.webhook(request(&KEY.token(&way.claims()), hello(1).to_string())).await.taken();
        assert_eq!(taken.messages.len(), 1);
        running.shutdown.cancel();
        running.ended.await.unwrap().unwrap();
        assert!(running.messages.recv().await.is_none(), "all of it comes by web hook");
    }
}

#[tokio::test]
async fn a_key_that_is_refused_stops_the_channel() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let running = run(&bot);
    say_keys(&server, Way::Project).await;
    let told = json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." });
    server.call().await.json_answer(400, told).await;
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("Invalid JWT Signature") && error.contains("check `service_account`"), "{error}");
    assert!(matches!(bot.status(), ChannelStatus::Refused(_)));
}

#[tokio::test]
async fn keys_are_renewed_while_it_runs() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let running = run(&bot);
    say_keys(&server, Way::Project).await;
    give_token(&server, "t0ken").await;
    bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    // An hour is over at once, since nothing else is to be done.
    tokio::time::pause();
    let call = server.call().await;
    tokio::time::resume();
    call.json_answer(200, json!({ OTHER.id(): OTHER.certificate() })).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}
