//! A server that refuses, babbles, breaks off or is silent.

use std::time::Duration;

use super::*;
use crate::fake_server::unstall;

/// A bot that is logged in and runs, greeted.
async fn ready(server: &FakeServer) -> Running {
    let running = run(&bot(server, logged_in(server).await, |_| {}), 8);
    greet(server).await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running
}

/// The next call that is no poll.
async fn other_call(server: &FakeServer) -> Call {
    loop {
        let call = server.call().await;
        if call.method() != "getupdates" {
            return call;
        }
    }
}

/// What becomes of a text when the call is dealt with so.
async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let running = ready(&server).await;
    let (_, _held) = polled(&server).await;
    let route = ReplyRoute::new(ANN);
    let text = text("hi");
    let (outcome, ()) = tokio::join!(running.bot.send_text(&route, &text), async {
        other_call(&server).await.json_answer(status, answer).await;
    });
    running.shutdown.cancel();
    outcome
}

#[tokio::test]
async fn a_text_is_sent_as_the_protocol_says() {
    let server = FakeServer::start().await;
    let running = ready(&server).await;
    polled(&server).await.1.json_answer(200, batch("one", &[hello(5)])).await;
    let (_, _held) = polled(&server).await;
    let route = ReplyRoute::new(ANN);
    let text = text("*hi* <b>");
    let (outcome, call) = tokio::join!(running.bot.send_text(&route, &text), async {
        let call = server.call().await;
        let headers =
            ["AuthorizationType", "Authorization", "iLink-App-Id", "iLink-App-ClientVersion", "Content-Type"];
        let headers = headers.map(|name| call.header(name).unwrap().to_owned());
        let uin = call.header("X-WECHAT-UIN").unwrap().to_owned();
        let seen = (call.line.clone(), headers, uin, call.json());
        call.json_answer(200, json!({ "ret": 0, "message_id": u64::MAX })).await;
        seen
    });
    outcome.unwrap();
    let (line, headers, uin, body) = call;
    assert_eq!(line, "POST /ilink/bot/sendmessage");
    assert_eq!(headers, ["ilink_bot_token", "Bearer t0ken-of-the-bot", "bot", "132105", "application/json"]);
    use base64::Engine;
    let uin = base64::engine::general_purpose::STANDARD.decode(uin).unwrap();
    String::from_utf8(uin).unwrap().parse::<u32>().unwrap();
    let expected = json!({
        "msg": {
            "from_user_id": "", "to_user_id": ANN, "client_id": "dmgate-1", "message_type": 2, "message_state": 2,
            "context_token": "ctx-5", "item_list": [{ "type": 1, "text_item": { "text": "*hi* <b>" } }],
        },
        "base_info": { "channel_version": "2.4.9", "bot_agent": concat!("dmgate/", env!("CARGO_PKG_VERSION")) },
    });
    assert_eq!(body, expected);
    running.shutdown.cancel();
}

#[tokio::test]
async fn strangers_can_t_take_away_how_somebody_is_answered() {
    let server = FakeServer::start().await;
    let mut running = ready(&server).await;
    let strangers: Vec<Value> = (0..10_000)
        .map(|id| {
            let mut message = hello(100 + id);
            message["from_user_id"] = json!(format!("s{id}@im.wechat"));
            message
        })
        .collect();
    polled(&server).await.1.json_answer(200, batch("one", &[hello(5)])).await;
    let route = running.messages.recv().await.unwrap().route;
    let (_, held) = polled(&server).await;
    let shown = format!("{route:?}");
    assert!(!shown.contains("ctx-5") && !shown.contains(ANN), "{shown}");
    let answered = async |route: &ReplyRoute| {
        let text = text("hi");
        let (sent, token) = tokio::join!(running.bot.send_text(route, &text), async {
            let call = other_call(&server).await;
            let token = call.json()["msg"]["context_token"].clone();
            call.json_answer(200, json!({})).await;
            token
        });
        sent.unwrap();
        token
    };
    assert_eq!(answered(&ReplyRoute::new(ANN)).await, "ctx-5", "the newest one is known");
    held.json_answer(200, batch("two", &strangers)).await;
    let (_, _held) = tokio::join!(
        async {
            for _ in 0..strangers.len() {
                running.messages.recv().await.unwrap();
            }
        },
        polled(&server)
    );
    assert_eq!(answered(&ReplyRoute::new(ANN)).await, Value::Null, "they pushed it out");
    assert_eq!(answered(&route).await, "ctx-5", "it is part of the way to Ann");
    running.shutdown.cancel();
}

#[tokio::test]
async fn a_newer_token_goes_before_the_one_of_a_route() {
    let server = FakeServer::start().await;
    let mut running = ready(&server).await;
    polled(&server).await.1.json_answer(200, batch("one", &[hello(5), hello(6)])).await;
    let route = running.messages.recv().await.unwrap().route;
    running.messages.recv().await.unwrap();
    let (_, _held) = polled(&server).await;
    let text = text("hi");
    let (sent, ()) = tokio::join!(running.bot.send_text(&route, &text), async {
        let call = other_call(&server).await;
        assert_eq!(call.json()["msg"]["context_token"], "ctx-6");
        call.json_answer(200, json!({})).await;
    });
    sent.unwrap();
    running.shutdown.cancel();
}

#[tokio::test]
async fn i16_nothing_is_sent_to_what_is_no_person() {
    let server = FakeServer::start().await;
    let bot = bot(&server, logged_in(&server).await, |_| {});
    for route in [
        "",
        "@im.wechat",
        "x@im.bot",
        "room@chatroom",
        "a b@im.wechat",
        "a@im.wechat ",
        "a@im.wechat@im.wechat",
    ] {
        let outcome = bot.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
        bot.show_typing(&ReplyRoute::new(route)).await;
    }
}

#[tokio::test]
async fn i6_a_refusal_is_no_delivery_and_a_broken_answer_leaves_it_open() {
    for (status, answer) in [
        (200, json!({ "ret": -2, "errmsg": "no context" })),
        (200, json!({ "ret": 0, "errcode": -14 })),
        (400, json!({ "errmsg": "bad request" })),
        (401, json!("no")),
        (302, json!("elsewhere")),
        (429, json!("slow down")),
    ] {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status} {answer}: {outcome:?}");
    }
    for (status, answer) in
        [(500, json!({})), (502, json!("bad gateway")), (200, json!("garbage")), (200, json!([]))]
    {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    assert_eq!(sent(200, json!({})).await, Ok(()), "what is zero may be left out");
}

#[tokio::test]
async fn i6_whoever_asks_to_wait_is_waited_for() {
    let server = FakeServer::start().await;
    let running = ready(&server).await;
    let (route, text) = (ReplyRoute::new(ANN), text("hi"));
    let (outcome, ()) = tokio::join!(running.bot.send_text(&route, &text), async {
        let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
        other_call(&server).await.raw(head, "").await;
    });
    let seven = Some(Duration::from_secs(7));
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == seven),
        "{outcome:?}"
    );
    running.shutdown.cancel();
}

#[tokio::test]
async fn i6_a_connection_that_breaks_off_leaves_it_open_and_one_that_never_was_does_not() {
    let server = FakeServer::start().await;
    let running = ready(&server).await;
    let (route, text) = (ReplyRoute::new(ANN), text("hi"));
    let (outcome, ()) = tokio::join!(running.bot.send_text(&route, &text), async {
        drop(other_call(&server).await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    running.shutdown.cancel();
    drop(server);
    let outcome = running.bot.send_text(&route, &text).await.unwrap_err();
    assert!(
        matches!(&outcome, SendError::Failed { .. }) && !outcome.to_string().contains(TOKEN),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn polling_goes_on_after_every_kind_of_trouble() {
    let server = FakeServer::start().await;
    let mut running = ready(&server).await;
    let troubled = |status: &ChannelStatus| matches!(status, ChannelStatus::Connecting(Some(reason)) if !reason.is_empty());
    for (status, body) in [
        (429, "slow down".to_owned()),
        (500, "{}".to_owned()),
        (200, "no json".to_owned()),
        (200, "[]".to_owned()),
        (200, json!({ "ret": -1, "errmsg": "busy" }).to_string()),
        (200, json!({ "ret": 0, "msgs": {} }).to_string()),
        (200, json!({ "get_updates_buf": "c".repeat(70_000) }).to_string()),
        (200, "[".repeat(17 * 1024 * 1024)),
    ] {
        let (cursor, call) = polled(&server).await;
        call.answer(status, &body).await;
        running.bot.status.reach(troubled).await;
        polled(&server).await.1.json_answer(200, batch(&format!("{cursor}x"), &[])).await;
        running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    }
    let away =
        format!("HTTP/1.1 302 X\r\nlocation: {}/elsewhere\r\ncontent-length: 0\r\n\r\n", server.base());
    polled(&server).await.1.raw(&away, "").await;
    drop(polled(&server).await);
    let stalled = polled(&server).await.1.stall();
    // One poll in silence is nothing; two are.
    let second = server.call().await;
    let status = running.bot.status.get();
    assert!(matches!(&status, ChannelStatus::Connecting(_)), "it was cut off before: {status:?}");
    unstall(stalled);
    second.json_answer(200, batch("end", &[hello(1)])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
}

#[tokio::test]
async fn silence_is_told_when_it_lasts() {
    let server = FakeServer::start().await;
    let running = ready(&server).await;
    let first = polled(&server).await.1.stall();
    let second = server.call().await;
    assert_eq!(running.bot.status.get(), ChannelStatus::Ready);
    let third = server.call().await;
    let status = running.bot.status.get();
    assert!(
        matches!(&status, ChannelStatus::Connecting(Some(reason)) if reason.contains("does not answer")),
        "{status:?}"
    );
    unstall(first);
    drop((second, third));
    running.shutdown.cancel();
}

#[tokio::test]
async fn an_answer_of_nothing_that_comes_at_once_is_not_asked_for_at_once() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let mut bot = Arc::into_inner(bot(&server, setup, |_| {})).unwrap();
    (bot.pace.first_retry, bot.pace.longest_retry) = (Duration::from_secs(3_600), Duration::from_secs(3_600));
    let running = run(&Arc::new(bot), 8);
    greet(&server).await;
    polled(&server).await.1.json_answer(200, json!({})).await;
    let asked = tokio::time::Instant::now();
    tokio::time::pause();
    server.call().await;
    assert!(asked.elapsed() >= Duration::from_secs(1_800), "{:?}", asked.elapsed());
    tokio::time::resume();
    running.shutdown.cancel();
}

#[tokio::test]
async fn typing_is_shown_with_a_ticket_that_is_asked_for_once() {
    let server = FakeServer::start().await;
    let running = ready(&server).await;
    polled(&server).await.1.json_answer(200, batch("one", &[hello(5)])).await;
    let (_, held) = polled(&server).await;
    let route = ReplyRoute::new(ANN);
    let ((), ()) = tokio::join!(running.bot.show_typing(&route), async {
        let call = server.call().await;
        let asked = (call.method().to_owned(), call.json());
        assert_eq!(
            (asked.0.as_str(), &asked.1["ilink_user_id"], &asked.1["context_token"]),
            ("getconfig", &json!(ANN), &json!("ctx-5"))
        );
        call.json_answer(200, json!({ "ret": 0, "typing_ticket": "t1" })).await;
        let call = server.call().await;
        let (method, body) = (call.method().to_owned(), call.json());
        assert_eq!(
            (method.as_str(), &body["typing_ticket"], &body["status"]),
            ("sendtyping", &json!("t1"), &json!(1))
        );
        call.json_answer(200, json!({ "ret": 0 })).await;
    });
    // The next time there is no need to ask. Who does not answer is not waited for.
    let ((), stalled) = tokio::join!(running.bot.show_typing(&route), async {
        let call = server.call().await;
        assert_eq!(call.method(), "sendtyping");
        call.stall()
    });
    unstall(stalled);
    drop(held);
    running.shutdown.cancel();
}

#[test]
fn what_cannot_be_an_address_is_refused() {
    let refusal = |change: fn(&mut Config, String), base: &str| {
        let mut config = Config::default();
        change(&mut config, base.to_owned());
        Weixin::open(Setup::new(account()), config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for base in ["", "example.org", "ftp://x", "https://x/?a", "https://x/#a"] {
        assert!(refusal(|config, base| config.api_base = base, base).starts_with("`api_base`"), "{base}");
        assert!(refusal(|config, base| config.cdn_base = base, base).starts_with("`cdn_base`"), "{base}");
    }
}
