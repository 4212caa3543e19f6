//! Each step of the decision, in its order: a message to which a step and everything after it applies gets that step's
//! word.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use dmgate::{Authenticity, Conversation, DmPolicy, EventKind, InboundMessage, Origin, Strength, Timestamp};

use crate::scene::{BOTH, On, Scene, alpha, id, limited, message, policy};

type Step = (&'static str, fn(&mut InboundMessage));

/// What is wrong with a message, from the first step to the last.
const ENVELOPE: [Step; 5] = [
    ("unverified", |message| message.authenticity = Authenticity::Unverified),
    ("own_message", |message| message.origin = Origin::Own),
    ("not_a_message", |message| message.event = EventKind::Edit),
    ("not_direct", |message| message.conversation = Conversation::Unknown),
    ("", |_| {}),
];

#[tokio::test]
async fn i14_i16_the_first_step_that_applies_is_the_answer() {
    for on in BOTH {
        let scene = Scene::new(on).with(policy(DmPolicy::Disabled, &[]));
        scene.block("42").await;
        for from in 0..ENVELOPE.len() - 1 {
            let mut message = message(&alpha(), &["42"]);
            ENVELOPE[from..].iter().for_each(|(_, spoil)| spoil(&mut message));
            assert_eq!(scene.verdict(&message).await, ENVELOPE[from].0);
            if ENVELOPE[from].0 == "own_message" {
                message.origin = Origin::Bot;
                assert_eq!(scene.verdict(&message).await, "bot");
            }
        }
        // From here on the message is good; what it meets is taken away step by step.
        assert_eq!(scene.says(&["42"]).await, "disabled");
        let open = policy(DmPolicy::Open, &["*", "42"]);
        scene.gate.set_policies([], open);
        assert_eq!(scene.says(&["42"]).await, "blocked");
        scene.store().unblock(&alpha(), &id("42"), &crate::scene::actor()).await.unwrap();
        assert_eq!(scene.says(&["42"]).await, "allowlisted");
        assert_eq!(scene.says(&["43"]).await, "open");
        scene.gate.set_policies([], policy(DmPolicy::Open, &["42"]));
        assert_eq!(scene.says(&["43"]).await, "not_allowlisted");
        scene.gate.set_policies([], policy(DmPolicy::Allowlist, &["42"]));
        assert_eq!(scene.says(&["43"]).await, "not_allowlisted");
    }
}

#[tokio::test]
async fn i2_i3_i14_the_steps_of_pairing_come_in_their_order() {
    for on in BOTH {
        let scene = Scene::new(on);
        let late = |who: &'static str| {
            let sent_at = dmgate::Clock::now(&scene.clock).as_millis() - 300_001;
            InboundMessage { sent_at: Some(Timestamp::from_millis(sent_at)), ..message(&alpha(), &[who]) }
        };
        // Pending, within the hour, and with full slots: the first of these is the answer.
        let codes = [scene.code(&["1"]).await, scene.code(&["2"]).await, scene.code(&["3"]).await];
        assert_eq!(scene.verdict(&late("1")).await, "backlog");
        assert_eq!(scene.says(&["1"]).await, "already_pending");
        let target = dmgate::pairing::Target::Code(codes[0].clone());
        let rejection = dmgate::pairing::Approval { target, account: None, notify: false };
        let channel = alpha();
        scene.store().reject(channel.channel(), rejection, false, &crate::scene::actor()).await.unwrap();
        scene.code(&["4"]).await;
        assert_eq!(scene.says(&["1"]).await, "hour_used");
        assert_eq!(scene.verdict(&late("5")).await, "backlog");
        assert_eq!(scene.says(&["5"]).await, "pending_full");
        scene.block("4").await;
        assert_eq!(scene.says(&["4"]).await, "blocked");
        assert_eq!(scene.says(&["5"]).await, "pairing_required");
    }
}

#[tokio::test]
async fn i14_backlog_is_what_is_strictly_older() {
    let limits = dmgate::Limits { max_backlog: Duration::from_secs(10), ..Default::default() };
    for on in BOTH {
        let scene = Scene::new(on).with(limited(DmPolicy::Pairing, &[], limits));
        scene.allow("in").await;
        let now = dmgate::Clock::now(&scene.clock).as_millis();
        let sent = |who: &'static str, ago: i64| InboundMessage {
            sent_at: Some(Timestamp::from_millis(now - ago)),
            ..message(&alpha(), &[who])
        };
        assert_eq!(scene.verdict(&sent("1", 10_001)).await, "backlog");
        assert_eq!(scene.verdict(&sent("in", 86_400_000)).await, "allowlisted", "known senders have time");
        assert!(
            scene.store().pending(alpha().channel()).await.unwrap().is_empty(),
            "and left nothing behind"
        );
        assert_eq!(scene.verdict(&sent("1", 10_000)).await, "pairing_required");
        assert_eq!(
            scene.verdict(&sent("2", -86_400_000)).await,
            "pairing_required",
            "a platform's clock ahead"
        );
    }
}

/// What is refused by its envelope leaves nothing behind, and gets no answer.
#[tokio::test]
async fn i14_what_is_refused_by_its_envelope_changes_nothing() {
    for on in BOTH {
        let scene = Scene::new(on);
        for (_, spoil) in &ENVELOPE[..4] {
            let mut message = message(&alpha(), &["1"]);
            spoil(&mut message);
            assert_eq!(scene.gate.admit(&message).await.as_str(), "ignore");
        }
        let mutable = dmgate::Sender::with_parts(id("1"), Vec::new(), Strength::Mutable, None);
        let by_nick = InboundMessage::direct(alpha(), mutable, "hello");
        assert_eq!(scene.verdict(&by_nick).await, "unverified");
        assert!(scene.store().pending(alpha().channel()).await.unwrap().is_empty());
        assert_eq!(scene.says(&["1"]).await, "pairing_required");
    }
}

#[tokio::test]
async fn i14_every_event_that_acts_passes_the_same_gate() {
    use EventKind::*;
    let policies = [
        policy(DmPolicy::Pairing, &["listed"]),
        policy(DmPolicy::Allowlist, &["listed"]),
        policy(DmPolicy::Open, &["listed"]),
        policy(DmPolicy::Open, &["*"]),
        policy(DmPolicy::Disabled, &[]),
    ];
    for on in BOTH {
        for dm in &policies {
            for who in ["approved", "listed", "blocked", "stranger"] {
                let mut verdicts = Vec::new();
                for event in [Message, Command, Button, Callback] {
                    let scene = Scene::new(on).with(dm.clone());
                    scene.allow("approved").await;
                    scene.block("blocked").await;
                    let message = InboundMessage { event, ..message(&alpha(), &[who]) };
                    verdicts.push(scene.verdict(&message).await);
                }
                assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{who}: {verdicts:?}");
            }
            for event in [Edit, Reaction, Receipt, Membership, Other] {
                let scene = Scene::new(on).with(dm.clone());
                scene.allow("approved").await;
                let message = InboundMessage { event, ..message(&alpha(), &["approved"]) };
                assert_eq!(scene.verdict(&message).await, "not_a_message");
            }
        }
    }
}

/// Trouble stands behind the block and before every list.
#[tokio::test]
async fn i7_trouble_comes_after_a_block_and_before_the_lists() {
    let scene = Scene::new(On::Files);
    scene.allow("in").await;
    scene.block("out").await;
    let allowed = scene.dir().join("alpha-allowFrom.json");
    std::fs::set_permissions(&allowed, Permissions::from_mode(0o620)).unwrap();
    assert_eq!(scene.says(&["out"]).await, "blocked");
    assert_eq!(scene.says(&["in"]).await, "store_unreadable");
    assert_eq!(scene.says(&["stranger"]).await, "store_unreadable");
    std::fs::set_permissions(&allowed, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(scene.says(&["in"]).await, "allowlisted");
}

/// Somebody holds our lock for longer than we wait.
#[tokio::test]
async fn i7_a_lock_that_is_held_lets_nobody_in_and_known_senders_pass() {
    let scene = Scene::new(On::Files);
    scene.allow("in").await;
    let lock = std::fs::File::open(scene.dir().join("alpha-dmgate.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(scene.says(&["stranger"]).await, "store_locked");
    assert_eq!(scene.says(&["in"]).await, "allowlisted");
    drop(lock);
    assert_eq!(scene.says(&["stranger"]).await, "pairing_required");
}
