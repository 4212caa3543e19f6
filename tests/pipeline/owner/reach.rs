//! Who reaches the desk: nobody but an owner, and an owner nowhere but in a one-to-one conversation.

use super::*;
use dmgate::{
    Agent as _, Authenticity, ChannelAdapter, Conversation, Decision, EventKind, Origin, Strength, Turn,
};

/// What the desk says to a message, after the gate let its sender in.
async fn answer(office: &Office, desk: &Desk, gate: &dmgate::DmGate, said: InboundMessage) -> Vec<String> {
    let plain = InboundMessage::direct(said.account.clone(), said.sender.clone(), "hi");
    let Decision::Admit(permit) = gate.admit(&plain).await else { panic!("not in") };
    let mut adapter = MockChannelAdapter::new();
    adapter.expect_meta().return_const(roomy(said.account.channel().as_str()));
    let adapter: Arc<dyn ChannelAdapter> = Arc::new(adapter);
    let answer = desk.respond(Turn::new(permit, said, adapter).unwrap()).await.unwrap();
    assert!(office.devices.view().devices.bootstrap.is_empty(), "a setup code was made");
    answer
}

#[tokio::test(start_paused = true)]
async fn i16_everything_but_a_plain_message_of_an_owner_in_private_goes_to_the_agent() {
    let office = Office::new().await;
    allow(&*office.ground.store, "43").await;
    let gate = office.ground.gate();
    let desk = office.desk(&gate);
    let by = |strength| Sender::with_parts(sender("42"), vec![], strength, Some("owner"));
    let pair = message("42", "/pair cleanup");
    let theirs = answer(&office, &desk, &gate, pair.clone()).await;
    assert_eq!(theirs, ["No setup code was left that worked."]);
    for (what, said) in [
        ("another sender who is let in", message("43", "/pair cleanup")),
        ("a group", InboundMessage { conversation: Conversation::Group, ..pair.clone() }),
        ("who knows where", InboundMessage { conversation: Conversation::Unknown, ..pair.clone() }),
        ("nobody proved it", InboundMessage { authenticity: Authenticity::Unverified, ..pair.clone() }),
        ("a bot", InboundMessage { origin: Origin::Bot, ..pair.clone() }),
        ("a button", InboundMessage { event: EventKind::Button, ..pair.clone() }),
        ("an edit", InboundMessage { event: EventKind::Edit, ..pair.clone() }),
        ("a weak id", InboundMessage { sender: by(Strength::ServerAsserted), ..pair.clone() }),
    ] {
        assert_eq!(answer(&office, &desk, &gate, said).await, ["echo /pair cleanup"], "{what}");
    }
    desk.set_owners([]);
    assert_eq!(answer(&office, &desk, &gate, pair).await, ["echo /pair cleanup"], "an owner no more");
}

#[tokio::test(start_paused = true)]
async fn i15_an_owner_is_one_on_their_account_by_their_whole_id() {
    let office = Office::new().await;
    let gate = office.ground.gate();
    let desk = office.desk(&gate);
    let (work, custom) =
        (AccountKey::parse("telegram", "work").unwrap(), AccountKey::parse("custom", "default").unwrap());
    let id = |account: &AccountKey, text: &str| SenderId::parse(account.channel(), text).unwrap();
    desk.set_owners([(account(), sender("42")), (custom.clone(), id(&custom, "Ann"))]);
    let other = [(work.clone(), sender("42")), (account(), sender("421")), (account(), sender("4"))];
    let store = &office.ground.store;
    for (account, sender) in &other {
        store.allow(account, sender, &crate::support::owner()).await.unwrap();
    }
    store.allow(&custom, &id(&custom, "ann"), &crate::support::owner()).await.unwrap();
    for (account, sender) in other.into_iter().chain([(custom.clone(), id(&custom, "ann"))]) {
        let said = InboundMessage::direct(account, Sender::new(sender), "/pair cleanup");
        assert_eq!(answer(&office, &desk, &gate, said).await, ["echo /pair cleanup"]);
    }
}

#[tokio::test(start_paused = true)]
async fn i15_an_alias_makes_an_owner_of_whom_it_first_stood_for() {
    let office = Office::new().await;
    let gate = office.ground.gate();
    let desk = office.desk(&gate);
    let custom = AccountKey::parse("custom", "default").unwrap();
    let id = |text: &str| SenderId::parse(custom.channel(), text).unwrap();
    desk.set_owners([(custom.clone(), id("+49"))]);
    let said = |primary: &str| {
        let sender = Sender::with_parts(id(primary), vec![id("+49")], Strength::Authenticated, None);
        InboundMessage::direct(custom.clone(), sender, "/pair cleanup")
    };
    for primary in ["first", "second"] {
        office.ground.store.allow(&custom, &id(primary), &crate::support::owner()).await.unwrap();
    }
    for (primary, expected) in [
        ("first", "No setup code was left that worked."),
        ("second", "echo /pair cleanup"),
        ("first", "No setup code was left that worked."),
    ] {
        assert_eq!(answer(&office, &desk, &gate, said(primary)).await, [expected], "{primary}");
    }
}

#[tokio::test(start_paused = true)]
async fn i1_an_owner_whom_the_gate_does_not_let_in_is_a_stranger() {
    let office = Office::new().await;
    crate::support::revoke(&*office.ground.store, "42").await;
    let (running, mut sends, _) = office.open();
    running.inbox.deliver(message("42", "/pair")).await;
    assert_eq!(sends.next().await.text.kind, TextKind::Challenge);
    running
        .inbox
        .deliver(InboundMessage { conversation: Conversation::Group, ..message("42", "/pair") })
        .await;
    sends.silence(crate::support::HOUR).await;
    assert!(office.devices.view().devices.bootstrap.is_empty());
    running.stop().await;
}
