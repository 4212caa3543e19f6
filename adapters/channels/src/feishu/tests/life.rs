//! Connections: answers, one after another, signs of life, trouble, the end.

use super::*;
use crate::fake_server::unstall;

/// An app that is in, and Feishu's end of its connection.
async fn connected(fake: &Fake, room: usize) -> (Running, FakePeer) {
    let running = run(&fake.bot(setup(), |_| {}), room);
    let peer = fake.accept().await;
    running.bot.status.reach(|status| *status == ChannelStatus::Ready).await;
    (running, peer)
}

#[tokio::test]
async fn an_event_is_answered_when_the_gate_has_it_and_counts_once() {
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 1).await;
    assert_eq!(peer.path, "/ws/v2?device_id=1&ticket=t1cket&service_id=33554678");
    for number in 1..=3 {
        peer.say_bytes(&frame(&format!("m{number}"), &hello(number))).await;
    }
    // There is room for one message: the second waits, and with it its answer.
    assert_eq!(answered(&mut peer).await, taken("m1"));
    let early = tokio::time::timeout(NO_WAIT, answered(&mut peer)).await;
    assert!(early.is_err(), "{early:?}");
    for number in 1..=3 {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
    }
    assert_eq!((answered(&mut peer).await, answered(&mut peer).await), (taken("m2"), taken("m3")));
    // What comes again is answered, and so is what says nothing to us.
    peer.say_bytes(&frame("m2 again", &hello(2))).await;
    peer.say_bytes(&frame("m4", &json!({ "schema": "2.0" }))).await;
    peer.say_bytes(&part("m5", 1, 0, b"no json")).await;
    peer.say_bytes(&frame("m6", &hello(6))).await;
    for id in ["m2 again", "m4", "m5", "m6"] {
        assert_eq!(answered(&mut peer).await, taken(id));
    }
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 6");
    running.shutdown.cancel();
    assert_eq!(peer.closing().await, Some(1000));
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_takes_and_answers_what_was_read_and_a_restart_knows_it() {
    let fake = Fake::start().await;
    let setup = setup();
    let mut running = run(&fake.bot(setup.clone(), |_| {}), 1);
    let mut peer = fake.accept().await;
    for number in 1..=3 {
        peer.say_bytes(&frame(&format!("m{number}"), &hello(number))).await;
    }
    assert_eq!(answered(&mut peer).await, taken("m1"));
    peer.answered_ping().await;
    running.shutdown.cancel();
    for number in 1..=3 {
        assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
    }
    assert_eq!((answered(&mut peer).await, answered(&mut peer).await), (taken("m2"), taken("m3")));
    assert_eq!(peer.closing().await, Some(1000));
    running.ended.await.unwrap().unwrap();

    let mut running = run(&fake.bot(setup, |_| {}), 8);
    let mut peer = fake.accept().await;
    peer.say_bytes(&frame("m2 again", &hello(2))).await;
    peer.say_bytes(&frame("m4", &hello(4))).await;
    assert_eq!((answered(&mut peer).await, answered(&mut peer).await), (taken("m2 again"), taken("m4")));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 4", "the second came once");
}

#[tokio::test]
async fn what_nobody_takes_shall_come_again() {
    let fake = Fake::start().await;
    let setup = setup();
    let running = run(&fake.bot(setup.clone(), |_| {}), 1);
    let mut peer = fake.accept().await;
    drop(running.messages);
    peer.say_bytes(&frame("m1", &hello(1))).await;
    assert_eq!(answered(&mut peer).await, ("m1".to_owned(), r#"{"code":500}"#.to_owned()));
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    let mut running = run(&fake.bot(setup, |_| {}), 1);
    let mut peer = fake.accept().await;
    peer.say_bytes(&frame("m1", &hello(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
}

#[tokio::test]
async fn signs_of_life_come_as_often_as_feishu_wants_and_no_less_often_than_a_connection_needs() {
    let fake = Fake::start().await;
    let (running, mut peer) = connected(&fake, 1).await;
    for (wanted, expected) in [(None, 30), (Some(5), 5), (Some(600), 30), (Some(0), 30)] {
        if let Some(wanted) = wanted {
            let pong = json!({ "PingInterval": wanted, "ReconnectCount": -1 });
            peer.say_bytes(&Frame::control("pong", pong.to_string().as_bytes()).encode()).await;
            // An event behind it shows that it was read.
            peer.say_bytes(&frame("m", &json!({}))).await;
            assert_eq!(answered(&mut peer).await, taken("m"));
        }
        // The interval counts from the next one on.
        tokio::time::pause();
        assert_eq!(next_frame(&mut peer).await, Frame::ping(33_554_678));
        let before = tokio::time::Instant::now();
        assert_eq!(next_frame(&mut peer).await, Frame::ping(33_554_678));
        let waited = before.elapsed().as_secs();
        tokio::time::resume();
        assert!((expected - 1..=expected).contains(&waited), "{wanted:?}: {waited}");
    }
    running.shutdown.cancel();
}

#[tokio::test]
async fn ten_thousand_events_are_all_taken_and_the_memory_is_bounded() {
    const BURST: usize = 10_000;
    let fake = Fake::start().await;
    let (mut running, mut peer) = connected(&fake, 4).await;
    let said = async {
        let mut answers = 0;
        for number in 0..BURST {
            peer.say_bytes(&frame("m", &hello(number))).await;
            // Feishu is no further ahead of the answers than the queue is long.
            while answers + 400 <= number {
                assert_eq!(answered(&mut peer).await, taken("m"));
                answers += 1;
            }
        }
        while answers < BURST {
            answered(&mut peer).await;
            answers += 1;
        }
    };
    let took = async {
        for number in 0..BURST {
            assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {number}"));
        }
    };
    tokio::join!(said, took);
}

#[tokio::test]
async fn it_connects_again_after_every_kind_of_trouble() {
    let fake = Fake::start().await;
    let mut running = run(&fake.bot(setup(), |_| {}), 8);
    let calls = &fake.calls;
    calls.call().await.answer(500, "").await;
    calls.call().await.answer(200, "no json").await;
    calls.call().await.json_answer(200, json!({ "code": 0, "data": {} })).await;
    calls.call().await.json_answer(200, json!({ "code": 1_000_040_343, "msg": "internal" })).await;
    calls.call().await.json_answer(200, json!({ "code": 1, "msg": "system busy" })).await;
    calls
        .call()
        .await
        .raw("HTTP/1.1 429 X\r\nx-ogw-ratelimit-reset: 0\r\nconnection: close\r\n\r\n", "")
        .await;
    calls.call().await.answer(200, "[".repeat(17 * 1024 * 1024)).await;
    drop(calls.call().await);
    let stalled = calls.call().await.stall();
    let mut call = calls.call().await;
    unstall(stalled);
    for elsewhere in [
        "wss://evil.test/ws",
        "ws://msg-frontier.feishu.cn/ws",
        "wss://feishu.cn.evil.test/",
        "https://open.feishu.cn",
        "x",
    ] {
        call.json_answer(200, json!({ "code": 0, "data": { "URL": elsewhere } })).await;
        call = calls.call().await;
        let told = running.bot.status();
        assert!(format!("{told:?}").contains("not its own"), "{elsewhere}: {told:?}");
    }
    drop(call);
    // A connection that does not become one, and one that says nothing that can be read.
    let refused = async {
        let mut stream = fake.sockets.accept_raw().await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 403 X\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    };
    let serve = async {
        loop {
            fake.answer(fake.calls.call().await).await;
        }
    };
    tokio::select! { () = refused => {} () = serve => {} }
    let mut peer = fake.accept().await;
    for garbage in [
        &b""[..],
        b"no frame",
        &[8],
        &[0xff; 64],
        &Frame::control("pong", b"no json").encode(),
        &Frame::control("x", b"").encode(),
    ] {
        peer.say_bytes(garbage).await;
    }
    peer.say("a text").await;
    peer.say_bytes(&part("m0", 1, 1, b"{}")).await;
    peer.say_bytes(&Frame::data(&[("type", "card"), ("message_id", "c")], b"{}").encode()).await;
    peer.say_bytes(&frame("m1", &hello(1))).await;
    assert_eq!(answered(&mut peer).await, taken("m1"));
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    peer.say_bytes(&vec![0; 5 * 1024 * 1024]).await;
    let peer = fake.accept().await;
    peer.close(1011, "moved").await;
    let mut peer = fake.accept().await;
    peer.say_bytes(&frame("m2", &hello(2))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 2");
}

#[tokio::test]
async fn who_we_are_is_not_needed_to_receive() {
    let fake = Fake::start().await;
    let mut running = run(&fake.bot(setup(), |_| {}), 8);
    fake.answer(fake.calls.call().await).await;
    fake.answer(fake.calls.call().await).await;
    fake.calls.call().await.json_answer(400, json!({ "code": 99_991_672, "msg": "no scope" })).await;
    let mut peer = fake.sockets.accept().await;
    peer.say_bytes(&frame("m1", &hello(1))).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello 1");
}

#[tokio::test]
async fn a_refused_app_stops_the_channel_and_its_secret_is_not_shown() {
    for (mode, code) in [(Mode::Socket, 514), (Mode::Socket, 403), (Mode::Webhook, 10_014)] {
        let fake = Fake::start().await;
        let bot = fake.bot(setup(), |config| {
            (config.mode, config.encrypt_key) = (mode, Some(Secret::new(KEY)));
        });
        let running = run(&bot, 8);
        let call = fake.calls.call().await;
        assert!(String::from_utf8_lossy(&call.body).contains(APP_SECRET));
        call.json_answer(200, json!({ "code": code, "msg": format!("no {APP_SECRET}") })).await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("check `app_id`") && error.contains(&code.to_string()), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert_eq!(running.bot.status(), ChannelStatus::Refused(error));
    }
}
