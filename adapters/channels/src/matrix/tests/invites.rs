//! Invites: followed one after another, and only to where two can talk.

use super::*;
use crate::matrix::place::INVITES;

const NEW: &str = "!new:example.org";

fn invited(rooms: &[(&str, &str)]) -> Value {
    let invite = |inviter: &str| {
        json!({ "invite_state": { "events": [{
            "type": "m.room.member", "state_key": BOT, "sender": inviter,
            "content": { "membership": "invite", "is_direct": true },
        }] } })
    };
    let rooms: BTreeMap<&str, Value> = rooms.iter().map(|(room, inviter)| (*room, invite(inviter))).collect();
    json!({ "rooms": { "invite": rooms } })
}

/// Works until the homeserver was asked this.
async fn until_asked(homeserver: &mut Homeserver, what: &str) {
    while homeserver.asked(what).is_empty() {
        if let Some(poll) = homeserver.serve().await {
            homeserver.poll = Some(poll);
        }
    }
}

/// Works until no invite waits.
async fn until_answered(running: &Running, homeserver: &mut Homeserver) {
    while !running.bot.place.get().await.invites.is_empty() {
        tokio::select! {
            stream = homeserver.server.accept() => homeserver.attend_to(stream).await,
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn a_direct_chat_is_joined_noted_for_all_clients_and_heard() {
    let mut homeserver = Homeserver::start().await;
    homeserver.direct = json!({ ANN: ["!1"], BOB: ["!bobs"] });
    homeserver.rooms.insert(NEW.to_owned(), members(&[BOT, ANN]));
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, invited(&[(NEW, ANN)])).await;
    until_asked(&mut homeserver, "PUT").await;
    assert_eq!(homeserver.direct, json!({ ANN: ["!1", NEW], BOB: ["!bobs"] }));
    assert_eq!(homeserver.asked("POST"), [format!("POST rooms/{NEW}/join")]);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, in_room(NEW, &[said("$1", "hello")])).await;
    let message = running.message(&mut homeserver).await;
    assert_eq!((message.conversation, message.text.as_str()), (dmgate::Conversation::Direct, "hello"));
    assert!(running.bot.place.get().await.invites.is_empty());
    running.end().await;
}

#[tokio::test]
async fn what_is_said_before_the_chat_is_noted_is_heard_too() {
    let mut homeserver = Homeserver::start().await;
    homeserver.direct = json!({});
    homeserver.rooms.insert(NEW.to_owned(), members(&[BOT, ANN]));
    let down = json!({ "errcode": "M_UNKNOWN", "error": "down" });
    homeserver.refusals.push((format!("PUT user/{BOT}"), 503, down));
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, invited(&[(NEW, ANN)])).await;
    until_asked(&mut homeserver, "PUT").await;
    assert_eq!(homeserver.direct, json!({}));
    let poll = homeserver.poll().await;
    homeserver.answer(poll, in_room(NEW, &[said("$1", "hello")])).await;
    assert_eq!(running.message(&mut homeserver).await.conversation, dmgate::Conversation::Direct);
    until_answered(&running, &mut homeserver).await;
    assert_eq!(homeserver.direct, json!({ ANN: [NEW] }), "tried again");
    running.end().await;
}

#[tokio::test]
async fn i16_what_is_no_chat_of_two_is_left_again() {
    let encryption = json!({ "type": "m.room.encryption", "state_key": "", "content": {} });
    for state in [
        members(&[BOT, ANN, BOB]),
        members(&[BOT]),
        json!([member(BOT, "join"), member(ANN, "join"), member(BOB, "invite")]),
        json!([member(BOT, "join"), member(ANN, "join"), encryption]),
    ] {
        let mut homeserver = Homeserver::start().await;
        let before = homeserver.direct.clone();
        homeserver.rooms.insert(NEW.to_owned(), state);
        let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
        let poll = homeserver.poll().await;
        homeserver.answer(poll, invited(&[(NEW, ANN)])).await;
        until_asked(&mut homeserver, "leave").await;
        assert_eq!(homeserver.direct, before);
        running.end().await;
    }
}

#[tokio::test]
async fn one_person_has_few_rooms_with_us_and_the_oldest_is_left() {
    let mut homeserver = Homeserver::start().await;
    homeserver.direct = json!({ ANN: ["!1", "!2", "!3"] });
    homeserver.rooms.insert(NEW.to_owned(), members(&[BOT, ANN]));
    let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, invited(&[(NEW, ANN)])).await;
    until_asked(&mut homeserver, "leave").await;
    assert_eq!(homeserver.asked("leave"), ["POST rooms/!1/leave"]);
    assert_eq!(homeserver.direct, json!({ ANN: ["!2", "!3", NEW] }));
    running.end().await;
}

#[tokio::test]
async fn a_room_that_can_t_be_joined_is_put_off_or_given_up_and_keeps_no_other_waiting() {
    let mut homeserver = Homeserver::start().await;
    homeserver.direct = json!({});
    homeserver.rooms.insert(NEW.to_owned(), members(&[BOT, ANN]));
    let slow = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": 1 });
    for _ in 0..9 {
        homeserver.refusals.push(("POST rooms/!slow".to_owned(), 429, slow.clone()));
        homeserver.refusals.push(("POST rooms/!down".to_owned(), 502, refused("M_UNKNOWN", "no server")));
    }
    homeserver.refusals.push(("POST rooms/!gone".to_owned(), 403, refused("M_FORBIDDEN", "no invite")));
    homeserver.rooms.insert("!slow".to_owned(), members(&[BOT, BOB]));
    let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, invited(&[("!down", BOB), ("!gone", BOB), ("!slow", BOB), (NEW, ANN)])).await;
    until_asked(&mut homeserver, "join").await;
    until_answered(&running, &mut homeserver).await;
    assert_eq!(
        homeserver.asked("join").iter().filter(|line| line.contains("!down")).count(),
        5,
        "then given up"
    );
    assert_eq!(homeserver.asked("join").iter().filter(|line| line.contains("!gone")).count(), 1);
    assert_eq!(homeserver.asked("join").iter().filter(|line| line.contains("!slow")).count(), 10, "as asked");
    assert_eq!(homeserver.direct, json!({ ANN: [NEW], BOB: ["!slow"] }));
    running.end().await;
}

#[tokio::test]
async fn invites_wait_over_a_restart_and_not_without_end_and_may_be_withdrawn() {
    let mut homeserver = Homeserver::start().await;
    let keeper = Arc::default();
    let running = run(&bot(&homeserver.server, &keeper, |_| {}), 8);
    let poll = homeserver.poll().await;
    let rooms: Vec<String> = (0..INVITES + 20).map(|number| format!("!r{number:03}")).collect();
    let rooms: Vec<(&str, &str)> = rooms.iter().map(|room| (room.as_str(), ANN)).collect();
    homeserver.answer(poll, invited(&rooms)).await;
    until_asked(&mut homeserver, "join").await;
    assert_eq!(homeserver.asked("join")[0], "POST rooms/!r020/join", "the oldest are forgotten");
    running.end().await;

    let again = run(&bot(&homeserver.server, &keeper, |_| {}), 8);
    let mut poll = homeserver.poll().await;
    let left = again.bot.place.get().await.invites;
    assert!(left.len() > INVITES / 2 && left.iter().any(|invite| invite.room == "!r119"), "{}", left.len());
    let leave: BTreeMap<&str, Value> = rooms.iter().map(|(room, _)| (*room, json!({}))).collect();
    for _ in 0..2 {
        homeserver.answer(poll, json!({ "rooms": { "leave": leave } })).await;
        poll = homeserver.poll().await;
    }
    assert!(again.bot.place.get().await.invites.is_empty());
    again.end().await;
}

#[tokio::test]
async fn who_joins_by_hand_is_asked_nothing() {
    let mut homeserver = Homeserver::start().await;
    let running =
        run(&bot(&homeserver.server, &Arc::default(), |config| config.auto_join = AutoJoin::Never), 8);
    for _ in 0..2 {
        let poll = homeserver.poll().await;
        homeserver.answer(poll, invited(&[(NEW, ANN)])).await;
    }
    homeserver.poll().await;
    assert!(homeserver.asked("join").is_empty() && running.bot.place.get().await.invites.is_empty());
    running.end().await;
}
