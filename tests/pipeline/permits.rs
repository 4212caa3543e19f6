//! What a permit is good for, and what the compiler refuses.

use std::sync::Arc;

use dmgate::{AccountKey, Decision, InboundMessage, MockChannelAdapter, Turn};

use crate::support::{Ground, allow, message};

#[test]
fn i1_without_a_permit_nothing_compiles_that_reaches_the_agent() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

#[tokio::test]
async fn i1_a_permit_lets_in_its_own_senders_messages_only() {
    let ground = Ground::new();
    allow(&*ground.store, "42").await;
    let gate = ground.gate();
    let Decision::Admit(permit) = gate.admit(&message("42", "hi")).await else { panic!("not in") };
    let turn = |message: InboundMessage| {
        Turn::new(permit.clone(), message, Arc::new(MockChannelAdapter::new())).is_some()
    };
    assert!(turn(message("42", "another")));
    assert!(!turn(message("43", "a stranger's")));
    let account = AccountKey::parse("telegram", "work").unwrap();
    assert!(!turn(InboundMessage { account, ..message("42", "on another account") }));
    drop(gate);
    assert!(!turn(message("42", "after the gate is gone")) && !permit.is_current().await);
}
