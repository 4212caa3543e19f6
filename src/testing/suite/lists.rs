//! Who is in, who is out, who is blocked.
#![allow(clippy::unwrap_used, reason = "a suite says what is wrong by a panic")]

use super::scene::{Scene, alpha, id};
use crate::message::SenderId;
use crate::pairing::{ApproveError, Knocked, Target};

pub(super) async fn i4_an_approval_is_there_for_everyone(scene: &Scene) {
    let at = alpha();
    let request = scene.code(&at, &["1"]).await;
    assert!(!scene.is_in(&at, "1").await);
    let approved = scene.approve(&at, Target::Request(request.request.clone())).await.unwrap();
    assert_eq!((approved.request, approved.id), (request.request, request.id));
    assert!(scene.is_in(&at, "1").await);
    assert!(scene.waiting(&at).await.is_empty());
    assert_eq!(scene.elsewhere().allowed(&at).await.unwrap(), ["1"]);
    assert!(matches!(scene.knock(&at, &["1"]).await, Knocked::Changed), "who is in gets no code");
}

pub(super) async fn i4_doing_it_again_is_harmless(scene: &Scene) {
    let at = alpha();
    assert!(scene.allow(&at, "1").await.unwrap());
    assert!(!scene.allow(&at, "1").await.unwrap());
    assert_eq!(scene.store().allowed(&at).await.unwrap(), ["1"]);
    scene.code(&at, &["2"]).await;
    assert!(scene.allow(&at, "2").await.unwrap());
    assert!(scene.waiting(&at).await.is_empty(), "who comes in otherwise waits no more");
    assert_eq!(scene.revoke(&at, "1").await.entries, 1);
    assert_eq!(scene.revoke(&at, "1").await.entries, 0);
    assert_eq!(scene.store().allowed(&at).await.unwrap(), ["2"]);
}

pub(super) async fn i9_a_revocation_is_there_for_everyone(scene: &Scene) {
    let at = alpha();
    for _ in 0..5 {
        scene.allow(&at, "1").await.unwrap();
        assert!(scene.is_in(&at, "1").await);
        let revoked = scene.revoke(&at, "1").await;
        assert_eq!((revoked.entries, revoked.requests), (1, 0));
        assert!(!scene.is_in(&at, "1").await);
    }
    scene.code(&at, &["2"]).await;
    assert_eq!(scene.revoke(&at, "2").await.requests, 1, "it closes what waits as well");
    assert!(scene.waiting(&at).await.is_empty());
}

pub(super) async fn i15_the_first_primary_behind_an_alias_stays(scene: &Scene) {
    let at = alpha();
    scene.allow(&at, "alias").await.unwrap();
    let bind = async |who: &str| scene.elsewhere().bind(&at, &id("alias"), &id(who)).await.unwrap();
    assert_eq!(bind("one").await, id("one"));
    assert_eq!(bind("two").await, id("one"));
    for snapshot in scene.snapshots(&at).await {
        let (_, record) = snapshot.record.as_ref().unwrap();
        assert_eq!(record.primary_behind(at.account(), &id("alias")), Some("one"));
    }
    // Who holds the alias now, with another primary, is a stranger; who is meant is not.
    assert!(matches!(scene.knock(&at, &["one", "alias"]).await, Knocked::Changed));
    assert!(matches!(scene.knock(&at, &["two", "alias"]).await, Knocked::Issued(_)));
    // To list it again is to let in whoever holds it now.
    scene.allow(&at, "alias").await.unwrap();
    assert_eq!(bind("two").await, id("two"));
    assert_eq!(scene.revoke(&at, "alias").await.entries, 1);
    for snapshot in scene.snapshots(&at).await {
        let (_, record) = snapshot.record.as_ref().unwrap();
        assert_eq!(record.primary_behind(at.account(), &id("alias")), None);
    }
}

pub(super) async fn i15_a_listed_alias_that_stays_is_named(scene: &Scene) {
    let at = alpha();
    for who in ["one", "alias"] {
        scene.allow(&at, who).await.unwrap();
    }
    scene.store().bind(&at, &id("alias"), &id("one")).await.unwrap();
    assert_eq!(scene.revoke(&at, "one").await.aliases, ["alias"]);
    assert!(scene.revoke(&at, "alias").await.aliases.is_empty());
}

pub(super) async fn i15_ids_are_matched_whole(scene: &Scene) {
    let at = alpha();
    for listed in ["ann@host", "12345"] {
        scene.allow(&at, listed).await.unwrap();
    }
    assert!(SenderId::parse(at.channel(), "*").is_err(), "everyone is nobody");
    for who in ["ann@hos", "nn@host", "host", "Ann@host", "123456", "1234", "other"] {
        assert!(!scene.is_in(&at, who).await, "{who:?}");
    }
}

pub(super) async fn i4_a_block_closes_frees_and_holds(scene: &Scene) {
    let at = alpha();
    let request = scene.code(&at, &["1", "alias"]).await;
    assert!(scene.block(&at, "alias").await);
    assert!(!scene.block(&at, "alias").await);
    assert!(scene.waiting(&at).await.is_empty());
    assert!(matches!(scene.knock(&at, &["1"]).await, Knocked::Changed), "all ids of the request are blocked");
    assert_eq!(scene.allow(&at, "1").await, Err(ApproveError::Blocked));
    let approved = scene.approve(&at, Target::Request(request.request)).await;
    assert_eq!(approved.unwrap_err(), ApproveError::NotFound);
    let second = scene.code(&at, &["2"]).await;
    scene.reject(&at, Target::Code(second.code), true).await;
    for snapshot in scene.snapshots(&at).await {
        let (blocked, _) = snapshot.record.as_ref().unwrap();
        assert!(["1", "2", "alias"].iter().all(|who| blocked.contains(&id(who))));
    }
    assert_eq!(scene.elsewhere().blocked(&at).await.unwrap().len(), 3);
    assert!(scene.unblock(&at, "2").await);
    assert!(!scene.unblock(&at, "2").await);
    assert_eq!(scene.elsewhere().blocked(&at).await.unwrap().len(), 2);
}
