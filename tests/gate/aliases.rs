//! Who a sender is: the primary id, and aliases that belong to it.

use dmgate::DmPolicy;

use crate::scene::{BOTH, Scene, policy};

#[tokio::test]
async fn i15_an_alias_lets_in_who_held_it_first_and_nobody_after() {
    for on in BOTH {
        let scene = Scene::new(on);
        scene.allow("+1").await;
        assert_eq!(scene.says(&["one", "+1"]).await, "allowlisted");
        // The number went to someone else: a stranger like any other.
        assert_eq!(scene.says(&["two", "+1"]).await, "pairing_required");
        assert_eq!(scene.says(&["two", "+1"]).await, "already_pending");
        assert_eq!(scene.says(&["one", "+1"]).await, "allowlisted");
        // The owner lists the number anew, and so means who holds it now.
        scene.allow("+1").await;
        assert_eq!(scene.says(&["two", "+1"]).await, "allowlisted");
        assert_eq!(scene.says(&["one", "+1"]).await, "hour_used", "the hour of that number is used");
        scene.revoke("+1").await;
        assert_eq!(scene.says(&["two", "+1"]).await, "hour_used");
    }
}

#[tokio::test]
async fn i15_it_does_not_matter_under_which_id_somebody_is_on_the_list() {
    for on in BOTH {
        for listed in ["one", "+1"] {
            let scene = Scene::new(on);
            scene.allow(listed).await;
            assert_eq!(scene.says(&["one", "+1"]).await, "allowlisted", "{listed}");
            assert_eq!(scene.says(&[listed]).await, "allowlisted", "{listed}");
            assert_eq!(scene.says(&["two", "+2"]).await, "pairing_required", "{listed}");
        }
    }
}

#[tokio::test]
async fn i15_an_alias_in_the_configuration_is_bound_as_well() {
    for on in BOTH {
        for dm in [DmPolicy::Pairing, DmPolicy::Allowlist, DmPolicy::Open] {
            let scene = Scene::new(on).with(policy(dm, &["+1"]));
            assert_eq!(scene.says(&["one", "+1"]).await, "allowlisted");
            let other = if dm == DmPolicy::Pairing { "pairing_required" } else { "not_allowlisted" };
            assert_eq!(scene.says(&["two", "+1"]).await, other, "{dm}");
        }
    }
}

#[tokio::test]
async fn i15_an_approval_is_for_the_primary_id() {
    for on in BOTH {
        let scene = Scene::new(on);
        let code = scene.code(&["one", "+1"]).await;
        let target = dmgate::pairing::Target::Code(code);
        scene.approve(target, dmgate::pairing::Surface::Local).await.unwrap();
        assert_eq!(scene.says(&["one"]).await, "allowlisted");
        assert_eq!(scene.says(&["one", "+2"]).await, "allowlisted", "with whatever alias");
        assert_eq!(scene.says(&["two", "+1"]).await, "hour_used", "the alias alone lets nobody in");
    }
}

#[tokio::test]
async fn i15_a_block_holds_for_every_id() {
    for on in BOTH {
        let scene = Scene::new(on).with(policy(DmPolicy::Open, &["*", "one"]));
        scene.block("+1").await;
        assert_eq!(scene.says(&["one", "+1"]).await, "blocked");
        assert_eq!(scene.says(&["one"]).await, "allowlisted");
        scene.block("one").await;
        assert_eq!(scene.says(&["one", "+2"]).await, "blocked");
        assert_eq!(scene.says(&["two", "one"]).await, "blocked", "an id is an id, wherever it stands");
    }
}

#[tokio::test]
async fn i2_i15_hours_and_requests_are_found_by_every_id() {
    for on in BOTH {
        let scene = Scene::new(on);
        scene.code(&["one", "+1", "+2"]).await;
        for ids in [["one", "x"], ["x", "one"], ["x", "+1"], ["+2", "x"]] {
            assert_eq!(scene.says(&ids).await, "already_pending", "{ids:?}");
        }
        scene.revoke("+2").await;
        for ids in [["one", "x"], ["x", "+1"], ["+2", "x"]] {
            assert_eq!(scene.says(&ids).await, "hour_used", "{ids:?}");
        }
        assert_eq!(scene.says(&["y", "x"]).await, "pairing_required");
    }
}

#[tokio::test]
async fn i15_a_name_is_no_id() {
    for on in BOTH {
        let scene = Scene::new(on);
        // Everybody is called so.
        scene.allow("Ann").await;
        assert_eq!(scene.says(&["one"]).await, "pairing_required");
    }
}
