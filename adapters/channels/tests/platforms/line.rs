//! The LINE adapter against the stand-in for LINE: what the story does not show.

use std::sync::Arc;

use dmgate::{ReplyRoute, SendError};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::line::Line;

use crate::running::{Running, options_of, setup, text};
use crate::web_server::WebServer;

/// Runs an adapter until it is ready.
async fn run(line: &Line, server: &WebServer) -> Running {
    let mut setup = setup("line");
    setup.public_url = Some(server.base());
    let running = Running::start(&setup, &options_of(&line.settings()));
    running.ready().await;
    running
}

async fn send(running: &Running, line: &Line, body: &str, key: &str) -> Result<(), SendError> {
    running.adapter.send_text(&ReplyRoute::new(line.id(0)), &text(body, key)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_text_that_is_tried_again_after_a_restart_reaches_its_reader_once() {
    let (mut line, server) = (Line::start(), WebServer::start().await);
    let first = run(&line, &server).await;
    send(&first, &line, "you are in", "request 1").await.unwrap();
    first.end().await;
    let second = run(&line, &server).await;
    send(&second, &line, "you are in", "request 1").await.unwrap();
    send(&second, &line, "something else", "request 2").await.unwrap();
    assert_eq!((line.read(0), line.read(0)), ("you are in".to_owned(), "something else".to_owned()));
    assert_eq!(line.unread(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i14_what_line_signs_is_taken_and_a_repetition_is_not() {
    let (line, server) = (Arc::new(Line::start()), WebServer::start().await);
    let running = run(&line, &server).await;
    let mut event = line.text(0, "hello");
    for (is_redelivery, expected) in [(false, 1), (true, 0)] {
        event["deliveryContext"]["isRedelivery"] = is_redelivery.into();
        let (caller, event) = (Arc::clone(&line), event.clone());
        let called = tokio::task::spawn_blocking(move || caller.call(&[event]));
        let call = server.call().await;
        assert_eq!(call.request.uri().path(), "/webhooks/line/default", "where LINE was told to call");
        let taken = running.adapter.webhook(call.request.clone()).await.taken();
        assert_eq!((taken.response.status().as_u16(), taken.messages.len()), (200, expected));
        call.answer(taken.response).await;
        assert_eq!(called.await.unwrap(), 200);
    }
    running.end().await;
}
