//! Codes: for whom they work, how often, and what guessing comes to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite says what is wrong by a panic")]

use super::scene::{Scene, account, alpha, approval, operator, outsider, wrong_code};
use crate::decision::Reason;
use crate::pairing::{Approval, ApproveError, Target};

pub(super) async fn i5_a_code_works_once_on_its_own_channel_and_account(scene: &Scene) {
    let at = alpha();
    let code = Target::Code(scene.code(&at, &["1"]).await.code);
    let on_another = scene.approve(&account("beta", "default"), code.clone()).await;
    assert_eq!(on_another.unwrap_err(), ApproveError::NotFound);
    let named = |name: &str| Approval {
        account: Some(account("alpha", name).account().clone()),
        ..approval(code.clone())
    };
    let of_another = scene.approve_by(scene.store(), &at, named("work")).await;
    assert_eq!(of_another.unwrap_err(), ApproveError::NotFound);
    assert!(!scene.is_in(&at, "1").await, "a code that was refused lets nobody in");
    let approved = scene.approve_by(scene.elsewhere(), &at, named("default")).await;
    assert_eq!(approved.unwrap().id.as_str(), "1");
    assert!(scene.is_in(&at, "1").await);
    for store in scene.views() {
        let again = scene.approve_by(&store, &at, approval(code.clone())).await;
        assert_eq!(again.unwrap_err(), ApproveError::NotFound);
    }
    let late = Target::Code(scene.code(&at, &["2"]).await.code);
    scene.minutes(60);
    scene.a_moment();
    assert_eq!(scene.approve(&at, late).await.unwrap_err(), ApproveError::NotFound);
    let on_time = Target::Code(scene.code(&at, &["3"]).await.code);
    scene.minutes(60);
    assert!(scene.approve(&at, on_time).await.is_ok(), "a code expires when strictly older");
}

pub(super) async fn i12_five_wrong_codes_from_outside_lock_codes_out(scene: &Scene) {
    let (at, beta) = (alpha(), account("beta", "default"));
    let mut requests = Vec::new();
    for who in ["1", "2", "3"] {
        requests.push(scene.code(&at, &[who]).await);
    }
    let wrong = wrong_code(&requests.iter().collect::<Vec<_>>());
    for _ in 0..5 {
        assert_eq!(scene.guess(&at, wrong.clone()).await.unwrap_err(), ApproveError::NotFound);
    }
    let right = Target::Code(requests[0].code.clone());
    for store in scene.views() {
        let locked = operator(store.approve(at.channel(), approval(right.clone()), &outsider()).await);
        assert!(matches!(locked, Err(ApproveError::LockedOut { .. })), "{locked:?}");
        let rejection = approval(right.clone());
        assert!(store.reject(at.channel(), rejection, false, &outsider()).await.is_err(), "no way around");
    }
    // Another channel, and what is no code, are not locked.
    let elsewhere = scene.code(&beta, &["1"]).await;
    assert!(scene.guess(&beta, Target::Code(elsewhere.code)).await.is_ok());
    assert!(scene.guess(&at, Target::Sender(requests[1].id.clone())).await.is_ok());
    assert!(scene.guess(&at, Target::Request(requests[2].request.clone())).await.is_ok());
    scene.minutes(14);
    assert!(matches!(scene.guess(&at, right.clone()).await, Err(ApproveError::LockedOut { .. })));
    scene.minutes(1);
    assert!(scene.guess(&at, right).await.is_ok(), "after a quarter of an hour codes work again");
}

pub(super) async fn i12_the_local_owner_neither_counts_nor_is_locked_out(scene: &Scene) {
    let at = alpha();
    let request = scene.code(&at, &["1"]).await;
    let wrong = wrong_code(&[&request]);
    for _ in 0..9 {
        assert_eq!(scene.approve(&at, wrong.clone()).await.unwrap_err(), ApproveError::NotFound);
    }
    for _ in 0..5 {
        assert_eq!(scene.guess(&at, wrong.clone()).await.unwrap_err(), ApproveError::NotFound);
    }
    assert!(scene.approve(&at, Target::Code(request.code)).await.is_ok());
}

pub(super) async fn i12_a_right_code_ends_a_row_of_wrong_ones(scene: &Scene) {
    let at = alpha();
    for who in ["1", "2", "3"] {
        let request = scene.code(&at, &[who]).await;
        for _ in 0..4 {
            let wrong = scene.guess(&at, wrong_code(&[&request])).await;
            assert_eq!(wrong.unwrap_err(), ApproveError::NotFound, "{who}");
        }
        assert!(scene.guess(&at, Target::Code(request.code)).await.is_ok(), "{who}");
    }
}

pub(super) async fn i6_what_is_handed_out_is_there_for_everyone(scene: &Scene) {
    let at = account("alpha", "work");
    let request = scene.code(&at, &["1", "alias"]).await;
    let waiting = scene.waiting(&at).await;
    assert_eq!(waiting.len(), 1);
    let listed = &waiting[0];
    assert_eq!((&listed.request, listed.code.reveal()), (&request.request, request.code.reveal()));
    assert_eq!((&listed.account, &listed.id), (at.account(), &request.id));
    assert_eq!((listed.expires_at(), &listed.aliases), (request.expires_at(), &request.aliases));
    assert_eq!(listed.meta, [("name".to_owned(), "Ann".to_owned())]);
    assert!(listed.ours);
    for ids in [["1", "other"], ["alias", "other"], ["another", "alias"]] {
        scene.refused(&at, &ids, Reason::AlreadyPending).await;
    }
    assert_eq!(scene.elsewhere().channels().await.unwrap(), [at.channel().clone()]);
}
