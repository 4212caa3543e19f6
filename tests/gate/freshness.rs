//! How soon a change counts.

use std::time::Duration;

use dmgate::{Decision, DmPolicy, Freshness, Limits};

use crate::scene::{BOTH, On, Scene, alpha, limited, message};

/// Long form: `DMGATE_HANDSHAKES=20000`.
fn handshakes() -> u32 {
    std::env::var("DMGATE_HANDSHAKES").ok().and_then(|many| many.parse().ok()).unwrap_or(2_000)
}

#[tokio::test]
async fn i9_a_revocation_elsewhere_holds_at_the_very_next_message() {
    let scene = Scene::new(On::Files);
    let path = scene.dir().join("alpha-allowFrom.json");
    let temp = scene.dir().join("alpha-allowFrom.json.other.tmp");
    let hello = message(&alpha(), &["1"]);
    // Another program, without any of our code, takes the sender off the list and puts them on again.
    for round in 0..handshakes() {
        for (list, verdict) in [(r#"["1", "2"]"#, true), (r#"["2"]"#, false)] {
            let text = format!(r#"{{ "version": 1, "allowFrom": {list} }}"#);
            std::fs::File::create(&temp)
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
                .unwrap();
            rustix::fs::rename(&temp, &path).unwrap();
            let is_in = matches!(scene.gate.admit(&hello).await, Decision::Admit(_));
            assert_eq!(is_in, verdict, "round {round}");
        }
    }
}

#[tokio::test]
async fn i1_i9_what_another_process_of_ours_does_holds_at_the_next_message() {
    let scene = Scene::new(On::Files);
    let other = scene.another();
    scene.allow("warm").await;
    for round in 0..50 {
        let who = format!("s{round}");
        assert_ne!(scene.says(&[&who]).await, "allowlisted");
        other.allow(&who).await;
        let Decision::Admit(permit) = scene.gate.admit(&message(&alpha(), &[&who])).await else {
            panic!("{who} is in")
        };
        assert!(permit.is_current().await);
        if round % 2 == 0 {
            other.revoke(&who).await;
        } else {
            other.block(&who).await;
        }
        assert!(!permit.is_current().await, "{who}");
        assert_ne!(scene.says(&[&who]).await, "allowlisted", "{who}");
    }
}

#[tokio::test]
async fn i1_a_bound_is_kept() {
    for on in BOTH {
        let freshness = Freshness::Bounded(Duration::from_millis(200));
        let scene =
            Scene::new(on).with(limited(DmPolicy::Pairing, &[], Limits { freshness, ..Limits::default() }));
        scene.allow("1").await;
        assert_eq!(scene.says(&["1"]).await, "allowlisted");
        let Decision::Admit(permit) = scene.gate.admit(&message(&alpha(), &["1"])).await else {
            panic!("in")
        };
        scene.revoke("1").await;
        scene.clock.advance(Duration::from_millis(199));
        // Within the bound the old state may be the answer; from the bound on it must not be.
        scene.clock.advance(Duration::from_millis(1));
        assert_ne!(scene.says(&["1"]).await, "allowlisted");
        assert!(!permit.is_current().await);
        // And each look that finds nothing new starts the bound anew, never further back.
        scene.allow("1").await;
        scene.clock.advance(Duration::from_millis(200));
        assert_eq!(scene.says(&["1"]).await, "allowlisted");
    }
}

#[tokio::test]
async fn i11_what_is_known_needs_no_future() {
    for on in BOTH {
        let scene = Scene::new(on);
        scene.allow("in").await;
        for who in ["1", "2", "3"] {
            scene.code(&[who]).await;
        }
        let now = |who: &str| scene.gate.admit_now(&message(&alpha(), &[who])).map(|d| d.reason().as_str());
        assert_eq!(scene.says(&["in"]).await, "allowlisted");
        assert_eq!(now("in"), Some("allowlisted"));
        assert_eq!(now("1"), Some("already_pending"));
        assert_eq!(now("4"), Some("pending_full"));
        scene.block("3").await;
        assert_eq!(now("4"), None, "there is something to do");
    }
}

/// Each way in which the directory itself can become another one.
#[tokio::test]
async fn i1_i9_a_directory_that_is_replaced_is_left_at_once() {
    use std::fs;
    let swaps: [fn(&std::path::Path); 3] = [
        |state| {
            rustix::fs::rename(state.join("credentials"), state.join("old")).unwrap();
            rustix::fs::rename(state.join("new"), state.join("credentials")).unwrap();
        },
        |state| {
            fs::remove_dir_all(state.join("credentials")).unwrap();
            rustix::fs::rename(state.join("new"), state.join("credentials")).unwrap();
        },
        |state| {
            // The whole state directory, at once.
            let above = state.parent().unwrap();
            rustix::fs::rename(state.join("new"), above.join("new")).unwrap();
            rustix::fs::rename(state, above.join("gone")).unwrap();
            fs::create_dir(state).unwrap();
            rustix::fs::rename(above.join("new"), state.join("credentials")).unwrap();
        },
    ];
    for (at, swap) in swaps.into_iter().enumerate() {
        let scene = Scene::new(On::Files);
        scene.allow("1").await;
        assert_eq!(scene.says(&["1"]).await, "allowlisted");
        let state = scene.dir().parent().unwrap().to_owned();
        fs::create_dir(state.join("new")).unwrap();
        swap(&state);
        assert_ne!(scene.says(&["1"]).await, "allowlisted", "swap {at}");
        scene.allow("2").await;
        assert_eq!(scene.says(&["2"]).await, "allowlisted", "swap {at}");
        assert!(scene.dir().join("alpha-allowFrom.json").exists());
    }
}

/// A release is switched, a secret mounted anew: the link in the path points elsewhere.
#[tokio::test]
async fn i9_a_link_in_the_path_that_points_elsewhere_counts_at_once() {
    use dmgate::store::{FileOptions, FileStore};
    let (one, two) = (Scene::new(On::Files), Scene::new(On::Files));
    one.allow("1").await;
    two.allow("2").await;
    let temp = tempfile::tempdir().unwrap();
    let (now, next) = (temp.path().join("now"), temp.path().join("next"));
    let state = |scene: &Scene| scene.dir().parent().unwrap().to_owned();
    std::os::unix::fs::symlink(state(&one), &now).unwrap();
    let store = FileStore::open(FileOptions::new(&now), one.clock.world()).unwrap();
    let gate = dmgate::DmGate::builder().world(one.clock.world()).store(store).build();
    let says = async |who| gate.admit(&message(&alpha(), &[who])).await.reason().as_str();
    assert_eq!(says("1").await, "allowlisted");
    std::os::unix::fs::symlink(state(&two), &next).unwrap();
    rustix::fs::rename(&next, &now).unwrap();
    assert_eq!(says("1").await, "pairing_required");
    assert_eq!(says("2").await, "allowlisted");
}
