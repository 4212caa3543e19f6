//! Admitted messages on their way to the agent, and its answers on their way back.

use std::sync::Arc;
use std::time::Duration;

use dmgate::{
    AccountKey, AccountPolicy, Attachment, ChannelMeta, DmGate, DmPolicy, InboundMessage, Limits, MockAgent,
    TextKind,
};
use tokio::sync::Semaphore;

use crate::support::{
    Echo, Ground, HOUR, Running, Slow, Works, account, adapter, adapter_of, allow, approve, bodies, desk,
    failed, impossible, message, meta, revoke, soon, start, unknown, wait_for,
};

#[tokio::test(start_paused = true)]
async fn i1_nothing_reaches_the_agent_before_the_approval() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    running.inbox.deliver(message("42", "let me in")).await;
    assert_eq!(sends.next().await.text.kind, TextKind::Challenge);
    works.silence().await;
    approve(&*ground.store, "42", false).await;
    // What was written before is not handed on later either.
    works.silence().await;
    running.inbox.deliver(message("42", "hello")).await;
    let work = works.next().await;
    assert_eq!((work.text(), work.turn.permit().sender().as_str()), ("hello", "42"));
    work.answer("welcome");
    let answer = sends.next().await;
    assert_eq!((answer.to.as_str(), answer.text.kind), ("42", TextKind::Reply));
    assert_eq!(answer.text.body, "welcome");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn answers_keep_their_order_while_another_conversation_goes_on() {
    let ground = Ground::new();
    allow(&*ground.store, "1").await;
    allow(&*ground.store, "2").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    for text in ["a", "b", "c"] {
        running.inbox.deliver(message("1", text)).await;
    }
    running.inbox.deliver(message("2", "x")).await;
    let slow = works.next().await;
    assert_eq!(slow.text(), "a");
    let other = works.next().await;
    assert_eq!(other.text(), "x", "`b` waits for `a`, and `x` does not");
    other.answer("X");
    assert_eq!(bodies(&[sends.next().await]), [("2", "X")]);
    works.silence().await;
    slow.answer("A");
    for (text, answer) in [("b", "B"), ("c", "C")] {
        let work = works.next().await;
        assert_eq!(work.text(), text);
        work.answer(answer);
    }
    let sent = [sends.next().await, sends.next().await, sends.next().await];
    assert_eq!(bodies(&sent), [("1", "A"), ("1", "B"), ("1", "C")]);
    running.stop().await;
}

/// One turn under way, and as many messages waiting behind it as there is room for.
async fn fill(running: &Running, works: &mut Works) -> crate::support::Work {
    running.inbox.deliver(message("42", "first")).await;
    let first = works.next().await;
    for number in 0..32 {
        soon("room", running.inbox.deliver(message("42", &number.to_string()))).await;
    }
    first
}

#[tokio::test(start_paused = true)]
async fn a_full_conversation_makes_its_channel_wait() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    let first = fill(&running, &mut works).await;
    let inbox = running.inbox.clone();
    let late = tokio::spawn(async move { inbox.deliver(message("42", "late")).await });
    tokio::time::sleep(HOUR).await;
    assert!(!late.is_finished());
    first.answer("done");
    late.await.unwrap();
    for number in 0..32 {
        let work = works.next().await;
        assert_eq!(work.text(), number.to_string());
        work.answer("done");
    }
    works.next().await.answer("done");
    for _ in 0..34 {
        sends.next().await;
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_on_no_list_of_an_open_account_holds_nobody_up() {
    let ground = Ground::new();
    let policy = AccountPolicy::new(account().channel(), DmPolicy::Open, ["*"], Limits::default()).unwrap();
    let gate = DmGate::builder().world(ground.clock.world()).account(account(), policy).build();
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = start(gate, adapter, agent);
    let first = fill(&running, &mut works).await;
    assert!(soon("an end", running.inbox.deliver(message("42", "one too many"))).await);
    running.inbox.deliver(message("43", "somebody else")).await;
    let other = works.next().await;
    assert_eq!(other.text(), "somebody else");
    other.answer("done");
    first.answer("done");
    for _ in 0..32 {
        works.next().await.answer("done");
    }
    for _ in 0..34 {
        sends.next().await;
    }
    works.silence().await;
    running.stop().await;
}

/// An adapter may give up waiting, as in a `select!` with its shutdown.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_given_up_leaves_nothing_behind() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    let first = fill(&running, &mut works).await;
    let mut late = Box::pin(running.inbox.deliver(message("42", "late")));
    let given_up = tokio::time::timeout(Duration::from_secs(1), &mut late).await;
    assert!(given_up.is_err());
    first.answer("done");
    for _ in 0..32 {
        works.next().await.answer("done");
    }
    for _ in 0..33 {
        sends.next().await;
    }
    // It was offered the place that got free, and did not take it.
    drop(late);
    works.silence().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn long_answers_come_in_parts() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter_of(ChannelMeta { text_limit: 10, ..meta() }, |_| Ok(()));
    let mut agent = MockAgent::new();
    agent.expect_respond().returning(|_| Ok(vec!["one two three four".into(), " ".into(), "five".into()]));
    let running = ground.run(adapter, agent);
    running.inbox.deliver(message("42", "count")).await;
    running.inbox.deliver(message("42", "again")).await;
    let mut sent = Vec::new();
    for _ in 0..6 {
        sent.push(sends.next().await);
    }
    let parts = [("42", "one two"), ("42", "three four"), ("42", "five")];
    assert_eq!(bodies(&sent), [parts, parts].concat());
    // Neither message had an id: all the same, a platform that drops repetitions must drop none of these.
    let mut keys: Vec<&str> = sent.iter().map(|sent| sent.text.idempotency_key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_fails_or_breaks_down_costs_one_answer() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    for text in ["fails", "panics", "fine"] {
        running.inbox.deliver(message("42", text)).await;
    }
    works.next().await.fail();
    drop(works.next().await);
    works.next().await.answer("fine");
    assert_eq!(sends.next().await.text.body, "fine");
    running.inbox.deliver(message("42", "later")).await;
    works.next().await.answer("later");
    assert_eq!(sends.next().await.text.body, "later");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_breaks_down_while_sending_costs_one_answer() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (mock, mut sends) = adapter(vec![]);
    let running = ground.run(Slow { breaks: |_, text| text.body == "echo bad", ..Slow::new(mock, 9) }, Echo);
    running.inbox.deliver(message("42", "bad")).await;
    running.inbox.deliver(message("42", "good")).await;
    let sent = [sends.next().await, sends.next().await];
    assert_eq!(bodies(&sent), [("42", "echo bad"), ("42", "echo good")]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i9_who_was_revoked_while_waiting_does_not_reach_the_agent() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (adapter, mut sends) = adapter(vec![]);
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    running.inbox.deliver(message("42", "now")).await;
    running.inbox.deliver(message("42", "waits")).await;
    let under_way = works.next().await;
    revoke(&*ground.store, "42").await;
    assert!(!under_way.turn.permit().is_current().await);
    under_way.answer("an answer to somebody who is out");
    works.silence().await;
    assert_eq!(sends.so_far().len(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i9_a_revocation_cuts_an_answer_off() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (mock, mut sends) = adapter_of(ChannelMeta { text_limit: 4, ..meta() }, |_| Ok(()));
    let slow = Slow::new(mock, 0);
    let hold = Arc::clone(&slow.hold);
    let running = ground.run(slow, Echo);
    running.inbox.deliver(message("42", "one two")).await;
    assert_eq!(sends.next().await.text.body, "echo");
    revoke(&*ground.store, "42").await;
    hold.add_permits(9);
    sends.silence(HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_surely_did_not_arrive_is_sent_again() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let asked = Duration::from_secs(90);
    let (adapter, mut sends) = adapter(vec![failed(), wait_for(asked), Ok(()), unknown(), impossible()]);
    let running = ground.run(adapter, Echo);
    for text in ["again", "lost", "refused", "fine"] {
        running.inbox.deliver(message("42", text)).await;
    }
    let tries = [sends.next().await, sends.next().await, sends.next().await];
    assert!(tries.iter().all(|sent| sent.text.body == "echo again"));
    assert!(tries.iter().all(|sent| sent.text.idempotency_key == tries[0].text.idempotency_key));
    assert_eq!((tries[1].at - tries[0].at, tries[2].at - tries[1].at), (Duration::from_secs(1), asked));
    for body in ["echo lost", "echo refused", "echo fine"] {
        assert_eq!(sends.next().await.text.body, body);
    }
    sends.silence(HOUR).await;
    running.stop().await;
}

/// Sixty-four turns go on at a time; an answer that can't be delivered is no turn.
#[tokio::test(start_paused = true)]
async fn a_platform_that_is_down_stops_no_other() {
    let ground = Ground::new();
    let (down, _sends) = adapter_of(meta(), |_| wait_for(Duration::from_secs(60)));
    let other = AccountKey::parse("telegram", "other").unwrap();
    let (up, mut sends) = adapter_of(ChannelMeta { account: other.clone(), ..meta() }, |_| Ok(()));
    let running = ground.run_all(vec![Arc::new(down), Arc::new(up)], Echo);
    for id in 1..=100 {
        allow(&*ground.store, &id.to_string()).await;
        running.inbox.deliver(message(&id.to_string(), "hi")).await;
    }
    let owner = crate::support::owner();
    ground.store.allow(&other, &crate::support::sender("1"), &owner).await.unwrap();
    let begin = tokio::time::Instant::now();
    running.inbox.deliver(InboundMessage { account: other, ..message("1", "hi") }).await;
    assert_eq!(sends.next().await.at, begin);
    running.crash().await;
}

#[tokio::test(start_paused = true)]
async fn i1_what_came_with_a_message_is_fetched_with_its_permit_only() {
    let ground = Ground::new();
    let photo = Attachment {
        kind: "image".into(),
        media_type: None,
        name: None,
        size: None,
        reference: "file-1".into(),
    };
    let (mut adapter, mut sends) = adapter(vec![]);
    let asked = photo.clone();
    adapter
        .expect_fetch()
        .withf(move |permit, what, limit, _| {
            permit.sender().as_str() == "42" && *what == asked && *limit == 1_000
        })
        .times(1)
        .returning(|_, _, _, file| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let written = std::pin::Pin::new(file).poll_write(&mut context, b"pixels");
            assert!(matches!(written, std::task::Poll::Ready(Ok(6))));
            Ok(6)
        });
    let (agent, mut works) = desk();
    let running = ground.run(adapter, agent);
    let with_photo = || InboundMessage { attachments: vec![photo.clone()], ..message("42", "look") };
    // A stranger's attachment is not even looked at.
    running.inbox.deliver(with_photo()).await;
    sends.next().await;
    approve(&*ground.store, "42", false).await;
    running.inbox.deliver(with_photo()).await;
    let work = works.next().await;
    let bytes = work.turn.fetch(&work.turn.message().attachments[0], 1_000).await.unwrap();
    work.answer(std::str::from_utf8(&bytes).unwrap());
    assert_eq!(sends.next().await.text.body, "pixels");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn showing_that_an_answer_is_worked_on_ends_by_itself_and_within_bounds() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let (mock, mut sends) = adapter(vec![]);
    let typing = Arc::new(Semaphore::new(0));
    let slow = Slow { typing: Arc::clone(&typing), ..Slow::new(mock, 100) };
    let running = ground.run(slow, Echo);
    // Each holds one, beside the adapter and the test.
    let shown = || Arc::strong_count(&typing) - 2;
    for number in 1..=100 {
        running.inbox.deliver(message("42", "hello")).await;
        sends.next().await;
        assert_eq!(shown(), number.min(64));
    }
    typing.add_permits(64);
    while shown() > 0 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
}
