//! Bridges that hang, babble, flood, and answer what they like.

use super::*;

/// What becomes of a text that a bridge deals with so.
async fn sent(answer: impl AsyncFnOnce(&mut Peer, Value)) -> Result<(), SendError> {
    let far = Far::program().await;
    let running = run(&adapter(&far), 8);
    let (mut peer, _) = far.greeted().await;
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    let sent = send(&running.bridge, "hello");
    let asked = peer.asked("send").await;
    answer(&mut peer, asked).await;
    drop(peer);
    sent.await.unwrap()
}

#[tokio::test]
async fn i6_the_bridges_word_decides_what_became_of_a_text() {
    assert_eq!(sent(async |peer, asked| peer.answer(&asked, json!({ "id": "m9" })).await).await, Ok(()));
    let refused = async |code: i64, data: Value| {
        let error = json!({ "code": code, "message": "no", "data": data });
        sent(async |peer, asked| peer.refuse(&asked, error).await).await.unwrap_err()
    };
    let wait = Some(Duration::from_secs(7));
    let slow = refused(-32_001, json!({ "retry_after": 7 })).await;
    assert!(matches!(slow, SendError::Failed { retry_after, .. } if retry_after == wait), "{slow}");
    for hopeless in [-32_002, -32_601, -32_602] {
        assert!(matches!(refused(hopeless, Value::Null).await, SendError::Impossible { .. }));
    }
    for open in [-32_603, -32_000, 1] {
        assert!(matches!(refused(open, Value::Null).await, SendError::Unknown { .. }), "it may have arrived");
    }
    let died = sent(async |_, _| {}).await;
    assert!(matches!(died, Err(SendError::Unknown { .. })), "{died:?}");
}

#[tokio::test]
async fn i6_without_a_conversation_nothing_is_sent() {
    let far = Far::program().await;
    let bridge = adapter(&far);
    let unsent = send(&bridge, "hello").await.unwrap();
    assert!(matches!(unsent, Err(SendError::Failed { .. })), "{unsent:?}");
    let running = run(&bridge, 8);
    let (peer, _) = far.greeted().await;
    bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    drop(peer);
    bridge.status.reach(|status| *status != ChannelStatus::Ready).await;
    let unsent = send(&bridge, "hello").await.unwrap();
    assert!(matches!(unsent, Err(SendError::Failed { .. })), "{unsent:?}");
    drop(running);
}

#[tokio::test]
async fn a_program_that_is_no_bridge_is_not_taken_for_one() {
    let far = Far::program().await;
    let running = run(&adapter(&far), 8);
    let mut peer = far.begun().await;
    let hello = peer.asked("hello").await;
    peer.refuse(&hello, json!({ "code": -32_601, "message": "unknown method" })).await;
    let status = running.bridge.status.reach(|s| matches!(s, ChannelStatus::Connecting(Some(_)))).await;
    assert!(format!("{status:?}").contains("unknown method"), "{status:?}");
    let mut peer = far.begun().await;
    let hello = peer.asked("hello").await;
    peer.answer(&hello, json!({ "protocol": 2 })).await;
    let ended = running.ended.await.unwrap();
    assert!(ended.unwrap_err().to_string().contains("version 1"));
    assert!(matches!(running.bridge.status(), ChannelStatus::Refused(_)));
}

#[tokio::test]
async fn a_program_that_does_not_start_or_ends_at_once_is_tried_again() {
    let retried = async |words: &[&str], expected: &str| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let config = Config { command: Some(words), ..Config::default() };
        let mut bridge = Bridge::open(Setup::new(account()), config, 100).ok().unwrap();
        bridge.retry = (Duration::from_millis(1), Duration::from_millis(1));
        let running = run(&Arc::new(bridge), 8);
        let status = running.bridge.status.reach(|s| matches!(s, ChannelStatus::Connecting(Some(_)))).await;
        assert!(format!("{status:?}").contains(expected), "{status:?}");
        assert!(!running.ended.is_finished());
        running.shutdown.cancel();
        running.ended.await.unwrap().unwrap();
    };
    retried(&["/no/such/bridge"], "can't be started").await;
    retried(&["false"], "does not say hello").await;
}

#[tokio::test]
async fn a_bridge_that_hangs_is_ended_and_begun_again() {
    let far = Far::program().await;
    let running = run(&adapter(&far), 8);
    let (mut hung, _) = far.greeted().await;
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    tokio::time::pause();
    let status = running.bridge.status.reach(|s| matches!(s, ChannelStatus::Connecting(Some(_)))).await;
    tokio::time::resume();
    assert!(format!("{status:?}").contains("does not answer"), "{status:?}");
    // If it came to hear anything before it was ended, then that.
    if let Some(asked) = hung.next().await {
        assert_eq!(asked["method"], "ping");
    }
    let _again = far.greeted().await;
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn a_bridge_that_hangs_has_ended_before_another_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("id");
    // It greets, and hears nothing any more; who comes after it looks whether it is still there.
    let script = r#"test -s "$0" && kill -0 "$(cat "$0")" && echo both > "$0.both"
        echo $$ > "$0"; read -r hello
        echo '{"jsonrpc":"2.0","id":1,"result":{"protocol":1,"state":"ready"}}'; exec sleep 600"#;
    let words = ["sh", "-c", script, place.to_str().unwrap()].map(str::to_owned).to_vec();
    let config = Config { command: Some(words), ..Config::default() };
    let mut bridge = Bridge::open(Setup::new(account()), config, 100).ok().unwrap();
    bridge.retry = (Duration::from_millis(1), Duration::from_millis(1));
    let running = run(&Arc::new(bridge), 8);
    let ready = |status: &ChannelStatus| *status == ChannelStatus::Ready;
    running.bridge.status.reach(ready).await;
    tokio::time::pause();
    running.bridge.status.reach(|status| !ready(status)).await;
    tokio::time::resume();
    running.bridge.status.reach(ready).await;
    assert!(!dir.path().join("id.both").exists(), "two of one account at once");
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_ends_the_conversation_and_not_the_channel() {
    let far = Far::program().await;
    let mut running = run(&adapter(&far), 8);
    let (peer, _) = far.greeted().await;
    let Peer::Program(mut program) = peer else { panic!("it is a program") };
    let piece = vec![b'x'; 1 << 20];
    let mut said = 0;
    while said < 100 && program.say_raw(&piece).await {
        said += 1;
    }
    assert!(said < 100, "it is not read to its end");
    let (mut peer, _) = far.greeted().await;
    peer.tell(hello("m1")).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello m1");
}

#[tokio::test]
async fn who_floods_and_waits_for_no_answer_loses_messages_and_nothing_else() {
    let far = Far::program().await;
    let mut running = run(&adapter(&far), 1);
    let (mut peer, _) = far.greeted().await;
    for id in 0..10_000 {
        peer.tell(hello(&id.to_string())).await;
    }
    // The answer to a call comes through all the same: the reader never waits.
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    let sent = send(&running.bridge, "still there?");
    let asked = peer.asked("send").await;
    peer.answer(&asked, json!({})).await;
    assert_eq!(sent.await.unwrap(), Ok(()));
    let mut came = 0;
    peer.ask(1, hello("last")).await;
    running.messages.recv().await.unwrap();
    running.shutdown.cancel();
    while running.messages.recv().await.is_some() {
        came += 1;
    }
    assert!((500..2_000).contains(&came), "as many as are kept: {came}");
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn large_messages_wait_in_less_room_than_small_ones() {
    let far = Far::program().await;
    let mut running = run(&adapter(&far), 1);
    let (mut peer, _) = far.greeted().await;
    for id in 0..40 {
        let mut message = hello(&id.to_string());
        message["padding"] = json!("x".repeat(1 << 20));
        peer.tell(message).await;
    }
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    let sent = send(&running.bridge, "still there?");
    let asked = peer.asked("send").await;
    peer.answer(&asked, json!({})).await;
    assert_eq!(sent.await.unwrap(), Ok(()));
    running.shutdown.cancel();
    let mut came = 0;
    while running.messages.recv().await.is_some() {
        came += 1;
    }
    assert!((10..20).contains(&came), "as many as are kept: {came}");
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn files_come_in_pieces_up_to_the_limit() {
    let far = Far::program().await;
    let running = run(&adapter(&far), 8);
    let (mut peer, _) = far.greeted().await;
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    let fetch = |limit: u64| {
        let speaker = running.bridge.line.speaker();
        tokio::spawn(async move {
            let mut file = Vec::new();
            send::fetch(speaker, "f1", limit, &mut file).await.map(|length| (length, file))
        })
    };
    let fetched = fetch(5);
    for (offset, piece) in [(0, json!({ "data": "YWJj" })), (3, json!({ "data": "ZGU=", "end": true }))] {
        let asked = peer.asked("fetch").await;
        assert_eq!(asked["params"], json!({ "reference": "f1", "offset": offset, "length": 256 * 1024 }));
        peer.answer(&asked, piece).await;
    }
    assert_eq!(fetched.await.unwrap().unwrap(), (5, b"abcde".to_vec()));
    for (limit, piece, expected) in [
        (2, json!({ "data": "YWJj" }), "larger than 2"),
        (9, json!({ "data": "" }), "more or less"),
        (9, json!({ "data": "?" }), "no base64"),
        (9, json!({}), "no piece"),
    ] {
        let fetched = fetch(limit);
        let asked = peer.asked("fetch").await;
        peer.answer(&asked, piece).await;
        let error = fetched.await.unwrap().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let fetched = fetch(9);
    let asked = peer.asked("fetch").await;
    peer.refuse(&asked, json!({ "code": -32_601, "message": "no" })).await;
    assert!(matches!(fetched.await.unwrap(), Err(FetchError::Unsupported)));
}

#[tokio::test]
async fn typing_is_told_and_never_waited_for() {
    let far = Far::program().await;
    let running = run(&adapter(&far), 8);
    let (mut peer, _) = far.greeted().await;
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.bridge.show_typing(&ReplyRoute::new("user:7001")).await;
    assert_eq!(peer.next().await.unwrap()["params"], json!({ "user": "7001" }));
    running.bridge.show_typing(&ReplyRoute::new("../..")).await;
    let sent = send(&running.bridge, "hello");
    peer.asked("send").await;
    drop(peer);
    assert!(sent.await.unwrap().is_err());
}
