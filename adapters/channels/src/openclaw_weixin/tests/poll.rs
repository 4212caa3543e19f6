//! The long poll: order, the cursor, shutdown, floods.

use super::*;
use crate::kept::MemoryKeeper;

#[tokio::test]
async fn the_cursor_moves_when_the_gate_has_the_batch() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let mut running = run(&bot(&server, setup.clone(), |_| {}), 1);
    greet(&server).await;
    let (cursor, call) = polled(&server).await;
    assert_eq!(cursor, "");
    call.json_answer(200, batch("one", &[hello(7), hello(8), hello(9)])).await;
    // There is room for one message: the others wait, and with them the cursor.
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 7");
    assert!(!setup.keeper.load().await.unwrap().unwrap().contains("one"));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 8");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 9");
    let (cursor, call) = polled(&server).await;
    assert_eq!(cursor, "one");
    assert!(setup.keeper.load().await.unwrap().unwrap().contains("one"), "before it is asked again");
    call.json_answer(200, batch("two", &[hello(9), hello(10)])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 10", "what comes twice counts once");
    running.end(&server).await;

    let running = run(&bot(&server, setup, |_| {}), 8);
    greet(&server).await;
    assert_eq!(polled(&server).await.0, "two", "the next run goes on there");
    running.end(&server).await;
}

#[tokio::test]
async fn a_batch_that_a_shutdown_cuts_short_is_neither_lost_nor_repeated() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let messages = [hello(1), hello(2), hello(3), hello(4)];
    let mut running = run(&bot(&server, setup.clone(), |_| {}), 1);
    greet(&server).await;
    polled(&server).await.1.json_answer(200, batch("one", &messages)).await;
    // The first is in the inbox, the second waits for room when the shutdown comes.
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    while running.messages.is_empty() {
        tokio::task::yield_now().await;
    }
    running.shutdown.cancel();
    let mut taken = Vec::new();
    tokio::join!(
        async {
            while let Some(message) = running.messages.recv().await {
                taken.push(message.text);
            }
        },
        async { poll_or(&server, "notifystop").await.json_answer(200, json!({ "ret": 0 })).await },
    );
    running.ended.await.unwrap().unwrap();
    assert!(!taken.is_empty() && taken.len() < 4, "{taken:?}");

    let mut running = run(&bot(&server, setup.clone(), |_| {}), 8);
    greet(&server).await;
    let (cursor, call) = polled(&server).await;
    assert_eq!(cursor, "", "it was not taken whole");
    call.json_answer(200, batch("one", &messages)).await;
    let (cursor, _held) = polled(&server).await;
    assert_eq!(cursor, "one");
    while let Ok(message) = running.messages.try_recv() {
        taken.push(message.text);
    }
    running.end(&server).await;
    assert_eq!(taken, ["hello 1", "hello 2", "hello 3", "hello 4"]);
}

#[tokio::test]
async fn what_nobody_takes_leaves_the_cursor_where_it_is() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let mut running = run(&bot(&server, setup.clone(), |_| {}), 1);
    greet(&server).await;
    polled(&server).await.1.json_answer(200, batch("one", &[hello(1), hello(2), hello(3)])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    drop(running.messages);
    poll_or(&server, "notifystop").await.json_answer(200, json!({ "ret": 0 })).await;
    running.ended.await.unwrap().unwrap();
    let kept: Place = serde_json::from_str(&setup.keeper.load().await.unwrap().unwrap()).unwrap();
    assert_eq!(kept.cursor, "");
    assert!(
        kept.taken.contains(&"1".to_owned()) && !kept.taken.contains(&"3".to_owned()),
        "{:?}",
        kept.taken
    );
}

#[tokio::test]
async fn ten_thousand_messages_are_all_taken_and_what_is_kept_stays_small() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let mut running = run(&bot(&server, setup.clone(), |_| {}), 4);
    greet(&server).await;
    let message = |id: u64| {
        let mut message = hello(id);
        message["from_user_id"] = json!(format!("{}{id}@im.wechat", "p".repeat(230)));
        // As long as it may be, for all that are kept in the end.
        if id > 9_000 {
            message["context_token"] = json!("t".repeat(1_500));
        }
        message
    };
    let mut next = 1;
    for round in 0..10 {
        let messages: Vec<Value> = (1..=1_000).map(|number| message(round * 1_000 + number)).collect();
        polled(&server)
            .await
            .1
            .json_answer(200, batch(&format!("{}{round}", "c".repeat(65_000)), &messages))
            .await;
        for _ in 0..1_000 {
            let message = running.messages.recv().await.unwrap();
            assert_eq!(message.text, format!("hello {next}"));
            next += 1;
        }
    }
    let (cursor, _call) = polled(&server).await;
    assert!(cursor.ends_with('9'));
    let kept = setup.keeper.load().await.unwrap().unwrap();
    assert!(kept.len() <= crate::kept::KEPT_LIMIT && kept.contains(&cursor), "{} bytes", kept.len());
    assert!(running.bot.seen.len() <= 4_096);
}

#[tokio::test]
async fn another_bot_has_a_place_of_its_own() {
    let server = FakeServer::start().await;
    let setup = logged_in(&server).await;
    let before =
        json!({ "bot": "another@im.bot", "cursor": "far", "taken": ["1"], "tokens": [[ANN, "old"]] });
    setup.keeper.save(&before.to_string()).await.unwrap();
    let mut running = run(&bot(&server, setup.clone(), |_| {}), 8);
    greet(&server).await;
    let (cursor, call) = polled(&server).await;
    assert_eq!(cursor, "");
    call.json_answer(200, batch("near", &[hello(1)])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    running.end(&server).await;
    let kept: Value = serde_json::from_str(&setup.keeper.load().await.unwrap().unwrap()).unwrap();
    let expected = json!({ "bot": BOT, "cursor": "near", "taken": [], "tokens": [[ANN, "ctx-1"]] });
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_damaged_place_is_begun_anew() {
    let server = FakeServer::start().await;
    let setup = Setup { keeper: Arc::new(MemoryKeeper::default()), ..logged_in(&server).await };
    setup.keeper.save("{\"cursor\":").await.unwrap();
    let running = run(&bot(&server, setup, |_| {}), 8);
    greet(&server).await;
    assert_eq!(polled(&server).await.0, "");
    running.end(&server).await;
}

#[test]
fn what_is_remembered_of_a_batch_has_a_bound_and_no_doubles() {
    let mut place = Place::default();
    place.take(vec!["1".to_owned(), "2".to_owned()]);
    place.take(vec!["1".to_owned(), "3".to_owned()]);
    assert_eq!(place.taken, ["1", "2", "3"]);
    place.take((0..2_000).map(|id| id.to_string()).collect());
    assert_eq!((place.taken.len(), place.taken.back().map(String::as_str)), (TAKEN, Some("1999")));
}

#[tokio::test]
async fn what_is_still_being_written_does_not_use_up_its_number() {
    let server = FakeServer::start().await;
    let mut running = run(&bot(&server, logged_in(&server).await, |_| {}), 8);
    greet(&server).await;
    let mut half = hello(1);
    half["message_state"] = json!(1);
    polled(&server).await.1.json_answer(200, batch("one", &[half])).await;
    assert!(!running.messages.recv().await.unwrap().event.acts());
    polled(&server).await.1.json_answer(200, batch("two", &[hello(1), hello(1), hello(2)])).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2", "what acts counts once");
    let (_, _held) = polled(&server).await;
    running.end(&server).await;
}
