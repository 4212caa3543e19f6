//! The end of a pipeline, and the beginning of the next.

use std::sync::Arc;

use bytes::Bytes;
use dmgate::{InboundMessage, MockChannelAdapter, Pipeline, Webhook};
use http::StatusCode;

use crate::support::{
    Echo, Ground, HOUR, Slow, account, adapter, adapter_of, allow, desk, failed, message, meta, soon,
};

fn request() -> http::Request<Bytes> {
    http::Request::new(Bytes::new())
}

/// A mocked adapter with a web hook that brings one message of this sender.
fn hooked(mut adapter: MockChannelAdapter, id: &'static str) -> MockChannelAdapter {
    adapter.expect_webhook().returning(move |_| {
        let mut hook = Webhook::status(StatusCode::OK);
        hook.messages.push(message(id, "by hook"));
        hook
    });
    adapter
}

async fn call(pipeline: &Pipeline) -> StatusCode {
    pipeline.webhook(&account(), request()).await.status()
}

#[tokio::test(start_paused = true)]
async fn everything_that_was_delivered_is_answered_before_the_end() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(hooked(adapter, "42"), agent);
    for text in ["a", "b"] {
        assert!(running.inbox.deliver(message("42", text)).await);
    }
    assert_eq!(call(&running.pipeline).await, StatusCode::OK);
    running.shutdown.cancel();
    tokio::time::sleep(HOUR).await;
    assert!(!running.task.is_finished());
    for text in ["a", "b", "by hook"] {
        let work = works.next().await;
        assert_eq!(work.text(), text);
        work.answer(text);
        assert_eq!(sends.next().await.text.body, text);
    }
    soon("the end", running.task).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_end_is_refused_and_not_lost() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(hooked(adapter, "42"), agent);
    running.inbox.deliver(message("42", "before")).await;
    running.shutdown.cancel();
    let before = works.next().await;
    // Closing, and not over: nothing more is taken.
    tokio::time::sleep(HOUR).await;
    assert_eq!(call(&running.pipeline).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!running.inbox.deliver(message("42", "while closing")).await);
    before.answer("before");
    soon("the end", running.task).await.unwrap();
    assert_eq!(call(&running.pipeline).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!running.inbox.deliver(message("42", "after")).await);
    assert!(!running.inbox.deliver(message("43", "a stranger, after")).await);
    works.silence().await;
    assert_eq!(sends.so_far().len(), 1);
    assert!(ground.store.pending(account().channel()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_web_hook_under_way_is_finished() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (mock, mut sends) = adapter(vec![]);
    let slow = Slow::new(hooked(mock, "42"), 0);
    let hold = Arc::clone(&slow.hold);
    let running = ground.run(slow, Echo);
    let pipeline = running.pipeline.clone();
    let under_way = tokio::spawn(async move { call(&pipeline).await });
    tokio::time::sleep(HOUR).await;
    running.shutdown.cancel();
    tokio::time::sleep(HOUR).await;
    assert!(!running.task.is_finished());
    hold.add_permits(9);
    assert_eq!(under_way.await.unwrap(), StatusCode::OK);
    soon("the end", running.task).await.unwrap();
    assert_eq!(sends.so_far().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_web_hook_is_finished_when_its_platform_hung_up() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (mock, mut sends) = adapter(vec![]);
    let slow = Slow::new(hooked(mock, "42"), 0);
    let hold = Arc::clone(&slow.hold);
    let running = ground.run(slow, Echo);
    assert!(tokio::time::timeout(HOUR, call(&running.pipeline)).await.is_err());
    hold.add_permits(9);
    assert_eq!(sends.next().await.text.body, "echo by hook");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_web_hook_that_breaks_down_is_an_error_of_ours() {
    let ground = Ground::new();
    let (mut adapter, _sends) = adapter(vec![]);
    adapter.expect_webhook().returning(|_| panic!("on purpose"));
    let running = ground.run(adapter, Echo);
    assert_eq!(call(&running.pipeline).await, StatusCode::INTERNAL_SERVER_ERROR);
    let other = dmgate::AccountKey::parse("telegram", "other").unwrap();
    assert_eq!(running.pipeline.webhook(&other, request()).await.status(), StatusCode::NOT_FOUND);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_texts_that_wait() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter_of(meta(), |_| failed());
    let running = ground.run(adapter, Echo);
    running.inbox.deliver(message("42", "hi")).await;
    for _ in 0..10 {
        sends.next().await;
    }
    let begin = tokio::time::Instant::now();
    running.stop().await;
    assert_eq!(tokio::time::Instant::now(), begin);
}

/// An adapter whose `run` breaks down once, and then delivers a message.
#[tokio::test(start_paused = true)]
async fn a_channel_that_breaks_down_begins_anew() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (other, mut others) = adapter(vec![]);
    let (delivered, mut deliveries) = tokio::sync::mpsc::unbounded_channel();
    let mut broken = MockChannelAdapter::new();
    let meta =
        dmgate::ChannelMeta { account: dmgate::AccountKey::parse("irc", "default").unwrap(), ..meta() };
    broken.expect_meta().return_const(meta);
    broken.expect_run().times(1).returning(|_, _| panic!("on purpose"));
    broken.expect_run().times(1).returning(move |inbox, _| {
        delivered.send(inbox).unwrap();
        Ok(())
    });
    let running = ground.run_all(vec![Arc::new(broken), Arc::new(other)], Echo);
    running.inbox.deliver(message("42", "hi")).await;
    assert_eq!(others.next().await.text.body, "echo hi");
    let inbox = soon("another run", deliveries.recv()).await.unwrap();
    assert!(inbox.deliver(message("42", "again")).await);
    assert_eq!(others.next().await.text.body, "echo again");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_collecting_inbox_says_when_nobody_collects() {
    let (inbox, mut messages) = dmgate::Inbox::collecting(1);
    assert!(inbox.deliver(message("42", "hi")).await);
    assert_eq!(messages.recv().await.map(|message: InboundMessage| message.text).as_deref(), Some("hi"));
    drop(messages);
    assert!(!inbox.deliver(message("42", "hi")).await);
}

#[tokio::test(start_paused = true)]
async fn a_web_hooks_events_are_taken_when_all_are_queued_and_lost_if_something_breaks_down() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (mut adapter, _sends) = adapter(vec![]);
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let mut calls = 0;
    adapter.expect_webhook().returning(move |_| {
        calls += 1;
        let (mut hook, told) = (Webhook::status(StatusCode::OK), told.clone());
        // More than a conversation holds.
        for number in 0..40 {
            let told = Told(told.clone(), calls);
            hook.add(message("42", &number.to_string()), move || told.taken());
        }
        assert_ne!(calls, 2, "on purpose");
        hook
    });
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    let pipeline = running.pipeline.clone();
    let under_way = tokio::spawn(async move { call(&pipeline).await });
    tokio::time::sleep(HOUR).await;
    assert!(!under_way.is_finished() && tells.try_recv().is_err(), "some still wait");
    for number in 0..40 {
        let work = works.next().await;
        assert_eq!(work.text(), number.to_string());
        work.answer("ok");
    }
    assert_eq!(soon("the answer", under_way).await.unwrap(), StatusCode::OK);
    for _ in 0..40 {
        assert_eq!(tells.try_recv(), Ok((1, true)));
    }
    assert_eq!(call(&running.pipeline).await, StatusCode::INTERNAL_SERVER_ERROR);
    for _ in 0..40 {
        assert_eq!(tells.try_recv(), Ok((2, false)));
    }
    running.stop().await;
}

/// Tells which call it is of, and whether its event was taken.
struct Told(tokio::sync::mpsc::UnboundedSender<(u32, bool)>, u32);

impl Told {
    fn taken(mut self) {
        self.0.send((self.1, true)).unwrap();
        self.1 = 0;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.1 > 0 {
            self.0.send((self.1, false)).unwrap();
        }
    }
}
