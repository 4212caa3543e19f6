//! Codes on their way to strangers.

use std::sync::Arc;
use std::time::Duration;

use dmgate::pairing::{Approval, Target};
use dmgate::{Authenticity, Conversation, EventKind, InboundMessage, MockAgent, Origin, TextKind};
use tokio::time::Instant;

use crate::support::{
    Ground, HOUR, Slow, account, adapter, adapter_of, approve, failed, impossible, message, meta, only_code,
    owner, unknown, wait_for,
};

/// An agent that must not be asked.
fn nobody() -> MockAgent {
    MockAgent::new()
}

#[tokio::test(start_paused = true)]
async fn i2_one_code_per_sender_per_hour_whatever_arrives() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, nobody());
    let every = |text: &str| {
        let base = message("42", text);
        let event = |event| InboundMessage { event, ..base.clone() };
        [EventKind::Message, EventKind::Command, EventKind::Button, EventKind::Callback].map(event)
    };
    for round in 0..10 {
        for message in every(&format!("{round}")) {
            running.inbox.deliver(message).await;
        }
    }
    let first = sends.next().await;
    assert_eq!((first.to.as_str(), first.text.kind), ("42", TextKind::Challenge));
    assert!(first.text.body.contains(&only_code(&*ground.store).await));

    // A rejection frees the slot, and does not end the hour.
    let target = Target::Sender(crate::support::sender("42"));
    let rejection = Approval { target, account: None, notify: false };
    ground.store.reject(account().channel(), rejection, false, &owner()).await.unwrap();
    ground.clock.advance(HOUR);
    running.inbox.deliver(message("42", "again")).await;
    sends.silence(HOUR).await;

    ground.clock.advance(Duration::from_millis(1));
    running.inbox.deliver(message("42", "at last")).await;
    let second = sends.next().await;
    assert_ne!(first.text.body, second.text.body);
    assert_ne!(first.text.idempotency_key, second.text.idempotency_key);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i3_the_fourth_stranger_hears_nothing() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, nobody());
    for id in ["1", "2", "3", "4", "5"] {
        running.inbox.deliver(message(id, "hi")).await;
    }
    let mut to = [sends.next().await.to, sends.next().await.to, sends.next().await.to];
    to.sort();
    assert_eq!(to, ["1", "2", "3"]);
    sends.silence(HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i14_what_is_no_stranger_s_message_gets_no_code() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, nobody());
    let hi = || message("42", "hi");
    for message in [
        InboundMessage { authenticity: Authenticity::Unverified, ..hi() },
        InboundMessage { origin: Origin::Own, ..hi() },
        InboundMessage { origin: Origin::Bot, ..hi() },
        InboundMessage { event: EventKind::Edit, ..hi() },
        InboundMessage { event: EventKind::Reaction, ..hi() },
        InboundMessage { conversation: Conversation::Group, ..hi() },
        InboundMessage { conversation: Conversation::Unknown, ..hi() },
        InboundMessage { account: dmgate::AccountKey::parse("telegram", "other").unwrap(), ..hi() },
    ] {
        running.inbox.deliver(message).await;
    }
    sends.silence(HOUR).await;
    assert!(ground.store.pending(account().channel()).await.unwrap().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_a_failing_send_is_retried_with_the_same_code_until_it_arrived() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![failed(), failed(), failed()]);
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    let tries = [sends.next().await, sends.next().await, sends.next().await, sends.next().await];
    for again in &tries[1..] {
        assert_eq!(again.text.body, tries[0].text.body);
        assert_eq!(again.text.idempotency_key, tries[0].text.idempotency_key);
    }
    let waits: Vec<u64> = tries.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4]);
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_platform_gets_the_time_that_it_asks_for() {
    let ground = Ground::new();
    let asked = Duration::from_secs(600);
    let (adapter, mut sends) = adapter(vec![wait_for(asked)]);
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    let first = sends.next().await;
    // Another stranger's code is no reason to bother the platform with this one.
    running.inbox.deliver(message("43", "hi")).await;
    assert_eq!(sends.next().await.to, "43");
    let second = sends.next().await;
    assert_eq!((second.to.as_str(), second.at - first.at), ("42", asked));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_asks_for_eternity_is_survived() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![wait_for(Duration::MAX)]);
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    sends.silence(23 * HOUR).await;
    running.inbox.deliver(message("43", "hi")).await;
    assert_eq!(sends.next().await.to, "43");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_can_be_reached_again_is_sent_their_code_at_once() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![wait_for(HOUR)]);
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    let first = sends.next().await;
    sends.silence(Duration::from_secs(60)).await;
    running.inbox.reachable(&account());
    assert_eq!((sends.next().await.at - first.at).as_secs(), 60);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_can_be_reached_while_a_try_fails_is_sent_their_code_at_once() {
    let ground = Ground::new();
    let (mock, mut sends) = adapter(vec![wait_for(HOUR)]);
    let slow = Slow::new(mock, 0);
    let hold = Arc::clone(&slow.hold);
    let running = ground.run(slow, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    let first = sends.next().await;
    running.inbox.reachable(&account());
    // The outbox hears the bell before the try that is under way ends.
    sends.silence(Duration::from_secs(1)).await;
    hold.add_permits(2);
    assert_eq!((sends.next().await.at - first.at).as_secs(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_an_unknown_outcome_is_tried_at_most_once_more() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![unknown(), unknown()]);
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    assert_eq!(sends.next().await.text.body, sends.next().await.text.body);
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_a_platform_that_drops_the_second_gets_the_same_key_until_it_arrived() {
    let ground = Ground::new();
    let mut outcomes = vec![Ok(()), unknown(), unknown(), unknown()];
    let meta = dmgate::ChannelMeta { idempotent_sends: true, ..meta() };
    let (adapter, mut sends) = adapter_of(meta, move |_| outcomes.pop().unwrap());
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    let first = sends.next().await;
    for _ in 0..3 {
        assert_eq!(sends.next().await.text.idempotency_key, first.text.idempotency_key);
    }
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_can_never_arrive_is_given_up() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![impossible()]);
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_a_channel_that_breaks_down_while_sending_counts_as_unknown() {
    let ground = Ground::new();
    let (mock, mut sends) = adapter(vec![]);
    let running = ground.run(Slow { breaks: |to, _| to.as_str() == "42", ..Slow::new(mock, 9) }, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    assert_eq!(sends.next().await.text.body, sends.next().await.text.body);
    sends.silence(2 * HOUR).await;
    running.inbox.deliver(message("43", "hi")).await;
    assert_eq!(sends.next().await.to, "43");
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_after_a_restart_an_unsent_code_is_sent_and_a_sent_one_is_not() {
    let ground = Ground::new();
    let (refusing, mut sends) = adapter_of(meta(), |sent| if sent.to == "42" { failed() } else { Ok(()) });
    let running = ground.run(refusing, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    let unsent = sends.next().await;
    running.inbox.deliver(message("43", "hi")).await;
    while sends.next().await.to != "43" {}
    running.stop().await;

    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, nobody());
    let again = sends.next().await;
    assert_eq!((&again.to, &again.text.body), (&unsent.to, &unsent.text.body));
    assert_eq!(again.text.idempotency_key, unsent.text.idempotency_key);
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i6_a_try_that_a_crash_cut_off_counts_as_unknown() {
    let ground = Ground::new();
    for _ in 0..2 {
        let (mock, mut sends) = adapter(vec![]);
        let running = ground.run(Slow::new(mock, 0), nobody());
        running.inbox.deliver(message("42", "hi")).await;
        sends.next().await;
        running.crash().await;
    }
    // It may have arrived twice by now.
    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, nobody());
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i5_an_expired_code_is_not_sent() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter_of(meta(), |_| failed());
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    ground.clock.advance(HOUR);
    assert_eq!(sends.next().await.to, "42", "it still works for this millisecond");
    ground.clock.advance(Duration::from_millis(1));
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_code_is_not_sent_to_who_is_in_already() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter_of(meta(), |_| failed());
    let running = ground.run(adapter, nobody());
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    approve(&*ground.store, "42", false).await;
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn codes_do_not_wait_for_each_other() {
    let ground = Ground::new();
    let begin = Instant::now();
    let (mock, mut sends) = adapter(vec![]);
    let running = ground.run(Slow::new(mock, 0), nobody());
    for id in ["1", "2", "3"] {
        running.inbox.deliver(message(id, "hi")).await;
    }
    for _ in 0..3 {
        assert_eq!(sends.next().await.at, begin);
    }
    running.crash().await;
}
