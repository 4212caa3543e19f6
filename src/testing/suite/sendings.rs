//! What is to be sent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite says what is wrong by a panic")]

use super::scene::{Scene, actor, alpha, approval, id};
use crate::pairing::record::{SendKind, SendStep, Sending};
use crate::pairing::{Approval, Target};

/// What is to be sent; every view says the same.
async fn texts(scene: &Scene) -> Vec<Sending> {
    let mut seen: Vec<Vec<Sending>> = Vec::new();
    for snapshot in scene.snapshots(&alpha()).await {
        seen.push(snapshot.record.as_ref().unwrap().1.sends.clone());
    }
    assert!(seen.iter().all(|sends| *sends == seen[0]), "all see the same");
    seen.swap_remove(0)
}

pub(super) async fn i6_a_code_is_kept_until_it_arrived(scene: &Scene) {
    let at = alpha();
    let request = scene.code(&at, &["1"]).await.request;
    let step =
        async |step| scene.elsewhere().sending(&at, &request, SendKind::Challenge, step).await.unwrap();
    let first = texts(scene).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].to.as_str(), first[0].what, first[0].unknown), ("1", SendKind::Challenge, 0));
    assert_eq!(first[0].route.as_ref().unwrap().as_str(), "route");
    assert!(step(SendStep::Try).await.unwrap().trying);
    assert_eq!(step(SendStep::Failed).await.unwrap().unknown, 0);
    step(SendStep::Try).await.unwrap();
    assert_eq!(step(SendStep::Try).await.unwrap().unknown, 1, "the try before never ended");
    assert_eq!(step(SendStep::Unknown).await.unwrap().unknown, 2);
    assert_eq!(texts(scene).await.len(), 1);
    assert!(step(SendStep::Sent).await.is_none());
    assert!(texts(scene).await.is_empty());
    assert!(step(SendStep::Try).await.is_none(), "after a success nothing is sent");
}

pub(super) async fn i6_a_decided_code_is_not_sent_any_more(scene: &Scene) {
    let at = alpha();
    for who in ["1", "2"] {
        scene.code(&at, &[who]).await;
    }
    assert_eq!(texts(scene).await.len(), 2);
    scene.reject(&at, Target::Sender(id("1")), false).await;
    assert_eq!(texts(scene).await.len(), 1);
    assert!(scene.approve(&at, Target::Sender(id("2"))).await.is_ok());
    assert!(texts(scene).await.is_empty());
    scene.code(&at, &["3"]).await;
    scene.minutes(61);
    scene.code(&at, &["4"]).await;
    assert_eq!(texts(scene).await.len(), 1, "nor is one that expired");
}

pub(super) async fn i6_a_notice_is_kept_for_who_was_let_in(scene: &Scene) {
    let at = alpha();
    let request = scene.code(&at, &["1"]).await;
    let approval = Approval { notify: true, ..approval(Target::Code(request.code)) };
    scene.elsewhere().approve(at.channel(), approval, &actor()).await.unwrap();
    let texts = texts(scene).await;
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].what, texts[0].to.as_str()), (SendKind::Notice, "1"));
    assert_eq!(texts[0].route.as_ref().unwrap().as_str(), "route");
}
