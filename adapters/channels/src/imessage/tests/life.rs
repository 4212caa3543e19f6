//! Runs of `imsg` that begin, break and begin again.

use super::*;

#[tokio::test]
async fn a_restart_goes_on_after_the_last_message_that_was_taken() {
    let program = FakeProgram::new().await;
    let keeper = Arc::new(MemoryKeeper::default());
    let mut running = run(&with(&program, Arc::clone(&keeper) as Arc<dyn Keeper>, |_| {}), 8);
    let mut imsg = Imsg::watched(&program).await;
    assert_eq!(imsg.since, None, "at the first start there is nothing to go on after");
    imsg.tell(&hello(7)).await;
    imsg.tell(&hello(9)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 7");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 9");
    // It dies, and is asked for what came after 9; what it says again is not taken again.
    drop(imsg);
    let mut imsg = Imsg::watched(&program).await;
    assert_eq!(imsg.since, Some(9));
    imsg.tell(&hello(9)).await;
    imsg.tell(&hello(8)).await;
    imsg.tell(&hello(10)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 10");
    // The file was written before the end.
    running.imessage.kept.look(|place| assert_eq!(place.rowid, 10)).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    drop((running.imessage, imsg));

    let _running = run(&with(&program, keeper, |_| {}), 8);
    assert_eq!(Imsg::watched(&program).await.since, Some(10));
}

#[tokio::test]
async fn what_nobody_takes_is_not_noted() {
    let program = FakeProgram::new().await;
    let keeper = Arc::new(MemoryKeeper::default());
    let mut running = run(&with(&program, Arc::clone(&keeper) as Arc<dyn Keeper>, |_| {}), 1);
    let mut imsg = Imsg::watched(&program).await;
    imsg.tell(&hello(1)).await;
    imsg.tell(&hello(2)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
    running.messages.close();
    imsg.tell(&hello(3)).await;
    running.ended.await.unwrap().unwrap();
    drop((running.imessage, imsg));
    let mut running = run(&with(&program, keeper, |_| {}), 8);
    let mut imsg = Imsg::watched(&program).await;
    assert_eq!(imsg.since, Some(2));
    imsg.tell(&hello(3)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 3");
}

#[tokio::test]
async fn a_burst_is_asked_for_again_where_it_came_too_fast() {
    const COUNT: i64 = 10_000;
    let program = FakeProgram::new().await;
    let mut running = run(&adapter(&program), 1);
    let mut imsg = Imsg::watched(&program).await;
    let served = tokio::spawn(async move {
        let (mut gaps, mut next) = (0, 1);
        loop {
            let asked = tokio::select! {
                biased;
                asked = imsg.run.line() => asked,
                () = std::future::ready(()), if next <= COUNT => {
                    imsg.tell(&hello(next)).await;
                    next += 1;
                    continue;
                }
            };
            // It is told when it was too fast, and begins again where it is told to.
            let Some(asked) = asked else { return gaps };
            let asked: Value = serde_json::from_str(&asked).unwrap();
            match asked["method"].as_str().unwrap() {
                "watch.subscribe" => {
                    gaps += 1;
                    imsg.subscribed(&asked).await;
                    next = imsg.since.unwrap() + 1;
                }
                _ => {
                    assert_eq!(asked["method"], "watch.unsubscribe");
                    imsg.answer(&asked, json!({ "ok": true })).await;
                    next = COUNT + 1;
                }
            }
        }
    });
    for rowid in 1..=COUNT {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {rowid}"));
    }
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    drop(running.imessage);
    assert!(served.await.unwrap() > 0, "it was too fast");
}

#[tokio::test]
async fn a_heap_of_old_messages_makes_nobody_act() {
    let program = FakeProgram::new().await;
    let mut running = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    for (rowid, created_at, acts) in [
        // Apple delivers what was sent long before the first start.
        (1, "2025-12-31T22:59:59Z", false),
        (2, "2025-12-31T23:00:00Z", true),
        // Whose clock is ahead makes nothing old.
        (3, "2026-06-01T00:00:00Z", true),
        (4, "2026-01-01T00:00:01Z", true),
        (5, "2024-01-01T00:00:00Z", false),
        (6, "nonsense", true),
    ] {
        let mut message = hello(rowid);
        message["created_at"] = json!(created_at);
        imsg.tell(&message).await;
        assert_eq!(running.messages.recv().await.unwrap().event.acts(), acts, "{created_at}");
    }
}

#[tokio::test]
async fn what_was_let_in_before_a_shutdown_is_still_answered() {
    let program = FakeProgram::new().await;
    let Running { imessage, shutdown, ended, _stop, .. } = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
    shutdown.cancel();
    ended.await.unwrap().unwrap();
    let sent = send(&imessage, "iMessage;-;+4917012345678");
    let asked = imsg.asked("send").await;
    assert_eq!(asked["params"], json!({ "chat_guid": "iMessage;-;+4917012345678", "text": "hello" }));
    imsg.answer(&asked, json!({ "ok": true })).await;
    assert_eq!(sent.await.unwrap(), Ok(()));
    drop(imessage);
    assert_eq!(imsg.run.line().await, None, "with the adapter the program ends");
}

#[tokio::test]
async fn a_message_that_is_not_written_yet_does_not_use_up_its_id() {
    let program = FakeProgram::new().await;
    let mut running = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    let with = |rowid: i64, text: &str| {
        let mut said = hello(rowid);
        (said["guid"], said["text"]) = (json!("G-1"), json!(text));
        said
    };
    for (rowid, text) in [(1, ""), (2, "whole"), (3, "again")] {
        imsg.tell(&with(rowid, text)).await;
    }
    imsg.tell(&hello(4)).await;
    assert!(!running.messages.recv().await.unwrap().event.acts());
    assert_eq!(running.messages.recv().await.unwrap().text, "whole");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 4", "what acts counts once");
}
