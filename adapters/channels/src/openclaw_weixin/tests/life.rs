//! Logins that are missing, end, and come anew while the channel runs.

use std::time::Duration;

use super::*;

fn needs_login(status: &ChannelStatus) -> bool {
    matches!(status, ChannelStatus::NeedsLogin(reason) if reason.ends_with(": dmgate channels login openclaw-weixin"))
}

#[tokio::test]
async fn a_login_is_taken_up_while_it_runs() {
    let server = FakeServer::start().await;
    let setup = Setup::new(account());
    let bot = bot(&server, setup.clone(), |_| {});
    let mut running = run(&bot, 8);
    let status = bot.status.reach(needs_login).await;
    assert!(format!("{status:?}").contains("nobody is logged in"), "{status:?}");
    let early = bot.send_text(&ReplyRoute::new(ANN), &text("hi")).await;
    assert!(matches!(early, Err(SendError::Failed { .. })), "{early:?}");

    setup.login.save("{}").await.unwrap();
    bot.status.reach(|status| format!("{status:?}").contains("damaged")).await;
    let elsewhere = json!({ "token": TOKEN, "bot": BOT, "base": "https://evil.test" });
    setup.login.save(&elsewhere.to_string()).await.unwrap();
    bot.status.reach(|status| format!("{status:?}").contains("not Tencent's")).await;

    setup.login.save(&credentials(&server, TOKEN)).await.unwrap();
    greet(&server).await;
    bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    polled(&server).await.1.json_answer(200, batch("one", &[hello(1)])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");

    // Another one, although this one is good: the next answer shows it.
    let (_, call) = polled(&server).await;
    assert_eq!(call.header("authorization"), Some("Bearer t0ken-of-the-bot"));
    setup.login.save(&credentials(&server, "newer")).await.unwrap();
    call.json_answer(200, batch("two", &[])).await;
    poll_or(&server, "notifystop").await.json_answer(200, json!({ "ret": 0 })).await;
    greet(&server).await;
    let (cursor, call) = polled(&server).await;
    assert_eq!((cursor.as_str(), call.header("authorization")), ("two", Some("Bearer newer")));
    running.shutdown.cancel();
}

#[tokio::test]
async fn an_expired_login_waits_for_the_next() {
    for expired in [json!({ "ret": -14, "errmsg": "session timeout" }), json!({ "errcode": -14 })] {
        let server = FakeServer::start().await;
        let setup = logged_in(&server).await;
        let bot = bot(&server, setup.clone(), |_| {});
        let running = run(&bot, 8);
        greet(&server).await;
        polled(&server).await.1.json_answer(200, expired).await;
        let status = bot.status.reach(needs_login).await;
        assert!(format!("{status:?}").contains("has expired"), "{status:?}");
        setup.login.save(&credentials(&server, "newer")).await.unwrap();
        let call = server.call().await;
        assert_eq!((call.method(), call.header("authorization")), ("notifystart", Some("Bearer newer")));
        call.json_answer(200, json!({ "ret": 0 })).await;
        bot.status.reach(|status| *status == ChannelStatus::Ready).await;
        running.shutdown.cancel();
    }
}

#[tokio::test]
async fn an_expired_login_is_tried_again_after_an_hour() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let mut bot = Arc::into_inner(bot(&server, setup, |_| {})).unwrap();
    bot.pace.look = Duration::from_secs(60);
    let bot = Arc::new(bot);
    let running = run(&bot, 8);
    server.call().await.json_answer(200, json!({ "ret": -14 })).await;
    bot.status.reach(needs_login).await;
    let refused = tokio::time::Instant::now();
    tokio::time::pause();
    let call = server.call().await;
    assert!(refused.elapsed() >= PACE.again, "{:?}", refused.elapsed());
    tokio::time::resume();
    assert_eq!(call.header("authorization"), Some("Bearer t0ken-of-the-bot"));
    running.shutdown.cancel();
}

#[tokio::test]
async fn a_token_of_the_configuration_goes_before_a_login() {
    let server = FakeServer::start().await;
    let bot = bot(&server, logged_in(&server).await, |config| config.token = Some(Secret::new("configured")));
    let running = run(&bot, 8);
    let call = server.call().await;
    assert_eq!(call.header("authorization"), Some("Bearer configured"));
    call.json_answer(200, json!({ "ret": -14 })).await;
    let status = bot.status.reach(needs_login).await;
    assert!(format!("{status:?}").contains("`token`") && !format!("{status:?}").contains("configured"));
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_restart_forgets_neither_the_place_nor_how_to_answer() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let mut running = run(&bot(&server, setup.clone(), |_| {}), 8);
    greet(&server).await;
    polled(&server).await.1.json_answer(200, batch("one", &[hello(1), hello(2)])).await;
    running.messages.recv().await.unwrap();
    running.messages.recv().await.unwrap();
    running.end(&server).await;

    let bot = bot(&server, setup, |_| {});
    let running = run(&bot, 8);
    greet(&server).await;
    let (cursor, _held) = polled(&server).await;
    assert_eq!(cursor, "one");
    let route = bot.route_to(&SenderId::parse(account().channel(), ANN).unwrap()).unwrap();
    let notice = text("you are in");
    let (sent, ()) = tokio::join!(bot.send_text(&route, &notice), async {
        let call = server.call().await;
        assert_eq!((call.method(), &call.json()["msg"]["context_token"]), ("sendmessage", &json!("ctx-2")));
        call.json_answer(200, json!({})).await;
    });
    sent.unwrap();
    running.shutdown.cancel();
}
