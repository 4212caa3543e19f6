//! What does not touch each other, and what is noticed.
#![allow(clippy::unwrap_used, reason = "a suite says what is wrong by a panic")]

use std::sync::Arc;

use super::scene::{Scene, account, alpha, id};
use crate::decision::Reason;
use crate::pairing::{Knocked, Target};
use crate::policy::Limits;

pub(super) async fn i8_accounts_and_channels_do_not_touch_each_other(scene: &Scene) {
    let (at, others) = (alpha(), [account("alpha", "work"), account("beta", "default")]);
    scene.allow(&at, "in").await.unwrap();
    assert!(scene.block(&at, "out").await);
    let given = scene.code(&at, &["given"]).await;
    scene.reject(&at, Target::Code(given.code), false).await;
    scene.store().bind(&at, &id("alias"), &id("one")).await.unwrap();
    for other in &others {
        assert!(!scene.is_in(other, "in").await);
        assert!(scene.store().allowed(other).await.unwrap().is_empty());
        assert!(scene.store().blocked(other).await.unwrap().is_empty());
        let snapshot = scene.store().load(other).await.snapshot;
        let (blocked, record) = snapshot.record.as_ref().unwrap();
        assert!(blocked.is_empty() && record.primary_behind(other.account(), &id("alias")).is_none());
        for who in ["in", "out", "given"] {
            let request = scene.code(other, &[who]).await;
            scene.reject(other, Target::Request(request.request), false).await;
        }
    }
    scene.refused(&at, &["given"], Reason::HourUsed).await;
}

pub(super) async fn i8_an_approval_writes_its_own_account(scene: &Scene) {
    let (at, work) = (alpha(), account("alpha", "work"));
    // In on one account and asking on another, while both have somebody who waits.
    scene.allow(&at, "1").await.unwrap();
    scene.code(&at, &["2"]).await;
    let request = scene.code(&work, &["1"]).await;
    assert!(scene.approve(&work, Target::Code(request.code)).await.is_ok());
    assert!(scene.is_in(&work, "1").await);
    assert_eq!(scene.revoke(&at, "1").await.entries, 1);
    assert!(scene.is_in(&work, "1").await);
}

pub(super) async fn i1_a_change_is_another_revision(scene: &Scene) {
    let at = alpha();
    if scene.store().load(&at).await.revision.is_none() {
        // A store that can't tell is asked for the state each time.
        return;
    }
    let mut last = scene.store().revision(&at);
    let mut is_another = |what: &str| {
        let now = scene.store().revision(&at);
        assert_ne!(now, last, "{what}");
        last = now;
        assert_eq!(scene.store().revision(&at), last, "nothing happened since");
    };
    scene.code(&at, &["1"]).await;
    is_another("a request");
    scene.allow(&at, "2").await.unwrap();
    is_another("a sender who is in");
    assert!(scene.approve(&at, Target::Sender(id("1"))).await.is_ok());
    is_another("an approval");
    scene.revoke(&at, "2").await;
    is_another("a revocation");
    scene.block(&at, "3").await;
    is_another("a block");
    scene.elsewhere().bind(&at, &id("a"), &id("b")).await.unwrap();
    is_another("a primary behind an alias");
}

pub(super) async fn i1_a_change_wakes_who_waits(scene: &Scene) {
    for who in ["1", "2", "3"] {
        let since = scene.store().load(&alpha()).await.revision;
        let store = Arc::clone(scene.store());
        let waits = tokio::spawn(async move { store.changed(&alpha(), since).await });
        scene.allow(&alpha(), who).await.unwrap();
        assert!(waits.await.is_ok());
    }
}

pub(super) async fn i7_nothing_is_no_trouble(scene: &Scene) {
    let at = account("alpha", "nobody");
    for store in scene.views() {
        assert!(store.channels().await.unwrap().is_empty());
        assert!(store.pending(at.channel()).await.unwrap().is_empty());
        assert!(store.allowed(&at).await.unwrap().is_empty());
        assert!(store.blocked(&at).await.unwrap().is_empty());
        let snapshot = store.load(&at).await.snapshot;
        assert!(snapshot.allowed.as_ref().is_ok_and(|ids| ids.is_empty()));
        assert!(snapshot.pending.as_ref().is_ok_and(|state| state.requests.is_empty()));
    }
    let places = scene.store().places(&at);
    assert!(!places.allowed.is_empty() && !places.pending.is_empty() && !places.record.is_empty());
    let given = Limits::default();
    assert!(scene.store().limits(&given).pending_max <= given.pending_max, "a store may only ask for less");
    assert!(matches!(scene.knock(&at, &["1"]).await, Knocked::Issued(_)));
}
