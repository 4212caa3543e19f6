//! The gate's decisions, on every store.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use dmgate::pairing::{Approval, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, MemoryStore};
use dmgate::testing::ManualClock;
use dmgate::{AccountKey, Decision, DmGate, InboundMessage, Reason, ReplyRoute, Sender, SenderId};

fn message(id: &str) -> InboundMessage {
    let account = AccountKey::parse("telegram", "default").unwrap();
    let sender = Sender::new(SenderId::parse(account.channel(), id).unwrap());
    InboundMessage { route: ReplyRoute::new(id), ..InboundMessage::direct(account, sender, "hi") }
}

async fn story(gate: DmGate) {
    let account = AccountKey::parse("telegram", "default").unwrap();
    let actor = Actor { name: "test".into(), surface: Surface::Local };
    let Decision::Challenge(challenge) = gate.admit(&message("42")).await else { panic!("no challenge") };
    assert!(challenge.reply.contains(challenge.code.reveal()));
    assert_eq!(gate.admit(&message("42")).await.reason(), Reason::AlreadyPending);
    let approval = Approval {
        target: Target::Code(challenge.code.clone()),
        account: None,
        surface: Surface::Local,
        notify: false,
    };
    let request = gate.store().approve(account.channel(), approval, &actor).await.unwrap();
    assert_eq!(request.id.as_str(), "42");
    let Decision::Admit(permit) = gate.admit(&message("42")).await else { panic!("not in") };
    assert!(permit.is_current().await);
    let sender = SenderId::parse(account.channel(), "42").unwrap();
    assert_eq!(gate.store().revoke(&account, &sender, &actor).await.unwrap().entries, 1);
    assert!(!permit.is_current().await);
    assert_eq!(gate.admit(&message("42")).await.reason(), Reason::HourUsed);
    for (id, reason) in [
        ("1", "pairing_required"),
        ("2", "pairing_required"),
        ("3", "pairing_required"),
        ("4", "pending_full"),
    ] {
        assert_eq!(gate.admit(&message(id)).await.reason().as_str(), reason);
    }
}

#[tokio::test]
async fn story_in_memory() {
    let clock = ManualClock::now();
    story(DmGate::builder().world(clock.world()).build()).await;
    let _ = MemoryStore::new(clock.world());
}

#[tokio::test]
async fn story_in_files() {
    let temp = tempfile::tempdir().unwrap();
    let clock = ManualClock::now();
    let store = FileStore::open(FileOptions::new(temp.path().join("state")), clock.world()).unwrap();
    story(DmGate::builder().world(clock.world()).store(store).build()).await;
}
