//! Lines of events that begin, break and begin again.

use super::*;
use crate::fake_server::unstall;

#[tokio::test]
async fn it_is_ready_before_the_daemon_says_anything() {
    let server = FakeServer::start().await;
    let mut running = run(&adapter(&server), 8);
    let mut events = Events::asked_for(&server).await;
    running.signal.status.reach(|status| *status == ChannelStatus::Ready).await;
    // After 15 seconds it begins, with a comment.
    events.begin().await;
    events.tell_raw(":\n").await;
    events.tell(&hello(1)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_account_that_the_daemon_lacks_needs_a_login_and_is_taken_up_by_itself() {
    let server = FakeServer::start().await;
    let running = run(&adapter(&server), 8);
    answer(server.call().await, json!([{ "number": "+33111111111" }])).await;
    let status = running.signal.status.reach(|s| matches!(s, ChannelStatus::NeedsLogin(_))).await;
    assert!(format!("{status:?}").contains("dmgate channels login signal"), "{status:?}");
    answer(server.call().await, json!([])).await;
    let _events = Events::listened(&server).await;
    running.signal.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_daemon_for_one_account_says_nothing_of_accounts() {
    let server = FakeServer::start().await;
    let mut running = run(&adapter(&server), 8);
    let call = server.call().await;
    assert_eq!(call.json()["method"], "listAccounts");
    refuse(call, json!({ "code": -32_601, "message": "Method not implemented", "data": null })).await;
    let call = server.call().await;
    let mut events = match call.line.starts_with("GET /api/v1/events") {
        true => Events(call),
        false => {
            call.answer(200, "").await;
            Events(server.call().await)
        }
    };
    events.begin().await;
    // It also tells of what is for another account than ours.
    let other = json!({ "account": "+33111111111", "envelope": hello(1) });
    events.tell_raw(&format!("event:receive\ndata:{other}\n\n")).await;
    events.tell(&hello(2)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
}

#[tokio::test]
async fn a_line_that_breaks_is_begun_again_after_the_last_event() {
    let server = FakeServer::start().await;
    let keeper = Arc::new(MemoryKeeper::default());
    let mut running = run(&kept(&server, Arc::clone(&keeper) as Arc<dyn Keeper>), 8);
    let mut events = Events::listened(&server).await;
    assert_eq!(events.0.header("last-event-id"), None);
    for number in [1, 2] {
        let event = json!({ "account": OWN, "envelope": hello(number) });
        events.tell_raw(&format!("id:17-{number}\nevent:receive\ndata:{event}\n\n")).await;
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
    }
    drop(events);
    let mut events = Events::listened(&server).await;
    assert_eq!(events.0.header("last-event-id"), Some("17-2"));
    // What the daemon is not sure of it says again.
    events.tell(&hello(2)).await;
    events.tell(&hello(1)).await;
    events.tell(&hello(3)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 3");
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();

    let _running = run(&kept(&server, keeper), 8);
    assert_eq!(Events::listened(&server).await.0.header("last-event-id"), Some("17-2"));
}

#[tokio::test]
async fn a_silent_line_is_lost() {
    let server = FakeServer::start().await;
    let running = run(&adapter(&server), 8);
    let events = Events::listened(&server).await;
    running.signal.status.reach(|status| *status == ChannelStatus::Ready).await;
    let stalled = events.0.stall();
    let status = running.signal.status.reach(|s| matches!(s, ChannelStatus::Connecting(Some(_)))).await;
    unstall(stalled);
    assert!(format!("{status:?}").contains("silent"), "{status:?}");
    let _events = Events::listened(&server).await;
    running.signal.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_burst_waits_with_the_daemon_and_loses_nothing() {
    const COUNT: i64 = 10_000;
    let server = FakeServer::start().await;
    let mut running = run(&adapter(&server), 1);
    let mut events = Events::listened(&server).await;
    let sending = tokio::spawn(async move {
        for stamp in 1..=COUNT {
            events.tell(&hello(stamp)).await;
        }
        events
    });
    for stamp in 1..=COUNT {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {stamp}"));
    }
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn an_event_of_a_hundred_megabytes_ends_the_line_and_not_the_channel() {
    let server = FakeServer::start().await;
    let mut running = run(&adapter(&server), 8);
    let mut events = Events::listened(&server).await;
    let piece = "x".repeat(1 << 20);
    let mut said = 0;
    events.tell_raw("data:").await;
    while said < 100 && events.0.say(&piece).await {
        said += 1;
    }
    assert!(said < 100, "it is not read to its end");
    let mut events = Events::listened(&server).await;
    events.tell(&hello(1)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
}

#[tokio::test]
async fn what_nobody_takes_is_not_noted() {
    let server = FakeServer::start().await;
    let running = run(&adapter(&server), 1);
    let mut events = Events::listened(&server).await;
    drop(running.messages);
    let event = json!({ "account": OWN, "envelope": hello(1) });
    events.tell_raw(&format!("id:17-1\nevent:receive\ndata:{event}\n\n")).await;
    running.ended.await.unwrap().unwrap();
    assert_eq!(running.signal.kept.get().await.event, None);
}

#[tokio::test]
async fn what_can_t_be_read_at_first_does_not_use_up_its_stamp() {
    let server = FakeServer::start().await;
    let mut running = run(&adapter(&server), 8);
    let mut events = Events::listened(&server).await;
    let mut unread = hello(1);
    unread.as_object_mut().unwrap().remove("dataMessage");
    let exception = json!({ "message": "no session", "type": "ProtocolNoSessionException" });
    let event = json!({ "account": OWN, "envelope": unread, "exception": exception });
    events.tell_raw(&format!("event:receive\ndata:{event}\n\n")).await;
    assert!(!running.messages.recv().await.unwrap().event.acts());
    for stamp in [1, 1, 2] {
        events.tell(&hello(stamp)).await;
    }
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2", "what acts counts once");
}
