//! An agent that is a server.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Hired, hired, hired_within, says};
use crate::config::agent::{AgentKind, HttpSettings};
use crate::config::node::Origin;
use crate::config::secret::{Place, Secret};

/// What a request was: its head, in lower case, and its body.
type Heard = (String, serde_json::Value);

/// A server that gives these answers, one a connection, and tells what it heard.
async fn server(answers: Vec<String>) -> (String, mpsc::UnboundedReceiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/messages", listener.local_addr().unwrap());
    let (told, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let mut socket = BufReader::new(listener.accept().await.unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(socket.read_line(&mut head).await.unwrap() > 0);
            }
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            socket.read_exact(&mut body).await.unwrap();
            told.send((head, serde_json::from_slice(&body).unwrap())).unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heard)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

fn secret(text: &str) -> Secret {
    Secret { key: "agent.token".to_owned(), origin: Origin::Default, place: Place::Here(text.to_owned()) }
}

fn settings(url: &str, retries: u32) -> HttpSettings {
    HttpSettings { url: url.to_owned(), retries, token: None, headers: Vec::new(), proxy: None }
}

fn agent(url: &str, retries: u32) -> Hired {
    hired(AgentKind::Http(settings(url, retries)))
}

#[tokio::test]
async fn one_post_a_turn() {
    let (url, mut heard) = server(vec![ok(r#"{"replies":["a","b"]}"#)]).await;
    let token = Some(secret("hush"));
    let headers = vec![("x-more".to_owned(), secret("1"))];
    let http = hired(AgentKind::Http(HttpSettings { token, headers, ..settings(&url, 0) }));
    assert_eq!(says(&http.agent, "hello").await, Ok(vec!["a".to_owned(), "b".to_owned()]));
    let (head, body) = heard.recv().await.unwrap();
    assert!(head.starts_with("post /messages http/1.1\r\n"), "{head}");
    for line in ["authorization: bearer hush", "x-more: 1", "content-type: application/json"] {
        assert!(head.contains(line), "{head}");
    }
    let key = body["id"].as_str().unwrap().to_owned();
    assert!(head.contains(&format!("idempotency-key: {key}")), "{head}");
    assert_eq!(
        body,
        serde_json::json!({
            "id": key, "channel": "mybot", "account": "work", "sender": "u1", "name": "Ann", "text": "hello",
            "messageId": "m1", "conversation": "direct", "reason": "open",
            "attachments": [{"kind": "image", "mediaType": "image/png", "name": null, "size": 5}],
        })
    );
}

#[tokio::test]
async fn nothing_is_an_answer_too() {
    let (url, _heard) = server(vec![answer("204 No Content", "", "")]).await;
    assert_eq!(says(&agent(&url, 0).agent, "hello").await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_passes_is_tried_again_with_the_same_key() {
    let passing =
        ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"];
    let mut answers: Vec<String> = passing.map(|status| answer(status, "retry-after: 0\r\n", "")).into();
    answers.push(ok(r#"{"reply":"at last"}"#));
    let (url, mut heard) = server(answers).await;
    assert_eq!(says(&agent(&url, 4).agent, "hello").await, Ok(vec!["at last".to_owned()]));
    let mut keys = Vec::new();
    while let Some((_, body)) = heard.recv().await {
        keys.push(body["id"].to_string());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn what_lasts_is_tried_once() {
    for (status, headers, says_why) in [
        ("500 Internal Server Error", "", "answered 500"),
        ("404 Not Found", "", "answered 404"),
        ("302 Found", "location: http://127.0.0.1:1/elsewhere\r\n", "redirects are not followed"),
    ] {
        let (url, mut heard) = server(vec![answer(status, headers, ""), ok("{}")]).await;
        let why = says(&agent(&url, 5).agent, "hello").await.unwrap_err();
        assert!(why.contains(says_why), "{why}");
        heard.recv().await.unwrap();
        assert!(heard.try_recv().is_err(), "{status}: tried once");
    }
}

#[tokio::test]
async fn retries_end() {
    let busy = answer("503 Service Unavailable", "retry-after: 0\r\n", "");
    let (url, _heard) = server(vec![busy.clone(), busy]).await;
    assert!(says(&agent(&url, 1).agent, "hello").await.unwrap_err().contains("answered 503"));
}

#[tokio::test]
async fn errors_say_what_to_do_and_show_no_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/key-in-the-path", listener.local_addr().unwrap());
    drop(listener);
    let why = says(&agent(&url, 0).agent, "hello").await.unwrap_err();
    assert!(why.contains("can't be reached") && !why.contains("key-in-the-path"), "{why}");

    let (url, _heard) = server(vec![ok("hello there")]).await;
    let why = says(&agent(&url, 0).agent, "hello").await.unwrap_err();
    assert!(why.contains("not the JSON") && !why.contains("hello"), "{why}");
}

#[tokio::test]
async fn answers_have_a_limit() {
    let long = format!("{{\"reply\":\"{}\"}}", "x".repeat(2_000));
    let (url, _heard) = server(vec![ok(&long)]).await;
    assert!(says(&agent(&url, 0).agent, "hello").await.unwrap_err().contains("longer than 1000 bytes"));
}

#[tokio::test]
async fn a_turn_has_its_time() {
    // It accepts by the system's queue, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let http = hired_within(AgentKind::Http(settings(&url, 3)), Duration::from_millis(50));
    let why = says(&http.agent, "hello").await.unwrap_err();
    assert!(why.contains("within 0.05 s"), "{why}");
    let _: &Arc<_> = &http.agent;
}
