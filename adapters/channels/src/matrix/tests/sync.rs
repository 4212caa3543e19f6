//! The poll: order, places, restarts, gaps.

use super::*;

fn limited(events: &[Value], before: &str) -> Value {
    json!({ "rooms": { "join": { DM: { "timeline": { "events": events, "limited": true, "prev_batch": before } } } } })
}

#[tokio::test]
async fn the_first_poll_of_all_skips_what_was_said_before_and_the_place_moves_when_all_is_taken() {
    let mut homeserver = Homeserver::start().await;
    let keeper = Arc::default();
    let mut running = run(&bot(&homeserver.server, &keeper, |_| {}), 1);
    let first = loop {
        if let Some(poll) = homeserver.serve().await {
            break poll;
        }
    };
    assert_eq!((parameter(&first, "since"), parameter(&first, "timeout").as_deref()), (None, Some("0")));
    homeserver.answer(first, in_room(DM, &[said("$1", "before")])).await;
    let poll = homeserver.poll().await;
    assert_eq!(
        (parameter(&poll, "since").as_deref(), parameter(&poll, "timeout").as_deref()),
        (Some("s1"), Some("30000"))
    );
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    // There is room for one message: the place does not move before there was room for all.
    homeserver.answer(poll, in_room(DM, &[said("$2", "one"), said("$3", "two"), said("$4", "three")])).await;
    assert_eq!(running.message(&mut homeserver).await.text, "one");
    assert_eq!(running.bot.place.get().await.next_batch.as_deref(), Some("s1"));
    assert_eq!(running.texts(&mut homeserver, 2).await, ["two", "three"]);
    let poll = homeserver.poll().await;
    assert_eq!(parameter(&poll, "since").as_deref(), Some("s2"));
    assert_eq!(homeserver.asked("/state").len(), 1, "who is in the room is asked once");
    drop(poll);
    running.end().await;

    let mut again = run(&bot(&homeserver.server, &keeper, |_| {}), 1);
    let poll = homeserver.poll().await;
    assert_eq!(
        (parameter(&poll, "since").as_deref(), parameter(&poll, "timeout").as_deref()),
        (Some("s2"), Some("0"))
    );
    homeserver.answer(poll, in_room(DM, &[said("$5", "four")])).await;
    assert_eq!(again.texts(&mut homeserver, 1).await, ["four"]);
    again.end().await;
}

#[tokio::test]
async fn a_shutdown_amid_a_batch_neither_loses_nor_repeats() {
    let mut homeserver = Homeserver::start().await;
    let keeper = Arc::default();
    let mut running = run(&bot(&homeserver.server, &keeper, |_| {}), 1);
    let poll = homeserver.poll().await;
    let batch = in_room(DM, &[said("$1", "one"), said("$2", "two"), said("$3", "three")]);
    homeserver.answer(poll, batch.clone()).await;
    assert_eq!(running.message(&mut homeserver).await.text, "one");
    // The second is in the inbox, or waits for room there.
    running.shutdown.cancel();
    let mut taken = vec!["one".to_owned()];
    while let Some(message) = running.messages.recv().await {
        taken.push(message.text);
    }
    running.ended.await.unwrap().unwrap();

    let mut again = run(&bot(&homeserver.server, &keeper, |_| {}), 8);
    let poll = homeserver.poll().await;
    assert_eq!(parameter(&poll, "since").as_deref(), Some("s1"), "the batch was not taken to its end");
    homeserver.answer(poll, batch).await;
    let rest = again.texts(&mut homeserver, 3 - taken.len()).await;
    taken.extend(rest);
    assert_eq!(taken, ["one", "two", "three"]);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, in_room(DM, &[said("$4", "four")])).await;
    assert_eq!(again.texts(&mut homeserver, 1).await, ["four"], "nothing came twice");
    again.end().await;
}

#[tokio::test]
async fn what_nobody_takes_moves_no_place_and_does_not_count_as_taken() {
    let mut homeserver = Homeserver::start().await;
    let running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 1);
    let poll = homeserver.poll().await;
    drop(running.messages);
    homeserver.answer(poll, in_room(DM, &[said("$1", "one")])).await;
    assert!(homeserver.serve().await.is_none(), "who is in the room");
    running.ended.await.unwrap().unwrap();
    let place = running.bot.place.get().await;
    assert_eq!((place.next_batch.as_deref(), place.taken.len()), (Some("s1"), 0));
}

#[tokio::test]
async fn ten_thousand_messages_in_a_gap_come_in_order_and_a_page_at_a_time() {
    let mut homeserver = Homeserver::start().await;
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 1);
    for page in 0..200 {
        let chunk: Vec<Value> =
            (page * 50..page * 50 + 50).map(|n| said(&format!("${n}"), &n.to_string())).collect();
        let from = if page == 0 { "s1".to_owned() } else { format!("t{page}") };
        let mut answer = json!({ "chunk": chunk });
        if page < 199 {
            answer["end"] = json!(format!("t{}", page + 1));
        }
        homeserver.pages.insert(from, answer);
    }
    let poll = homeserver.poll().await;
    // The last of the gap stands in the poll as well.
    homeserver.answer(poll, limited(&[said("$9999", "9999"), said("$10000", "10000")], "p")).await;
    for number in 0..=10_000 {
        assert_eq!(running.message(&mut homeserver).await.text, number.to_string());
    }
    let asked = homeserver.asked("/messages");
    assert_eq!(asked.len(), 200);
    assert_eq!(asked[1], format!("GET rooms/{DM}/messages?dir=f&limit=50&from=t1&to=p"));
    assert_eq!(running.bot.seen.len(), 10_000);
    running.end().await;
}

#[tokio::test]
async fn a_gap_elsewhere_is_not_filled_and_one_that_leads_nowhere_ends() {
    let mut homeserver = Homeserver::start().await;
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let mut elsewhere = limited(&[], "p");
    let rooms = elsewhere["rooms"]["join"].as_object_mut().unwrap();
    let room = rooms.remove(DM).unwrap();
    rooms.insert("!other:example.org".to_owned(), room);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, elsewhere).await;
    // The homeserver sends us in a circle.
    homeserver.pages.insert("s2".to_owned(), json!({ "chunk": [said("$1", "one")], "end": "s2" }));
    let poll = homeserver.poll().await;
    assert!(homeserver.asked("/messages").is_empty());
    homeserver.answer(poll, limited(&[said("$2", "two")], "p")).await;
    assert_eq!(running.texts(&mut homeserver, 2).await, ["one", "two"]);
    assert_eq!(homeserver.asked("/messages").len(), 1);
    running.end().await;
}

#[tokio::test]
async fn i16_a_third_member_makes_it_a_group_from_the_next_message_on() {
    let mut homeserver = Homeserver::start().await;
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    let poll = homeserver.poll().await;
    homeserver.answer(poll, in_room(DM, &[said("$1", "alone")])).await;
    assert_eq!(running.message(&mut homeserver).await.conversation, dmgate::Conversation::Direct);
    homeserver.rooms.insert(DM.to_owned(), members(&[BOT, ANN, BOB]));
    let joins = json!({
        "type": "m.room.member", "sender": BOB, "state_key": BOB, "event_id": "$2", "content": { "membership": "join" },
    });
    let poll = homeserver.poll().await;
    homeserver.answer(poll, in_room(DM, &[joins, said("$3", "not alone")])).await;
    running.message(&mut homeserver).await;
    let message = running.message(&mut homeserver).await;
    assert_eq!((message.conversation, message.route.as_str()), (dmgate::Conversation::Group, ""));
    running.end().await;
}

#[tokio::test]
async fn our_account_data_decides_what_is_direct_and_may_change_at_any_time() {
    let mut homeserver = Homeserver::start().await;
    let mut running = run(&bot(&homeserver.server, &Arc::default(), |_| {}), 8);
    for (direct, expected) in [
        (json!({ ANN: [] }), dmgate::Conversation::Unknown),
        (json!({ ANN: [DM] }), dmgate::Conversation::Direct),
    ] {
        let poll = homeserver.poll().await;
        let mut answer = in_room(DM, &[said(&format!("${expected:?}"), "hello")]);
        answer["account_data"] = json!({ "events": [{ "type": "m.direct", "content": direct }] });
        homeserver.answer(poll, answer).await;
        assert_eq!(running.message(&mut homeserver).await.conversation, expected);
    }
    let ann = dmgate::SenderId::parse(account().channel(), ANN).unwrap();
    assert_eq!(running.bot.route_to(&ann).unwrap().as_str(), format!("{DM} {ANN}"));
    let bob = dmgate::SenderId::parse(account().channel(), BOB).unwrap();
    assert_eq!(running.bot.route_to(&bob), None);
    running.end().await;
}

#[tokio::test]
async fn the_place_of_another_account_or_one_that_is_not_known_any_more_is_given_up() {
    let mut homeserver = Homeserver::start().await;
    let keeper: Arc<MemoryKeeper> = Arc::default();
    let foreign = json!({ "user": "@other:example.org", "next_batch": "s77" });
    keeper.save(&foreign.to_string()).await.unwrap();
    let mut running = run(&bot(&homeserver.server, &keeper, |_| {}), 8);
    let poll = homeserver.poll().await;
    assert_eq!(parameter(&poll, "since").as_deref(), Some("s1"), "the first one had none");
    poll.json_answer(400, refused("M_UNKNOWN", "Invalid stream token")).await;
    let poll = homeserver.poll().await;
    assert_eq!(parameter(&poll, "since").as_deref(), Some("s2"), "again the first one had none");
    homeserver.answer(poll, in_room(DM, &[said("$1", "hello")])).await;
    assert_eq!(running.texts(&mut homeserver, 1).await, ["hello"]);
    running.end().await;
}
