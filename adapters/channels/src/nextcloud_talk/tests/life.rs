//! What the operator reads.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

struct Running {
    talk: Arc<NextcloudTalk>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
    _messages: mpsc::Receiver<InboundMessage>,
}

fn run(talk: &Arc<NextcloudTalk>) -> Running {
    let (inbox, messages) = Inbox::collecting(1);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(talk), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { talk: Arc::clone(talk), shutdown, ended, _messages: messages }
}

#[tokio::test]
async fn it_is_ready_once_the_server_knows_our_user() {
    let server = FakeServer::start().await;
    let running = run(&talk(&server, |_| {}));
    server.call().await.answer(503, "maintenance").await;
    drop(server.call().await);
    server.call().await.answer(200, "no json").await;
    server.call().await.json_answer(200, ocs(json!({}))).await;
    let call = server.call().await;
    let told = running.talk.status();
    assert!(
        matches!(&told, ChannelStatus::Connecting(Some(why)) if why.contains("names no user")),
        "{told:?}"
    );
    assert_eq!(call.line, "GET /ocs/v2.php/cloud/user");
    assert!(call.header("authorization").is_some_and(|header| header.starts_with("Basic ")));
    // It logged in by mail.
    call.json_answer(200, ocs(json!({ "id": "Helper" }))).await;
    running.talk.status.reach(|status| *status == ChannelStatus::Ready).await;

    let mut own = written("direct1", 1, "hi");
    own["actor"]["id"] = json!("users/helper");
    let (_, messages) = give(&running.talk, call_of(&own)).await;
    assert_eq!(messages[0].origin, dmgate::Origin::Own);
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

fn call_of(event: &Value) -> http::Request<Bytes> {
    super::call(&random(1), event.to_string())
}

#[tokio::test]
async fn a_refused_user_is_told_of_and_not_tried_again() {
    for status in [401, 403] {
        let server = FakeServer::start().await;
        let running = run(&talk(&server, |_| {}));
        server.call().await.answer(status, format!("no {PASSWORD}")).await;
        let error = running.ended.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("check `api_user`") && !error.contains(PASSWORD), "{error}");
        assert_eq!(running.talk.status(), ChannelStatus::Refused(error));
    }
}

#[tokio::test]
async fn i16_without_a_user_everybody_is_ignored_and_the_operator_is_told() {
    let server = FakeServer::start().await;
    let running = run(&talk(&server, |config| config.login = None));
    let told = running.talk.status.reach(|status| matches!(status, ChannelStatus::NeedsLogin(_))).await;
    assert!(matches!(told, ChannelStatus::NeedsLogin(why) if why.contains("`api_user`")));
    let (status, messages) = give(&running.talk, call_of(&written("direct1", 1, "hi"))).await;
    assert_eq!((status, messages[0].conversation), (200, Conversation::Unknown));
    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[test]
fn what_cannot_be_a_server_is_refused() {
    let refusal = |base: &str, backend: Option<&str>| {
        let mut config = Config::new(base.to_owned(), Secret::new(SECRET));
        config.backend = backend.map(str::to_owned);
        NextcloudTalk::open(Setup::new(account()), config)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(refusal("ftp://x", None).starts_with("`base_url`"));
    assert!(refusal("https://x/?a", None).starts_with("`base_url`"));
    for wrong in ["cloud", "/", "mailto:a@b"] {
        assert!(refusal("https://cloud.example.org", Some(wrong)).starts_with("`backend`"), "{wrong}");
    }
    assert_eq!(refusal("https://cloud.example.org/nextcloud/", None), "");
}
