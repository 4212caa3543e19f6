//! How soon a change counts.

use std::time::Duration;

use dmgate::{Decision, DmPolicy, Freshness, Limits};

use crate::scene::{BOTH, On, Scene, alpha, limited, message};

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
async fn i1_within_the_bound_a_change_is_read_beside_the_decisions() {
    for (on, looked_at) in BOTH.into_iter().flat_map(|on| [(on, 100), (on, 199)]) {
        let freshness = Freshness::Bounded(Duration::from_millis(200));
        let scene =
            Scene::new(on).with(limited(DmPolicy::Pairing, &[], Limits { freshness, ..Limits::default() }));
        let hello = message(&alpha(), &["1"]);
        let is_in = || matches!(scene.gate.admit_now(&hello), Some(Decision::Admit(_)));
        scene.allow("1").await;
        assert_eq!(scene.says(&["1"]).await, "allowlisted");
        scene.revoke("1").await;
        scene.clock.advance(Duration::from_millis(99));
        for _ in 0..100 {
            assert!(is_in(), "nobody looks yet");
            tokio::task::yield_now().await;
        }
        scene.clock.advance(Duration::from_millis(looked_at - 99));
        for was_in in [true, false] {
            assert_eq!(is_in(), was_in, "the last answer, while the next is read");
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(on == On::Files || is_in() != was_in, "what is in memory is read by now");
            // No time goes by any more.
            let mut looks = 0;
            while is_in() == was_in {
                looks += 1;
                assert!(looks < 1_000_000, "the state is not read anew");
                tokio::task::yield_now().await;
            }
            scene.allow("1").await;
            scene.clock.advance(Duration::from_millis(199));
        }
    }
}

/// What was read beside the decisions comes to nothing: its runtime is over, or the directory is away.
#[test]
fn i1_a_reading_that_came_to_nothing_is_begun_anew() {
    // One thread reads: what is read later is read after it.
    let runtime = || tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    for its_runtime_ends in [true, false] {
        let freshness = Freshness::Bounded(Duration::from_millis(200));
        let scene = Scene::new(On::Files).with(limited(
            DmPolicy::Pairing,
            &[],
            Limits { freshness, ..Limits::default() },
        ));
        let hello = message(&alpha(), &["1"]);
        let is_in = || matches!(scene.gate.admit_now(&hello), Some(Decision::Admit(_)));
        let lasting = runtime();
        lasting.block_on(async {
            scene.allow("1").await;
            assert_eq!(scene.says(&["1"]).await, "allowlisted");
            scene.revoke("1").await;
        });
        scene.clock.advance(Duration::from_millis(100));
        if its_runtime_ends {
            let ends = runtime();
            let _inside = ends.enter();
            assert!(is_in());
        } else {
            let (dir, away) = (scene.dir(), scene.state().join("away"));
            rustix::fs::rename(&dir, &away).unwrap();
            lasting.block_on(async {
                assert!(is_in());
                tokio::task::yield_now().await;
                assert!(scene.store().load(&alpha()).await.revision.is_none());
                tokio::task::yield_now().await;
            });
            rustix::fs::rename(&away, &dir).unwrap();
        }
        lasting.block_on(async {
            let mut looks = 0;
            while is_in() {
                looks += 1;
                assert!(looks < 1_000_000, "the state is not read anew");
                tokio::task::yield_now().await;
            }
        });
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

/// More happens than the kernel keeps: 16,384 events and some, in a file that is nothing to this account.
#[tokio::test]
async fn i1_i9_a_storm_of_changes_hides_none() {
    let scene = Scene::new(On::Files);
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    scene.allow("1").await;
    assert_eq!(scene.says(&["1"]).await, "allowlisted");
    let [a, b] = ["a.json", "b.json"].map(|name| scene.dir().join(name));
    drop(std::fs::File::create(&a).unwrap());
    let storm = |renames: usize| {
        for _ in 0..renames {
            rustix::fs::rename(&a, &b).unwrap();
            rustix::fs::rename(&b, &a).unwrap();
        }
    };
    // The change before the storm, and the one that the kernel has no room for.
    for (before, after) in [("2", "3"), ("4", "5")] {
        let elsewhere = scene.another();
        elsewhere.allow(before).await;
        storm(limit.min(1 << 16) / 4 + 1);
        elsewhere.allow(after).await;
        elsewhere.revoke("1").await;
        assert_eq!(scene.says(&[before]).await, "allowlisted");
        assert_eq!(scene.says(&[after]).await, "allowlisted");
        assert_ne!(scene.says(&["1"]).await, "allowlisted");
    }
}

/// A program that writes the list in place, without a lock: it is empty, or half there, while others look.
#[test]
fn i1_i7_a_list_that_is_written_in_place_lets_in_nobody_who_was_never_on_it() {
    use std::io::{Seek as _, Write as _};
    let scene = Scene::new(On::Files);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let path = scene.dir().join("alpha-allowFrom.json");
    let lists = [r#"{"version":1,"allowFrom":["always","12"]}"#, r#"{"version":1,"allowFrom":["always"]}"#];
    std::fs::File::create(&path).and_then(|mut file| file.write_all(lists[0].as_bytes())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::File::options().write(true).open(&path).unwrap();
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                for list in lists {
                    file.set_len(0).unwrap();
                    file.rewind().unwrap();
                    list.as_bytes().chunks(7).for_each(|piece| file.write_all(piece).unwrap());
                }
            }
        });
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            seen.insert(runtime.block_on(scene.says(&["always"])));
            for never in ["1", "2"] {
                assert_ne!(runtime.block_on(scene.says(&[never])), "allowlisted");
            }
        }
        assert!(seen.is_subset(&["allowlisted", "store_unreadable", "pairing_required"].into()), "{seen:?}");
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(runtime.block_on(scene.says(&["always"])), "allowlisted", "when it is over");
    assert_ne!(runtime.block_on(scene.says(&["12"])), "allowlisted");
}

/// Everybody writes at once, right after the owner changed a long list.
#[test]
fn i8_a_thousand_who_wait_for_one_list_take_one_thread() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_start(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    let scene = Scene::new(On::Files);
    let ids: Vec<String> = (0..10_000).map(|number| format!("s{number}")).collect();
    let list = serde_json::json!({ "version": 1, "allowFrom": ids }).to_string();
    let file = std::fs::File::create(scene.dir().join("alpha-allowFrom.json"));
    file.and_then(|mut file| std::io::Write::write_all(&mut file, list.as_bytes())).unwrap();
    runtime.block_on(async {
        let hello = Arc::new(message(&alpha(), &["s1"]));
        let asks = (0..1_000).map(|_| {
            let (gate, hello) = (scene.gate.clone(), Arc::clone(&hello));
            tokio::spawn(async move { gate.admit(&hello).await.reason().as_str() })
        });
        for says in asks.collect::<Vec<_>>() {
            assert_eq!(says.await.unwrap(), "allowlisted");
        }
    });
    assert!(begun.load(Ordering::Relaxed) <= 2, "{begun:?} threads");
}
