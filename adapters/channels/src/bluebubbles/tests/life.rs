//! How the server learns where to call us, and what the operator reads.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

struct Running {
    bubbles: Arc<BlueBubbles>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
    _messages: mpsc::Receiver<InboundMessage>,
}

fn run(bubbles: &Arc<BlueBubbles>) -> Running {
    let (inbox, messages) = Inbox::collecting(1);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(bubbles), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { bubbles: Arc::clone(bubbles), shutdown, ended, _messages: messages }
}

fn hook(id: u32, url: &str, events: &[&str]) -> Value {
    json!({ "id": id, "url": url, "events": events, "created": "2026-01-01" })
}

#[tokio::test]
async fn the_server_is_told_where_to_call_until_it_takes_it() {
    let server = FakeServer::start().await;
    let running = run(&bubbles(&server, |_| {}));
    server.call().await.answer(502, "<html>").await;
    drop(server.call().await);
    server.call().await.answer(200, "no json").await;
    let call = server.call().await;
    assert!(matches!(running.bubbles.status(), ChannelStatus::Connecting(Some(_))));
    assert_eq!(call.line, format!("GET /api/v1/webhook?password={ENCODED}"));
    let ours = format!("https://gate.example.org/webhooks/bluebubbles/default?password={SECRET}");
    let others = "https://elsewhere.example.org/webhooks/bluebubbles/default?password=theirs";
    let old = "https://gate.example.org/webhooks/bluebubbles/default?password=an-older-secret";
    let hooks = json!([hook(1, others, &["*"]), hook(2, old, &["*"]), hook(3, &ours, &["typing-indicator"])]);
    call.json_answer(200, said(hooks)).await;
    for id in [2, 3] {
        let call = server.call().await;
        assert_eq!(
            call.line,
            format!("DELETE /api/v1/webhook/{id}?password={ENCODED}"),
            "others' are left alone"
        );
        call.json_answer(200, said(json!(null))).await;
    }
    let call = server.call().await;
    assert_eq!(call.line, format!("POST /api/v1/webhook?password={ENCODED}"));
    assert_eq!(call.json(), json!({ "url": ours, "events": ["new-message"] }));
    call.json_answer(200, said(hook(4, &ours, &["new-message"]))).await;
    running.bubbles.status.reach(|status| *status == ChannelStatus::Ready).await;
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_the_server_knows_is_left_as_it_is() {
    for events in [&["new-message"][..], &["*"]] {
        let server = FakeServer::start().await;
        let running = run(&bubbles(&server, |_| {}));
        let ours = format!("https://gate.example.org/webhooks/bluebubbles/default?password={SECRET}");
        server.call().await.json_answer(200, said(json!([hook(1, &ours, events)]))).await;
        running.bubbles.status.reach(|status| *status == ChannelStatus::Ready).await;
        running.shutdown.cancel();
        running.ended.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_refused_password_is_told_of_and_not_shown() {
    let server = FakeServer::start().await;
    let running = run(&bubbles(&server, |_| {}));
    let told = format!("{PASSWORD} is wrong, {ENCODED} too, and {SECRET}");
    server.call().await.json_answer(401, refusal(401, &told, json!(null))).await;
    let error = running.ended.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("check `password`"), "{error}");
    for secret in [PASSWORD, ENCODED, SECRET] {
        assert!(!error.contains(secret), "{error}");
    }
    assert_eq!(running.bubbles.status(), ChannelStatus::Refused(error));
}

#[test]
fn what_cannot_be_a_server_is_refused() {
    for base in ["", "mac", "ftp://x", "https://x/?a"] {
        let config = Config::new(base.to_owned(), Secret::new("p"), Secret::new(SECRET));
        let error =
            BlueBubbles::open(setup(), config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("`server_url`"), "{base}: {error}");
    }
}
