//! How exact the file store's view of its files is.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use dmgate::AccountKey;
use dmgate::store::{FileOptions, FileStore, Store};
use dmgate::testing::ManualClock;

/// Replaces a file as established programs do, without any lock.
fn replace(dir: &Path, name: &str, text: &str) {
    let temp = dir.join(format!("{name}.foreign.tmp"));
    std::fs::File::create(&temp)
        .and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()))
        .unwrap();
    rustix::fs::rename(&temp, dir.join(name)).unwrap();
}

#[test]
fn i1_what_changes_while_others_look_is_not_missed() {
    let temp = tempfile::tempdir().unwrap();
    let options = FileOptions::new(temp.path().join("state"));
    let store = FileStore::open(options, ManualClock::now().world()).unwrap();
    let dir = temp.path().join("state/credentials");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let key = |round: u32| AccountKey::parse("custom", &format!("a{round}")).unwrap();
    let (barrier, is_over) = (Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Takes every event as soon as it is there.
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                store.revision(&key(0));
            }
        });
        scope.spawn(|| {
            for round in 0..2_000 {
                barrier.wait();
                let text = r#"{ "version": 1, "allowFrom": ["1"] }"#;
                replace(&dir, &format!("custom-a{round}-allowFrom.json"), text);
                barrier.wait();
            }
        });
        for round in 0..2_000 {
            barrier.wait();
            runtime.block_on(store.load(&key(round)));
            barrier.wait();
            let allowed = runtime.block_on(store.load(&key(round))).snapshot.allowed.clone().unwrap();
            assert_eq!(allowed.len(), 1, "round {round}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
