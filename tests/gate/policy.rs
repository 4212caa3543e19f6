//! The table of policies, cell by cell.

use dmgate::{DmPolicy, Limits};

use crate::scene::{BOTH, Scene, alpha, policy};

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
