//! The LINE adapter against the stand-in for LINE: what the story does not show.

use std::sync::Arc;

use dmgate::{
    AccountKey, ChannelAdapter, ChannelStatus, Inbox, OutboundText, ReplyRoute, SendError, TextKind,
};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::line::Line;
use tokio_util::sync::CancellationToken;

use crate::web_server::WebServer;

fn adapter(line: &Line, server: &WebServer) -> Arc<dyn ChannelAdapter> {
    let mut setup = Setup::new(AccountKey::parse("line", "default").unwrap());
    setup.public_url = Some(server.base());
    let settings = line.settings();
    let pairs = settings.lines().filter_map(|setting| setting.split_once(" = "));
    let options =
        pairs.fold(Options::new(), |options, (name, value)| options.with(name, value.trim_matches('"')));
    Channel::of(setup.account.channel()).unwrap().open(setup, &options).unwrap()
}

/// Runs an adapter until it is ready.
async fn run(adapter: &Arc<dyn ChannelAdapter>) -> CancellationToken {
    let (inbox, _messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(adapter), shutdown.clone());
    tokio::spawn(async move { task.run(inbox, until).await });
    loop {
        match adapter.status() {
            ChannelStatus::Ready => return shutdown,
            ChannelStatus::Connecting(None) => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    }
}

async fn send(
    adapter: &Arc<dyn ChannelAdapter>,
    line: &Line,
    body: &str,
    key: &str,
) -> Result<(), SendError> {
    let (body, idempotency_key) = (body.to_owned(), key.to_owned());
    let text = OutboundText { body, kind: TextKind::Notice, idempotency_key };
    adapter.send_text(&ReplyRoute::new(line.id(0)), &text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_text_that_is_tried_again_after_a_restart_reaches_its_reader_once() {
    let (mut line, server) = (Line::start(), WebServer::start().await);
    let first = adapter(&line, &server);
    run(&first).await.cancel();
    send(&first, &line, "you are in", "request 1").await.unwrap();
    drop(first);
    let second = adapter(&line, &server);
    run(&second).await.cancel();
    send(&second, &line, "you are in", "request 1").await.unwrap();
    send(&second, &line, "something else", "request 2").await.unwrap();
    assert_eq!((line.read(0), line.read(0)), ("you are in".to_owned(), "something else".to_owned()));
    assert_eq!(line.unread(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i14_what_line_signs_is_taken_and_a_repetition_is_not() {
    let (line, server) = (Arc::new(Line::start()), WebServer::start().await);
    let adapter = adapter(&line, &server);
    let shutdown = run(&adapter).await;
    let mut event = line.text(0, "hello");
    for (is_redelivery, expected) in [(false, 1), (true, 0)] {
        event["deliveryContext"]["isRedelivery"] = is_redelivery.into();
        let (caller, event) = (Arc::clone(&line), event.clone());
        let called = tokio::task::spawn_blocking(move || caller.call(&[event]));
        let call = server.call().await;
        assert_eq!(call.request.uri().path(), "/webhooks/line/default", "where LINE was told to call");
        let taken = adapter.webhook(call.request.clone()).await;
        assert_eq!((taken.response.status().as_u16(), taken.messages.len()), (200, expected));
        call.answer(taken.response).await;
        assert_eq!(called.await.unwrap(), 200);
    }
    shutdown.cancel();
}
