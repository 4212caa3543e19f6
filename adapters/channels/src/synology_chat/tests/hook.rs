//! Calls of the NAS's, and who is who on it.

use std::time::Duration;

use dmgate::Conversation;

use super::*;

#[tokio::test]
async fn i14_only_who_knows_the_token_is_heard_and_uses_up_a_post() {
    let server = FakeServer::start().await;
    let bot = introduced(&server).await;
    let body = call((4, "alice"), 1);
    for wrong in ["token=&", "token=hfjt9wfaketoken&", "token=x&", "x=1&"] {
        let (status, messages) = post(&bot, body.replace(&format!("token={TOKEN}&"), wrong)).await;
        assert_eq!((status, messages.len()), (401, 0), "{wrong}");
    }
    let get = http::Request::get("/").body(Bytes::from(body.clone())).unwrap();
    assert_eq!(bot.webhook(get).await.response.status(), 405);
    let head = |request: http::request::Builder| request.body(()).unwrap().into_parts().0;
    assert_eq!(bot.refuses(&head(http::Request::get("/"))).map(|status| status.as_u16()), Some(405));
    assert_eq!(bot.refuses(&head(http::Request::post("/"))), None, "the body decides");
    let (status, messages) = post(&bot, body).await;
    assert_eq!((status, messages.len()), (200, 1));
}

#[tokio::test]
async fn a_burst_out_of_order_is_taken_whole_and_what_is_remembered_of_it_is_bounded() {
    let server = FakeServer::start().await;
    let bot = introduced(&server).await;
    for number in (1..=10_000).rev() {
        let (status, messages) = post(&bot, call((4, "alice"), number)).await;
        assert_eq!((status, messages.len(), messages[0].conversation), (200, 1, Conversation::Direct));
    }
    assert_eq!(bot.seen.len(), 1_024);
}

#[tokio::test]
async fn i16_who_is_not_found_under_the_name_is_answered_nothing_and_asked_about_once_in_a_while() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let stranger = |number| call((7, "carol"), number);
    let (first, ()) = tokio::join!(post(&bot, stranger(1)), async { list(server.call().await).await });
    assert_eq!((first.1[0].conversation, first.1[0].route.as_str()), (Conversation::Unknown, ""));
    // Nobody answers now: whoever asked again would wait for ever.
    for number in 2..100 {
        assert_eq!(post(&bot, stranger(number)).await.1[0].conversation, Conversation::Unknown);
    }
    assert_eq!(post(&bot, call((4, "alice"), 100)).await.1[0].conversation, Conversation::Direct);

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    let carol = json!({ "users": [{ "user_id": 7, "nickname": "carol" }] });
    let (known, ()) = tokio::join!(post(&bot, stranger(101)), async {
        server.call().await.json_answer(200, ok(carol)).await;
    });
    assert_eq!((known.1[0].conversation, known.1[0].route.as_str()), (Conversation::Direct, "7"));
}

#[tokio::test]
async fn i16_a_nas_that_does_not_say_who_is_who_makes_nothing_one_to_one() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let (taken, ()) = tokio::join!(post(&bot, call((4, "alice"), 1)), async {
        for _ in 0..5 {
            server.call().await.json_answer(200, refusal(100)).await;
        }
    });
    assert_eq!((taken.0, taken.1[0].conversation), (200, Conversation::Unknown));
}

#[tokio::test]
async fn a_nas_that_is_in_trouble_for_a_moment_costs_nobody_a_message() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let (alice, bob, ()) =
        tokio::join!(post(&bot, call((4, "alice"), 1)), post(&bot, call((5, "bob"), 2)), async {
            server.call().await.json_answer(200, refusal(100)).await;
            server.call().await.answer(502, "").await;
            list(server.call().await).await;
        });
    for (status, messages) in [alice, bob] {
        assert_eq!((status, messages[0].conversation), (200, Conversation::Direct));
    }
}

#[tokio::test]
async fn i16_a_name_is_compared_as_it_was_sent() {
    let server = FakeServer::start().await;
    let long = "n".repeat(200);
    let bot = bot(&server);
    let users =
        json!({ "users": [{ "user_id": 4, "nickname": " alice" }, { "user_id": 5, "nickname": long }] });
    let (asked, ()) = tokio::join!(bot.people.ask(&bot.api), async {
        server.call().await.json_answer(200, ok(users)).await;
    });
    asked.unwrap();
    let direct = [(4, "+alice"), (5, &*long)];
    let others = [(4, "alice"), (4, "alice+"), (5, &long[..128])];
    for (number, user) in direct.into_iter().chain(others).enumerate() {
        let (_, messages) = post(&bot, call(user, u32::try_from(number).unwrap() + 1)).await;
        assert_eq!(messages[0].conversation == Conversation::Direct, number < 2, "{user:?}");
    }
}

#[tokio::test]
async fn i14_a_body_that_no_nas_sends_is_not_taken_apart() {
    let server = FakeServer::start().await;
    let bot = introduced(&server).await;
    let body = format!("{}&x=", call((4, "alice"), 1));
    let filled = |length: usize| format!("{body}{}", "a".repeat(length - body.len()));
    assert_eq!(post(&bot, filled(64 * 1024 + 1)).await.0, 413);
    assert_eq!(post(&bot, filled(64 * 1024)).await.1.len(), 1);
}

#[tokio::test]
async fn the_nas_is_asked_until_it_knows_the_bot() {
    let server = FakeServer::start().await;
    let running = run(&bot(&server));
    server.call().await.json_answer(200, refusal(100)).await;
    server.call().await.answer(502, "bad gateway").await;
    server.call().await.answer(200, "no json").await;
    server.call().await.json_answer(200, ok(json!({ "users": 5 }))).await;
    server.call().await.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    drop(server.call().await);
    let call = server.call().await;
    assert!(matches!(running.bot.status(), ChannelStatus::Connecting(Some(_))), "{:?}", running.bot.status());
    list(call).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_token_that_the_nas_does_not_know_stops_the_channel_and_is_not_shown() {
    for (code, option) in [(404, "check `token`"), (102, "check `base_url`")] {
        let server = FakeServer::start().await;
        let running = run(&bot(&server));
        server.call().await.json_answer(200, refusal(code)).await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains(option) && !error.contains(TOKEN), "{error}");
        assert!(matches!(running.bot.status(), ChannelStatus::Refused(reason) if !reason.contains(TOKEN)));
    }
}
