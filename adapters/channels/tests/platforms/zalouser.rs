//! The Zalo adapter for people's accounts with the bridge that comes with it and its library, where there is no Zalo to
//! log in to; and with a bridge that dies.

use std::process::Command;

use dmgate::ChannelStatus;
use dmgate_channels::Options;
use dmgate_test_peers::stand_ins::bridge::Bridge;
use dmgate_test_peers::{NodeBridge, Platform, Process};
use serde_json::{Value, json};

use crate::running::{Running, options_of, setup};

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_starts_with_its_library_and_says_that_it_needs_a_login() {
    let bridge = NodeBridge::zalo();
    let running = Running::start(&setup("zalouser"), &Options::new().with("bridge", bridge.words()));
    let status = running.reach(|status| matches!(status, ChannelStatus::NeedsLogin(_))).await;
    let expected = "nobody is logged in to Zalo; run `dmgate channels login zalouser`";
    assert_eq!(status, ChannelStatus::NeedsLogin(expected.to_owned()));
    running.end().await;
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
    let start = || Bridge::start("zalouser", |person| (70 + person).to_string());
    let mut people = tokio::task::spawn_blocking(start).await.unwrap();
    let mut running = Running::start(&setup("zalouser"), &options_of(&people.settings()));
    for round in 0..2 {
        let text = format!("round {round}");
        let written = text.clone();
        people = tokio::task::spawn_blocking(move || {
            people.write(0, &written);
            people
        })
        .await
        .unwrap();
        assert_eq!(running.next().await.text, text);
        people.die();
        running.reach(|status| *status != ChannelStatus::Ready).await;
    }
    running.end().await;
}
