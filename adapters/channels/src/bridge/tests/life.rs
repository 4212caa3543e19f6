//! Conversations that begin, break and begin again.

use super::*;

#[tokio::test]
async fn a_bridge_is_greeted_and_what_it_says_is_confirmed_when_it_is_taken() {
    for far in [Far::program().await, Far::socket().await] {
        let mut running = run(&adapter(&far), 8);
        let (mut peer, greeting) = far.greeted().await;
        assert_eq!(
            greeting,
            json!({ "protocol": 1, "channel": "zalouser", "account": "default", "purpose": "run", "cursor": null })
        );
        running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
        peer.say_text("zca-js has an update for you!").await;
        peer.ask(5, hello("m1")).await;
        let message = running.messages.recv().await.unwrap();
        assert_eq!((message.text.as_str(), message.route.as_str()), ("hello m1", "chat:7001"));
        assert_eq!(peer.next().await.unwrap(), json!({ "jsonrpc": "2.0", "id": 5, "result": {} }));
        peer.say(&json!({ "jsonrpc": "2.0", "id": 6, "method": "dance" })).await;
        assert_eq!(peer.next().await.unwrap()["error"]["code"], -32_601);
        running.shutdown.cancel();
        running.ended.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_operator_sees_how_the_bridge_is_doing() {
    let far = Far::program().await;
    let running = run(&adapter(&far), 8);
    let mut peer = far.begun().await;
    let greeting = peer.asked("hello").await;
    let login = json!({ "protocol": 1, "state": "login", "reason": "scan the code\u{1b}" });
    peer.answer(&greeting, login).await;
    let status = &running.bridge.status;
    let needed = "scan the code\\u{1b}; run `dmgate channels login zalouser`";
    status.reach(|status| *status == ChannelStatus::NeedsLogin(needed.to_owned())).await;
    for (state, expected) in [
        ("ready", ChannelStatus::Ready),
        ("connecting", ChannelStatus::Connecting(Some("the bridge connects".to_owned()))),
        ("refused", ChannelStatus::Refused("the platform refuses the bridge".to_owned())),
        ("ready", ChannelStatus::Ready),
    ] {
        peer.say(&json!({ "method": "status", "params": { "state": state } })).await;
        status.reach(|status| *status == expected).await;
    }
    peer.say(&json!({ "method": "status", "params": { "state": "dizzy" } })).await;
    drop(peer);
    status.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
}

#[tokio::test]
async fn a_bridge_that_dies_is_begun_again_and_goes_on_where_it_was() {
    for far in [Far::program().await, Far::socket().await] {
        let mut running = run(&adapter(&far), 8);
        let (mut peer, _) = far.greeted().await;
        let mut one = hello("m1");
        one["cursor"] = json!("c1");
        peer.ask(1, one.clone()).await;
        assert_eq!(peer.next().await.unwrap()["id"], 1);
        drop(peer);
        let (mut peer, greeting) = far.greeted().await;
        assert_eq!(greeting["cursor"], "c1");
        // It is not sure what it said, and says it again.
        peer.ask(1, one).await;
        assert_eq!(peer.next().await.unwrap()["id"], 1);
        peer.ask(2, hello("m2")).await;
        assert_eq!(running.messages.recv().await.unwrap().text, "hello m1");
        assert_eq!(running.messages.recv().await.unwrap().text, "hello m2");
    }
}

#[tokio::test]
async fn a_restart_neither_replays_nor_loses() {
    let far = Far::program().await;
    let keeper = Arc::new(MemoryKeeper::default());
    let mut running = run(&kept(&far, Arc::clone(&keeper) as Arc<dyn Keeper>), 1);
    let (mut peer, _) = far.greeted().await;
    for (id, cursor) in [(1, "c1"), (2, "c2"), (3, "c3")] {
        let mut message = hello(&format!("m{id}"));
        message["cursor"] = json!(cursor);
        peer.ask(id, message).await;
    }
    // The first is looked at, the second is taken. The third waits before a full inbox, and then nobody takes it any more.
    assert_eq!(running.messages.recv().await.unwrap().text, "hello m1");
    assert_eq!(peer.next().await.unwrap()["id"], 1);
    assert_eq!(peer.next().await.unwrap()["id"], 2);
    running.messages.close();
    assert_eq!(running.messages.recv().await.unwrap().text, "hello m2");
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    drop(running.bridge);
    assert_eq!(peer.next().await, None, "what nobody took is not confirmed");

    let mut running = run(&kept(&far, keeper), 8);
    let (mut peer, greeting) = far.greeted().await;
    assert_eq!(greeting["cursor"], "c2", "nor is it before the place where we are");
    peer.ask(3, hello("m3")).await;
    assert_eq!(running.messages.recv().await.unwrap().text, "hello m3");
}

#[tokio::test]
async fn what_was_let_in_before_a_shutdown_is_still_answered() {
    let far = Far::program().await;
    let Running { bridge, shutdown, ended, _stop, .. } = run(&adapter(&far), 8);
    let (mut peer, _) = far.greeted().await;
    bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    shutdown.cancel();
    ended.await.unwrap().unwrap();
    let sent = send(&bridge, "late");
    let asked = peer.asked("send").await;
    assert_eq!(asked["params"], json!({ "chat": "7001", "text": "late", "key": "k1" }));
    peer.answer(&asked, json!({})).await;
    assert_eq!(sent.await.unwrap(), Ok(()));
    drop(bridge);
    assert_eq!(peer.next().await, None, "with the adapter the program ends");
}

#[tokio::test]
async fn a_burst_is_taken_as_fast_as_it_can_be_and_loses_nothing() {
    const COUNT: u64 = 10_000;
    const WINDOW: u64 = 64;
    for far in [Far::program().await, Far::socket().await] {
        let mut running = run(&adapter(&far), 4);
        let (mut peer, _) = far.greeted().await;
        let bridge = tokio::spawn(async move {
            for id in 0..COUNT + WINDOW {
                if id >= WINDOW {
                    assert_eq!(peer.next().await.unwrap()["id"], id - WINDOW);
                }
                if id < COUNT {
                    peer.ask(id, hello(&id.to_string())).await;
                }
            }
        });
        for id in 0..COUNT {
            assert_eq!(running.messages.recv().await.unwrap().text, format!("hello {id}"));
        }
        bridge.await.unwrap();
    }
}

#[tokio::test]
async fn what_makes_nobody_act_does_not_use_up_the_id_of_what_follows() {
    let far = Far::program().await;
    let mut running = run(&adapter(&far), 8);
    let (mut peer, _) = far.greeted().await;
    for kind in ["other", "membership"] {
        let mut unread = hello("m1");
        unread["kind"] = json!(kind);
        unread["text"] = json!("");
        peer.tell(unread).await;
        assert!(!running.messages.recv().await.unwrap().event.acts());
    }
    for id in ["m1", "m1", "m2"] {
        peer.tell(hello(id)).await;
    }
    assert_eq!(running.messages.recv().await.unwrap().text, "hello m1");
    assert_eq!(running.messages.recv().await.unwrap().text, "hello m2", "what acts counts once");
}

#[tokio::test]
async fn whoever_ends_can_wait_until_a_bridge_has_put_away_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("put-away");
    let script = r#"read -r hello; echo '{"jsonrpc":"2.0","id":1,"result":{"protocol":1,"state":"ready"}}'
        cat > /dev/null; for turn in $(seq 500); do :; done; echo all > "$0""#;
    let words = ["sh", "-c", script, file.to_str().unwrap()].map(str::to_owned).to_vec();
    let setup = Setup::new(account());
    let programs = setup.programs.clone();
    let config = Config { command: Some(words), ..Config::default() };
    let bridge = Arc::new(Bridge::open(setup, config, 100).ok().unwrap());
    let running = run(&bridge, 8);
    running.bridge.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
    drop((running.bridge, bridge));
    programs.ended().await;
    assert_eq!(std::fs::read_to_string(file).unwrap(), "all\n");
}
