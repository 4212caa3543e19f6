//! The table of policies, cell by cell.

use dmgate::testing::ManualClock;
use dmgate::{Decision, DmGate, DmPolicy, Limits, ReplyTemplate};

use crate::scene::{BOTH, On, Scene, alpha, key, message, policy};

#[tokio::test]
async fn i1_the_table_of_policies() {
    // policy, `*`, then: listed in the configuration · approved · added by `allow add` · a stranger · blocked
    let table = [
        (DmPolicy::Pairing, false, ["allowlisted", "allowlisted", "allowlisted", "pairing_required"]),
        (
            DmPolicy::Allowlist,
            false,
            ["allowlisted", "not_allowlisted", "not_allowlisted", "not_allowlisted"],
        ),
        (DmPolicy::Open, false, ["allowlisted", "allowlisted", "allowlisted", "not_allowlisted"]),
        (DmPolicy::Open, true, ["allowlisted", "allowlisted", "allowlisted", "open"]),
        (DmPolicy::Disabled, false, ["disabled"; 4]),
        (DmPolicy::Disabled, true, ["disabled"; 4]),
    ];
    for on in BOTH {
        for (dm, star, verdicts) in table {
            let scene = Scene::new(on);
            let code = scene.code(&["approved"]).await;
            let target = dmgate::pairing::Target::Code(code);
            scene.approve(target, dmgate::pairing::Surface::Local).await.unwrap();
            scene.allow("added").await;
            scene.block("blocked").await;
            let listed: &[&str] = if star { &["listed", "blocked", "*"] } else { &["listed", "blocked"] };
            let scene = scene.with(policy(dm, listed));
            for (who, verdict) in ["listed", "approved", "added", "stranger"].into_iter().zip(verdicts) {
                assert_eq!(scene.says(&[who]).await, verdict, "{on:?}, {dm}, `*` {star}: {who}");
            }
            let blocked = if dm == DmPolicy::Disabled { "disabled" } else { "blocked" };
            assert_eq!(scene.says(&["blocked"]).await, blocked, "{dm}");
        }
    }
}

#[test]
fn i7_a_star_is_refused_where_it_would_mean_another_policy() {
    let channel = alpha();
    let make = |dm| dmgate::AccountPolicy::new(channel.channel(), dm, ["*"], Limits::default());
    for (dm, is_good) in [
        (DmPolicy::Pairing, false),
        (DmPolicy::Allowlist, false),
        (DmPolicy::Open, true),
        (DmPolicy::Disabled, true),
    ] {
        assert_eq!(make(dm).is_ok(), is_good, "{dm}");
    }
    for word in ["", " ", "null", "Open", "open ", "*", "allow"] {
        assert!(word.parse::<DmPolicy>().is_err(), "{word:?}");
    }
}

/// New policies hold from the next message on, also for handles that were made before.
#[tokio::test]
async fn i9_a_policy_holds_from_the_next_message_on() {
    for on in BOTH {
        let scene = Scene::new(on).with(policy(DmPolicy::Open, &["*"]));
        let handle = scene.gate.account(&alpha());
        let message = crate::scene::message(&alpha(), &["1"]);
        let dmgate::Decision::Admit(permit) = handle.admit(&message).await else { panic!("open") };
        assert!(permit.is_current().await);
        scene
            .gate
            .set_policies([(alpha(), policy(DmPolicy::Allowlist, &[]))], policy(DmPolicy::Open, &["*"]));
        assert_eq!(handle.admit(&message).await.reason().as_str(), "not_allowlisted");
        assert!(!permit.is_current().await);
        scene.gate.set_policies([], policy(DmPolicy::Disabled, &[]));
        assert_eq!(handle.admit(&message).await.reason().as_str(), "disabled");
    }
}

/// A handle saves a look-up; it answers as the gate does, also for messages of another account.
#[tokio::test]
async fn i8_a_handle_answers_for_the_messages_account() {
    let scene = Scene::new(On::Memory);
    let (open, closed) = (key("alpha", "open"), key("alpha", "closed"));
    scene.gate.set_policies(
        [(open.clone(), policy(DmPolicy::Open, &["*"])), (closed.clone(), policy(DmPolicy::Allowlist, &[]))],
        policy(DmPolicy::Disabled, &[]),
    );
    for (own, other) in [(&open, &closed), (&closed, &open)] {
        let handle = scene.gate.account(own);
        for (at, reason) in [(&open, "open"), (&closed, "not_allowlisted")] {
            let message = message(at, &["1"]);
            assert_eq!(handle.admit(&message).await.reason().as_str(), reason, "{own}, {other}");
            let now = handle.admit_now(&message).map(|decision| decision.reason().as_str());
            assert_eq!(now, Some(reason), "{own}, {other}");
        }
    }
}

#[tokio::test]
async fn the_pairing_message_and_the_clock_are_the_builders() {
    let clock = ManualClock::now();
    let told = |text: &str| ReplyTemplate::parse(text).unwrap();
    let gate = DmGate::builder().reply(told("first {code}")).world(clock.world()).build();
    let says = async |who| match gate.admit(&message(&alpha(), &[who])).await {
        Decision::Challenge(challenge) => challenge.reply.replace(challenge.code.reveal(), "CODE"),
        other => panic!("{other:?}"),
    };
    assert_eq!(says("1").await, "first CODE");
    gate.set_reply(told("second {code}"));
    assert_eq!(says("2").await, "second CODE");
    let later = ManualClock::at(7);
    assert_eq!(DmGate::builder().clock(later).build().clock().now().as_millis(), 7);
}
