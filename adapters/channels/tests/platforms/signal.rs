//! The Signal adapter with the real daemon of signal-cli, which has no account here; and what the stand-in answers beside
//! what the daemon answers.

use dmgate::{ChannelStatus, ReplyRoute, SendError};
use dmgate_channels::Options;
use dmgate_test_peers::stand_ins::signal::Signal;
use dmgate_test_peers::{Platform, SignalCli};
use serde_json::{Value, json};

use crate::running::{Running, setup, text};

/// The status and the body of an answer.
async fn asked(base: &str, method: &str, path: &str, media_type: &str, body: &str) -> (u16, Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let authority = base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_daemon_is_found_and_lacks_the_account() {
    let daemon = tokio::task::spawn_blocking(SignalCli::start).await.unwrap();
    let options = Options::new().with("account", "+33999999998").with("api_base", daemon.base());
    let running = Running::start(&setup("signal"), &options);
    running.reach(|status| matches!(status, ChannelStatus::NeedsLogin(_))).await;
    let sent = running.adapter.send_text(&ReplyRoute::new("+33123456789"), &text("hello", "k")).await;
    let expected = "signal-cli answers -32602: Specified account does not exist";
    assert!(matches!(&sent, Err(SendError::Failed { reason, .. }) if reason == expected), "{sent:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_answers_as_the_real_daemon_does() {
    let (daemon, stand_in) =
        tokio::task::spawn_blocking(|| (SignalCli::start(), Signal::start())).await.unwrap();
    let settings = stand_in.settings();
    let stand_in_base = settings.split('"').find(|part| part.starts_with("http")).unwrap();
    let rpc = |method: &str, params: Value| {
        json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params }).to_string()
    };
    let of_nobody = json!({ "account": "+499", "recipient": ["+33123456789"], "message": "x" });
    let of_none = json!({ "recipient": ["+33123456789"], "message": "x" });
    for (method, path, media_type, body) in [
        ("GET", "/api/v1/check", "", String::new()),
        ("POST", "/api/v1/check", "", String::new()),
        ("GET", "/api/v1/rpc", "", String::new()),
        ("POST", "/api/v1/rpc", "text/plain", rpc("version", json!({}))),
        ("POST", "/api/v1/rpc", "application/json", rpc("version", json!({}))),
        ("POST", "/api/v1/rpc", "application/json", rpc("dance", json!({}))),
        ("POST", "/api/v1/rpc", "application/json", rpc("send", of_nobody.clone())),
        ("POST", "/api/v1/rpc", "application/json", rpc("send", of_none)),
        ("POST", "/api/v1/rpc", "application/json", rpc("sendTyping", of_nobody)),
        ("POST", "/api/v1/rpc", "application/json", json!({ "jsonrpc": "2.0", "id": "a" }).to_string()),
        ("GET", "/api/v1/events?account=%2B499", "", String::new()),
        ("POST", "/api/v1/events", "", String::new()),
        ("GET", "/elsewhere", "", String::new()),
    ] {
        let real = asked(&daemon.base(), method, path, media_type, &body).await;
        let stands_in = asked(stand_in_base, method, path, media_type, &body).await;
        assert_eq!(stands_in, real, "{method} {path} {body}");
    }
}
