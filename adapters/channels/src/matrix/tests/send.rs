//! Texts: who must be there, and what becomes of them.

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new(format!("{DM} {ANN}"))
}

/// What becomes of a text; and the homeserver, for what it was asked.
async fn sent(change: impl FnOnce(&mut Homeserver)) -> (Result<(), SendError>, Homeserver) {
    let mut homeserver = Homeserver::start().await;
    change(&mut homeserver);
    let bot = bot(&homeserver.server, &Arc::default(), |_| {});
    let outcome = tokio::select! {
        outcome = async { bot.send_text(&route(), &text("*hi* @room")).await } => outcome,
        () = async { loop { homeserver.serve().await; } } => unreachable!(),
    };
    (outcome, homeserver)
}

#[tokio::test]
async fn a_text_is_a_plain_notice_that_mentions_nobody() {
    let (outcome, homeserver) = sent(|_| {}).await;
    outcome.unwrap();
    let (line, body) = homeserver.served.last().unwrap();
    assert_eq!(line, &format!("PUT rooms/{DM}/send/m.room.message/dmgate-k:1"));
    assert_eq!(body, &json!({ "msgtype": "m.notice", "body": "*hi* @room", "m.mentions": {} }));
}

#[tokio::test]
async fn i16_nothing_is_sent_where_they_are_not_alone_with_us() {
    for state in [
        members(&[BOT, ANN, BOB]),
        json!([member(BOT, "join"), member(ANN, "join"), member(BOB, "invite")]),
        members(&[BOT, BOB]),
        members(&[BOT, "@ANN:example.org"]),
        members(&[BOT]),
        members(&[ANN, BOB]),
        json!([]),
    ] {
        let (outcome, homeserver) =
            sent(|homeserver| drop(homeserver.rooms.insert(DM.to_owned(), state))).await;
        assert!(matches!(outcome, Err(SendError::Failed { retry_after: Some(_), .. })), "{outcome:?}");
        assert!(homeserver.asked("/send/").is_empty());
    }
}

#[tokio::test]
async fn i16_who_is_there_is_asked_before_each_text() {
    let mut homeserver = Homeserver::start().await;
    let bot = bot(&homeserver.server, &Arc::default(), |_| {});
    for is_alone in [true, false, true] {
        let third = if is_alone { &[BOT, ANN][..] } else { &[BOT, ANN, BOB] };
        homeserver.rooms.insert(DM.to_owned(), members(third));
        let outcome = tokio::select! {
            outcome = async { bot.send_text(&route(), &text("hi")).await } => outcome,
            () = async { loop { homeserver.serve().await; } } => unreachable!(),
        };
        assert_eq!(outcome.is_ok(), is_alone, "{outcome:?}");
    }
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_into_an_encrypted_room() {
    let (outcome, homeserver) = sent(|homeserver| {
        let secret = homeserver.rooms["!secret:example.org"].clone();
        homeserver.rooms.insert(DM.to_owned(), secret);
    })
    .await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{outcome:?}");
    assert!(homeserver.asked("/send/").is_empty());
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    let refuse = async |status: u16, answer: Value| {
        sent(|homeserver| homeserver.refusals.push((format!("PUT rooms/{DM}/send"), status, answer))).await.0
    };
    let slow =
        json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 1_500 });
    let outcome = refuse(429, slow).await;
    let wait = Some(Duration::from_millis(1_500));
    assert!(
        matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == wait),
        "{outcome:?}"
    );
    for (status, word) in [(403, "M_FORBIDDEN"), (413, "M_TOO_LARGE"), (404, "M_NOT_FOUND")] {
        let outcome = refuse(status, refused(word, "no")).await.unwrap_err();
        assert!(matches!(&outcome, SendError::Impossible { .. }), "{outcome}");
        assert!(outcome.to_string().contains(word), "{outcome}");
    }
    let outcome = refuse(401, refused("M_UNKNOWN_TOKEN", "syt_t0ken is invalid")).await.unwrap_err();
    assert!(matches!(&outcome, SendError::Failed { .. }), "the owner can mend it: {outcome}");
    assert!(!outcome.to_string().contains("t0ken"), "{outcome}");
    for (status, answer) in [(500, refused("M_UNKNOWN", "no")), (502, json!("bad gateway")), (200, json!({}))]
    {
        let outcome = refuse(status, answer).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status}: {outcome:?}");
    }
    let outcome = refuse(403, json!("a proxy's page")).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn i6_where_it_is_not_known_who_is_there_the_text_surely_did_not_leave() {
    for (status, word) in [(500, "M_UNKNOWN"), (429, "M_LIMIT_EXCEEDED"), (401, "M_UNKNOWN_TOKEN")] {
        let refusal = (format!("GET rooms/{DM}/state"), status, refused(word, "no"));
        let (outcome, homeserver) = sent(|homeserver| homeserver.refusals.push(refusal)).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
        assert!(homeserver.asked("/send/").is_empty());
    }
    let (outcome, _) = sent(|homeserver| drop(homeserver.rooms.remove(DM))).await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })), "we are not in it: {outcome:?}");
    let server = FakeServer::start().await;
    let bot = bot(&server, &Arc::default(), |_| {});
    drop(server);
    let outcome = bot.send_text(&route(), &text("hi")).await.unwrap_err();
    assert!(matches!(&outcome, SendError::Failed { .. }), "{outcome}");
    assert!(
        outcome.to_string().contains("homeserver") && !outcome.to_string().contains("t0ken"),
        "{outcome}"
    );
}

#[tokio::test]
async fn i6_silence_and_a_connection_that_breaks_leave_it_open() {
    for stalls in [true, false] {
        let mut homeserver = Homeserver::start().await;
        let bot = bot(&homeserver.server, &Arc::default(), |_| {});
        let serve = async {
            while homeserver.asked("/state").is_empty() {
                homeserver.serve().await;
            }
            let call = homeserver.server.call().await;
            assert!(call.line.starts_with("PUT"), "{}", call.line);
            stalls.then(|| call.stall())
        };
        let (outcome, stalled) = tokio::join!(async { bot.send_text(&route(), &text("hi")).await }, serve);
        if let Some(stalled) = stalled {
            unstall(stalled);
        }
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn typing_is_shown_and_not_waited_for() {
    let mut homeserver = Homeserver::start().await;
    let bot = bot(&homeserver.server, &Arc::default(), |_| {});
    bot.show_typing(&route()).await;
    bot.own.set(BOT.to_owned()).unwrap();
    bot.show_typing(&ReplyRoute::new("!no-way")).await;
    let ((), ()) = tokio::join!(async { bot.show_typing(&route()).await }, async {
        assert!(homeserver.serve().await.is_none());
    });
    let typing = (format!("PUT rooms/{DM}/typing/{BOT}"), json!({ "typing": true, "timeout": 10_000 }));
    assert_eq!(homeserver.served, [typing]);
    let ((), stalled) = tokio::join!(async { bot.show_typing(&route()).await }, async {
        homeserver.server.call().await.stall()
    });
    unstall(stalled);
}
