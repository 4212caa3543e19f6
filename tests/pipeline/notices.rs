//! "You are in": what an approved sender reads.

use dmgate::TextKind;

use crate::support::{Echo, Ground, HOUR, adapter, approve, failed, message, revoke};

#[tokio::test(start_paused = true)]
async fn an_approval_with_a_notice_tells_the_sender_once() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![Ok(()), failed()]);
    let running = ground.run(adapter, Echo);
    running.inbox.deliver(message("42", "hi")).await;
    assert_eq!(sends.next().await.text.kind, TextKind::Challenge);
    approve(&*ground.store, "42", true).await;
    let (failing, notice) = (sends.next().await, sends.next().await);
    assert_eq!((notice.to.as_str(), notice.text.kind), ("42", TextKind::Notice));
    assert_eq!(failing.text.idempotency_key, notice.text.idempotency_key);
    sends.silence(2 * HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_notice_waits_for_the_next_run() {
    let ground = Ground::new();
    let (first, mut sends) = adapter(vec![]);
    let running = ground.run(first, Echo);
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    running.stop().await;

    approve(&*ground.store, "42", true).await;

    for expected in [1, 0] {
        let (adapter, mut sends) = adapter(vec![]);
        let running = ground.run(adapter, Echo);
        tokio::time::sleep(HOUR).await;
        let sent = sends.so_far();
        assert_eq!(sent.len(), expected);
        assert!(sent.iter().all(|sent| sent.to == "42" && sent.text.kind == TextKind::Notice));
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_notice_nothing_is_said() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![]);
    let running = ground.run(adapter, Echo);
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    approve(&*ground.store, "42", false).await;
    sends.silence(HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i9_who_was_revoked_is_not_told_that_they_are_in() {
    let ground = Ground::new();
    let (adapter, mut sends) = adapter(vec![Ok(()), failed()]);
    let running = ground.run(adapter, Echo);
    running.inbox.deliver(message("42", "hi")).await;
    sends.next().await;
    approve(&*ground.store, "42", true).await;
    assert_eq!(sends.next().await.text.kind, TextKind::Notice);
    revoke(&*ground.store, "42").await;
    sends.silence(HOUR).await;
    // Not kept either, for a day on which the sender is let in another way.
    crate::support::allow(&*ground.store, "42").await;
    sends.silence(HOUR).await;
    running.stop().await;
}
