//! Macs that refuse, hang and babble.

use super::*;

#[tokio::test]
async fn i6_what_imsg_says_decides_what_became_of_a_text() {
    let program = FakeProgram::new().await;
    let running = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    running.imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
    let sent = send(&running.imessage, "to:ann@example.org");
    let asked = imsg.asked("send").await;
    let expected = json!({ "to": "ann@example.org", "service": "imessage", "text": "hello" });
    assert_eq!(asked["params"], expected, "no SMS to whom only a handle is known");
    let error = json!({ "code": -32_602, "message": "Invalid params", "data": "unknown chat" });
    imsg.refuse(&asked, error).await;
    let refused = sent.await.unwrap().unwrap_err();
    assert!(
        matches!(&refused, SendError::Impossible { reason } if reason.contains("unknown chat")),
        "{refused}"
    );
    let sent = send(&running.imessage, "to:ann@example.org");
    let asked = imsg.asked("send").await;
    imsg.refuse(&asked, json!({ "code": -32_603, "message": "Internal error" })).await;
    let refused = sent.await.unwrap();
    assert!(matches!(refused, Err(SendError::Unknown { .. })), "Messages may have sent it: {refused:?}");
    let sent = send(&running.imessage, "to:ann@example.org");
    imsg.asked("send").await;
    drop(imsg);
    let lost = sent.await.unwrap();
    assert!(matches!(lost, Err(SendError::Unknown { .. })), "{lost:?}");
}

#[tokio::test]
async fn i6_without_a_mac_nothing_is_sent() {
    let program = FakeProgram::new().await;
    let unsent = send(&adapter(&program), "to:ann@example.org").await.unwrap();
    assert!(matches!(unsent, Err(SendError::Failed { .. })), "{unsent:?}");
    let none = send(&adapter(&program), "iMessage;+;chat1").await.unwrap();
    assert!(matches!(none, Err(SendError::Impossible { .. })), "a group is no way to a person: {none:?}");
}

#[tokio::test]
async fn who_may_write_by_sms_is_answered_by_it() {
    let program = FakeProgram::new().await;
    let running = run(&with(&program, Arc::new(MemoryKeeper::default()), |config| config.sms = true), 8);
    let mut imsg = Imsg::watched(&program).await;
    running.imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
    let _sent = send(&running.imessage, "to:+4917012345678");
    assert_eq!(imsg.asked("send").await["params"]["service"], "auto");
}

#[tokio::test]
async fn a_mac_that_does_not_let_us_read_says_what_to_do() {
    let program = FakeProgram::new().await;
    let running = run(&adapter(&program), 8);
    let mut imsg = Imsg { run: program.started().await, subscription: 0, since: None };
    imsg.run.say("permission banner for people").await;
    let asked = imsg.asked("watch.subscribe").await;
    let denied = json!({ "code": -32_603, "message": "Internal error", "data": "authorization denied" });
    imsg.refuse(&asked, denied).await;
    let status =
        running.imessage.status.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
    let told = format!("{status:?}");
    assert!(told.contains("authorization denied") && told.contains("Full Disk Access"), "{told}");
    let _imsg = Imsg::watched(&program).await;
    running.imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_mac_that_hangs_is_given_up_and_tried_again() {
    let program = FakeProgram::new().await;
    let running = run(&adapter(&program), 8);
    let mut hung = Imsg::watched(&program).await;
    running.imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
    tokio::time::pause();
    let status =
        running.imessage.status.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
    tokio::time::resume();
    assert!(format!("{status:?}").contains("does not answer"), "{status:?}");
    // If it came to hear anything before it was ended, then that.
    if let Some(line) = hung.run.line().await {
        assert!(line.contains("chats.list"), "{line}");
    }
    let _imsg = Imsg::watched(&program).await;
    running.imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_watch_that_ends_is_begun_again() {
    let program = FakeProgram::new().await;
    let mut running = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    let error = json!({ "subscription": 1, "error": { "message": "the database is gone" } });
    // Another subscription is none of ours.
    imsg.run.say(&json!({ "method": "error", "params": { "subscription": 9 } }).to_string()).await;
    imsg.run.say(&json!({ "method": "error", "params": error }).to_string()).await;
    let mut imsg = Imsg::watched(&program).await;
    imsg.tell(&hello(1)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_ends_the_run_and_not_the_channel() {
    let program = FakeProgram::new().await;
    let mut running = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    let piece = vec![b'x'; 1 << 20];
    let mut said = 0;
    while said < 100 && imsg.run.say_raw(&piece).await {
        said += 1;
    }
    assert!(said < 100, "it is not read to its end");
    let mut imsg = Imsg::watched(&program).await;
    imsg.tell(&hello(1)).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
}

#[tokio::test]
async fn typing_is_told_where_it_is_known() {
    let program = FakeProgram::new().await;
    let running = run(&adapter(&program), 8);
    let mut imsg = Imsg::watched(&program).await;
    running.imessage.status.reach(|status| *status == ChannelStatus::Ready).await;
    let shown = tokio::spawn({
        let imessage = Arc::clone(&running.imessage);
        async move { imessage.show_typing(&ReplyRoute::new("iMessage;-;+4917012345678")).await }
    });
    let asked = imsg.asked("typing").await;
    assert_eq!(asked["params"], json!({ "chat_guid": "iMessage;-;+4917012345678", "typing": true }));
    imsg.refuse(&asked, json!({ "code": -32_601, "message": "Method not found" })).await;
    shown.await.unwrap();
}
