//! A homeserver that refuses, babbles, breaks off or is silent.

use super::*;
use crate::fake_server::unstall;

#[tokio::test]
async fn polling_goes_on_after_every_kind_of_trouble() {
    let mut homeserver = Homeserver::start().await;
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let slow = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "slow", "retry_after_ms": 1 });
    homeserver.poll().await.json_answer(429, slow).await;
    homeserver.poll().await.json_answer(500, refused("M_UNKNOWN", "Internal server error")).await;
    homeserver.poll().await.answer(502, "<html>").await;
    homeserver.poll().await.answer(200, "no json").await;
    let poll = homeserver.poll().await;
    let told = running.bot.status();
    assert!(matches!(&told, ChannelStatus::Connecting(Some(reason)) if !reason.is_empty()), "{told:?}");
    assert!(
        parameter(&poll, "filter").unwrap().contains("\"limit\":1}"),
        "little is asked for after trouble"
    );
    poll.answer(200, vec![b'['; 17 * 1024 * 1024]).await;
    let elsewhere = format!(
        "HTTP/1.1 302 X\r\nlocation: {}/elsewhere\r\ncontent-length: 0\r\n\r\n",
        homeserver.server.base()
    );
    homeserver.poll().await.raw(&elsewhere, "").await;
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    homeserver.poll().await.raw(cut, "{\"next_batch\":").await;
    drop(homeserver.poll().await);
    let stalled = homeserver.poll().await.stall();
    let poll = homeserver.poll().await;
    unstall(stalled);
    homeserver.pages.insert("s1".to_owned(), json!({ "chunk": [said("$1", "hello")] }));
    homeserver.answer(poll, in_room(DM, &[json!({ "event_id": "$1", "sender": ANN })])).await;
    assert_eq!(running.texts(&mut homeserver, 1).await, ["hello"]);
    let poll = homeserver.poll().await;
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    assert!(parameter(&poll, "filter").unwrap().contains("\"limit\":20}"), "{}", poll.line);
    running.end().await;
}

#[tokio::test]
async fn however_much_was_written_in_however_many_rooms_it_goes_on() {
    let mut homeserver = Homeserver::start().await;
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let filter = |poll: &Call| parameter(poll, "filter").unwrap();
    let too_much = vec![b' '; 17 * 1024 * 1024];
    for expected in ["\"limit\":20}", "\"limit\":1}"] {
        let poll = homeserver.poll().await;
        assert!(
            filter(&poll).contains(expected) && !filter(&poll).contains("event_fields"),
            "{}",
            filter(&poll)
        );
        poll.answer(200, too_much.clone()).await;
    }
    let poll = homeserver.poll().await;
    let asked: Value = serde_json::from_str(&filter(&poll)).unwrap();
    let fields: Vec<&str> =
        asked["event_fields"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!fields.contains(&"content") && fields.contains(&"event_id"), "{fields:?}");
    // Where something was said is in the answer, and what is not. In a chat with Ann it is asked for.
    homeserver.pages.insert("s1".to_owned(), json!({ "chunk": [said("$1", "one"), said("$2", "two")] }));
    let bare = json!({ "event_id": "$2", "sender": ANN, "type": "m.room.message", "content": {} });
    let room = json!({ "timeline": { "events": [bare], "limited": true, "prev_batch": "p" } });
    let rooms = json!({ "join": { DM: room, "!other:example.org": room } });
    homeserver.answer(poll, json!({ "rooms": rooms })).await;
    assert_eq!(running.texts(&mut homeserver, 2).await, ["one", "two"]);
    assert_eq!(
        homeserver.asked("/messages"),
        [format!("GET rooms/{DM}/messages?dir=f&limit=50&from=s1&to=s2")]
    );
    let poll = homeserver.poll().await;
    assert!(filter(&poll).contains("\"limit\":20}") && !filter(&poll).contains("event_fields"));
    running.end().await;
}

#[tokio::test]
async fn a_message_waits_until_it_is_known_who_is_there() {
    let mut homeserver = Homeserver::start().await;
    for status in [500, 429] {
        homeserver.refusals.push((format!("GET rooms/{DM}/state"), status, refused("M_UNKNOWN", "no")));
    }
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let batch = in_room(DM, &[said("$1", "hello")]);
    for _ in 0..3 {
        let poll = homeserver.poll().await;
        assert_eq!(
            parameter(&poll, "since").as_deref(),
            Some("s1").filter(|_| homeserver.polls < 2).or(parameter(&poll, "since").as_deref())
        );
        homeserver.answer(poll, batch.clone()).await;
    }
    let message = running.message(&mut homeserver).await;
    assert_eq!((message.text.as_str(), message.conversation), ("hello", dmgate::Conversation::Direct));
    assert_eq!(homeserver.asked("/state").len(), 3);
    running.end().await;
}

#[tokio::test]
async fn a_refused_token_stops_the_channel_asks_for_a_login_and_is_not_shown() {
    for at in ["GET account/whoami", "GET user"] {
        let mut homeserver = Homeserver::start().await;
        homeserver.refusals.push((at.to_owned(), 401, refused("M_UNKNOWN_TOKEN", "syt_t0ken is no token")));
        let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
        while homeserver.refusals.len() == 1 {
            homeserver.serve().await;
        }
        let error = running.ended.await.unwrap().unwrap_err();
        assert!(
            error.to_string().contains("`access_token`") && !error.to_string().contains("t0ken"),
            "{error}"
        );
        assert!(matches!(running.bot.status(), ChannelStatus::NeedsLogin(_)), "{:?}", running.bot.status());
    }
    let mut homeserver = Homeserver::start().await;
    let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    homeserver.poll().await.json_answer(401, refused("M_UNKNOWN_TOKEN", "logged out")).await;
    running.ended.await.unwrap().unwrap_err();
    assert!(matches!(running.bot.status(), ChannelStatus::NeedsLogin(_)), "{:?}", running.bot.status());
}

#[tokio::test]
async fn an_account_that_is_no_more_is_refused_and_one_that_is_locked_is_waited_for() {
    let mut homeserver = Homeserver::start().await;
    homeserver.refusals.push(("GET account".to_owned(), 401, refused("M_USER_LOCKED", "locked")));
    homeserver.refusals.push(("GET account".to_owned(), 403, refused("M_USER_DEACTIVATED", "gone")));
    let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    while !homeserver.refusals.is_empty() {
        homeserver.serve().await;
    }
    running.ended.await.unwrap().unwrap_err();
    assert!(matches!(running.bot.status(), ChannelStatus::Refused(_)), "{:?}", running.bot.status());
}

#[test]
fn what_cannot_be_an_address_is_refused() {
    for base in ["", "example.org", "ftp://x", "https://x/?a", "https://x/#a"] {
        let refused = Matrix::open(Setup::new(account()), Config::new(base, Secret::new(TOKEN))).err();
        assert!(refused.is_some_and(|error| error.to_string().starts_with("`homeserver`")), "{base}");
    }
    assert!(Matrix::open(Setup::new(account()), Config::new("https://x.org/", Secret::new(TOKEN))).is_ok());
}
