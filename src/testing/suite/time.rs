//! Hours, slots, and clocks that step.
#![allow(clippy::unwrap_used, reason = "a suite says what is wrong by a panic")]

use std::time::Duration;

use super::scene::{Scene, account, alpha, id};
use crate::clock::Clock as _;
use crate::decision::Reason;
use crate::pairing::Target;
use crate::policy::{Limits, PendingScope};

const HOUR: i64 = 3_600_000;

pub(super) async fn i2_an_hour_lies_between_two_codes(scene: &Scene) {
    let at = alpha();
    scene.code(&at, &["1"]).await;
    scene.minutes(60);
    scene.refused(&at, &["1"], Reason::AlreadyPending).await;
    scene.a_moment();
    scene.code(&at, &["1"]).await;
}

pub(super) async fn i2_the_hour_outlives_every_decision(scene: &Scene) {
    let at = alpha();
    scene.code(&at, &["1", "alias"]).await;
    scene.reject(&at, Target::Sender(id("1")), false).await;
    scene.refused(&at, &["1"], Reason::HourUsed).await;
    scene.refused(&at, &["2", "alias"], Reason::HourUsed).await;
    let approved = scene.code(&at, &["3"]).await;
    assert!(scene.approve(&at, Target::Code(approved.code)).await.is_ok());
    assert_eq!(scene.revoke(&at, "3").await.entries, 1);
    scene.code(&at, &["4"]).await;
    assert!(scene.block(&at, "4").await);
    assert!(scene.unblock(&at, "4").await);
    for who in ["1", "3", "4"] {
        scene.refused(&at, &[who], Reason::HourUsed).await;
    }
    scene.minutes(60);
    for who in ["1", "3", "4"] {
        scene.refused(&at, &[who], Reason::HourUsed).await;
    }
    scene.a_moment();
    for who in ["1", "3", "4"] {
        scene.code(&at, &[who]).await;
    }
}

pub(super) async fn i2_the_hour_outlives_a_code_that_works_for_less(mut scene: Scene) {
    let at = alpha();
    scene.limits = Limits { code_ttl: Duration::from_secs(600), ..scene.limits };
    for who in ["1", "2", "3"] {
        scene.code(&at, &[who]).await;
    }
    scene.minutes(11);
    assert!(scene.waiting(&at).await.is_empty(), "none of these codes works any more");
    scene.refused(&at, &["1"], Reason::HourUsed).await;
    scene.code(&at, &["4"]).await;
    assert_eq!(scene.waiting(&at).await.len(), 1, "the slots are free again");
    scene.refused(&at, &["2"], Reason::HourUsed).await;
    scene.minutes(50);
    scene.code(&at, &["1"]).await;
}

pub(super) async fn i2_a_clock_that_steps_opens_no_gap(scene: &Scene) {
    let at = alpha();
    for (who, forth, back) in [("1", 0, -2 * HOUR), ("2", 2 * HOUR, -2 * HOUR)] {
        scene.code(&at, &[who]).await;
        scene.reject(&at, Target::Sender(id(who)), false).await;
        scene.clock().step(forth);
        // Something is written meanwhile.
        assert!(scene.block(&at, "someone").await);
        assert!(scene.unblock(&at, "someone").await);
        scene.clock().step(back);
        scene.refused(&at, &[who], Reason::HourUsed).await;
        scene.minutes(59);
        scene.refused(&at, &[who], Reason::HourUsed).await;
    }
    // Back to 1970: what was given "in the future" counts from when it was first seen, and not for half a century.
    scene.code(&at, &["3"]).await;
    scene.clock().step(1_000 - scene.clock().now().as_millis());
    scene.refused(&at, &["3"], Reason::AlreadyPending).await;
    scene.minutes(61);
    scene.code(&at, &["3"]).await;
}

pub(super) async fn i3_a_fourth_stranger_is_refused(scene: &Scene) {
    let (at, work) = (alpha(), account("alpha", "work"));
    scene.code(&at, &["1"]).await;
    scene.code(&work, &["1"]).await;
    scene.code(&at, &["3"]).await;
    for place in [&at, &work] {
        scene.refused(place, &["4"], Reason::PendingFull).await;
    }
    assert_eq!(scene.waiting(&at).await.len(), 3);
    scene.code(&account("beta", "default"), &["4"]).await;
    // A decision frees a slot at once.
    scene.reject(&at, Target::Sender(id("3")), false).await;
    scene.code(&work, &["4"]).await;
    scene.refused(&at, &["5"], Reason::PendingFull).await;
    assert!(scene.block(&work, "4").await);
    scene.code(&at, &["5"]).await;
}

pub(super) async fn i3_the_cap_may_count_each_account(mut scene: Scene) {
    scene.limits = Limits { pending_scope: PendingScope::Account, pending_max: 2, ..scene.limits };
    for place in [alpha(), account("alpha", "work")] {
        for who in ["1", "2"] {
            scene.code(&place, &[who]).await;
        }
        scene.refused(&place, &["3"], Reason::PendingFull).await;
    }
}

pub(super) async fn i11_a_refused_stranger_changes_nothing(scene: &Scene) {
    let at = alpha();
    for who in ["1", "2", "3"] {
        scene.code(&at, &[who]).await;
    }
    let before = scene.store().load(&at).await.revision;
    for who in 4..40 {
        scene.refused(&at, &[&who.to_string()], Reason::PendingFull).await;
    }
    scene.refused(&at, &["1"], Reason::AlreadyPending).await;
    if before.is_some() {
        let state = scene.store().load(&at).await.snapshot;
        assert_eq!(state.record.as_ref().unwrap().1.hours.len(), 3, "nobody was written down");
    }
    assert_eq!(scene.waiting(&at).await.len(), 3);
}
