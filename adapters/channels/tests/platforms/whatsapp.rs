//! WhatsApp Web with the bridge that comes with dmgate and its library, where there is no WhatsApp to log in to.

use std::process::Command;

use dmgate::ChannelStatus;
use dmgate_channels::Options;
use dmgate_test_peers::{NodeBridge, Process};
use serde_json::{Value, json};

use crate::running::{Running, setup};

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_starts_with_its_library_and_says_that_it_needs_a_login() {
    let bridge = NodeBridge::whatsapp();
    let options = Options::new().with("mode", "web").with("bridge", bridge.words());
    let running = Running::start(&setup("whatsapp"), &options);
    let status = running.reach(|status| matches!(status, ChannelStatus::NeedsLogin(_))).await;
    let expected = "nobody is logged in to WhatsApp; run `dmgate channels login whatsapp`";
    assert_eq!(status, ChannelStatus::NeedsLogin(expected.to_owned()));
    running.end().await;
}

#[test]
fn the_bridge_answers_as_the_protocol_says_and_ends_with_its_input() {
    let bridge = NodeBridge::whatsapp();
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
    let hello = json!({ "protocol": 1, "channel": "whatsapp", "account": "default", "purpose": "login" });
    assert_eq!(ask(1, "hello", hello)["result"]["protocol"], 1);
    assert_eq!(ask(2, "ping", json!({}))["result"], json!({}));
    let to = |to: Value| {
        let mut text = json!({ "text": "x", "key": "k" });
        text.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
        text
    };
    for one in
        [json!({ "user": "+16505551234" }), json!({ "user": "1@lid" }), json!({ "chat": "1@s.whatsapp.net" })]
    {
        assert_eq!(ask(3, "send", to(one.clone()))["error"]["code"], -32_001, "{one}");
    }
    for many in [
        json!({ "chat": "1@g.us" }),
        json!({ "chat": "status@broadcast" }),
        json!({ "user": "ann" }),
        json!({}),
    ] {
        assert_eq!(ask(4, "send", to(many.clone()))["error"]["code"], -32_602, "{many}");
    }
    let unknown = json!({ "reference": "https://169.254.169.254/a", "offset": 0, "length": 9 });
    assert_eq!(ask(5, "fetch", unknown)["error"]["code"], -32_602);
    for odd in ["dance", "toString", "constructor"] {
        assert_eq!(ask(6, odd, json!({}))["error"]["code"], -32_601, "{odd}");
    }
    assert_eq!(ask(7, "hello", json!({ "protocol": 2 }))["error"]["code"], -32_602);
    assert!(!bridge.folder().join("session").exists());
    assert!(process.finish().success());
}
