//! The Zalo adapter for people's accounts with the bridge that comes with it and its library, where there is no Zalo to
//! log in to; and with a bridge that dies.

use std::process::Command;
use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelStatus, Inbox};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::stand_ins::bridge::Bridge;
use dmgate_test_peers::{NodeBridge, Platform, Process};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn adapter(words: Vec<String>) -> Arc<dyn ChannelAdapter> {
    let setup = Setup::new(AccountKey::parse("zalouser", "default").unwrap());
    let channel = Channel::of(setup.account.channel()).unwrap();
    channel.open(setup, &Options::new().with("bridge", words)).unwrap()
}

/// Waits until the adapter is as it should be; a bridge takes some time to load its library.
async fn reach(adapter: &Arc<dyn ChannelAdapter>, wanted: impl Fn(&ChannelStatus) -> bool) -> ChannelStatus {
    for _ in 0..3_000 {
        let status = adapter.status();
        if wanted(&status) {
            return status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it is {:?}", adapter.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_starts_with_its_library_and_says_that_it_needs_a_login() {
    let bridge = NodeBridge::zalo();
    let adapter = adapter(bridge.words());
    let (inbox, _messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (adapter, shutdown) = (Arc::clone(&adapter), shutdown.clone());
        async move { adapter.run(inbox, shutdown).await }
    });
    let status = reach(&adapter, |status| matches!(status, ChannelStatus::NeedsLogin(_))).await;
    let expected = "nobody is logged in to Zalo; run `dmgate channels login zalouser`";
    assert_eq!(status, ChannelStatus::NeedsLogin(expected.to_owned()));
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[test]
fn the_bridge_answers_as_the_protocol_says_and_ends_with_its_input() {
    let bridge = NodeBridge::zalo();
    let words = bridge.words();
    let mut process = Process::spawn("the bridge", Command::new(&words[0]).args(&words[1..]));
    let mut ask = |id: u64, method: &str, params: Value| {
        let asked = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        process.write_line(&asked.to_string());
        let is_answer = |line: &str| {
            let said: Value = serde_json::from_str(line).unwrap_or_default();
            said["id"] == id && said.get("method").is_none()
        };
        serde_json::from_str::<Value>(&process.await_line(is_answer)).unwrap()
    };
    let hello = json!({ "protocol": 1, "channel": "zalouser", "account": "default", "purpose": "login" });
    assert_eq!(ask(1, "hello", hello)["result"]["protocol"], 1);
    assert_eq!(ask(2, "ping", json!({}))["result"], json!({}));
    assert_eq!(ask(3, "send", json!({ "chat": "1", "text": "x", "key": "k" }))["error"]["code"], -32_001);
    let elsewhere = json!({ "reference": "https://169.254.169.254/a", "offset": 0, "length": 9 });
    assert_eq!(ask(4, "fetch", elsewhere)["error"]["code"], -32_602);
    assert_eq!(ask(5, "dance", json!({}))["error"]["code"], -32_601);
    assert_eq!(ask(6, "hello", json!({ "protocol": 2 }))["error"]["code"], -32_602);
    assert!(!bridge.folder().join("session.json").exists());
    assert!(process.finish().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_dies_comes_back_with_what_it_has_to_say() {
    let (mut people, words) = tokio::task::spawn_blocking(|| {
        let people = Bridge::start("zalouser", |person| (70 + person).to_string());
        let settings = people.settings();
        let words = settings.trim().trim_start_matches("bridge = ");
        let words: Vec<String> = serde_json::from_str(words).unwrap();
        (people, words)
    })
    .await
    .unwrap();
    let adapter = adapter(words);
    let (inbox, mut messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (adapter, shutdown) = (Arc::clone(&adapter), shutdown.clone());
        async move { adapter.run(inbox, shutdown).await }
    });
    for round in 0..2 {
        let text = format!("round {round}");
        let written = text.clone();
        people = tokio::task::spawn_blocking(move || {
            people.write(0, &written);
            people
        })
        .await
        .unwrap();
        assert_eq!(messages.recv().await.unwrap().text, text);
        people.die();
        reach(&adapter, |status| *status != ChannelStatus::Ready).await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
