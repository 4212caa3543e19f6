//! How exact the file store's view of its files is.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use dmgate::store::{FileOptions, FileStore, Store};
use dmgate::testing::ManualClock;
use dmgate::{AccountKey, SenderId};

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
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let store = FileStore::open(FileOptions::new(temp.path().join("s")), ManualClock::now().world()).unwrap();
    let dir = temp.path().join("s/credentials");
    let over = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let probe = AccountKey::parse("custom", "probe").unwrap();
    let looker = {
        let (store, over, probe) = (store.clone(), over.clone(), probe.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                store.revision(&probe);
            }
        })
    };
    let noise = {
        let (dir, over) = (dir.clone(), over.clone());
        std::thread::spawn(move || {
            let f = std::fs::File::create(dir.join("noise")).unwrap();
            while std::env::var("NOISE").is_ok() && !over.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut &f, b"x").unwrap();
                f.set_len(0).unwrap();
            }
        })
    };
    let rounds = std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(5_000);
    let barrier = Arc::new(Barrier::new(2));
    let writer = {
        let (dir, barrier) = (dir.clone(), barrier.clone());
        std::thread::spawn(move || {
            for round in 0..rounds {
                barrier.wait();
                replace(
                    &dir,
                    &format!("custom-a{round}-allowFrom.json"),
                    "{\"version\":1,\"allowFrom\":[\"1\"]}",
                );
                barrier.wait();
            }
        })
    };
    let mut missed = 0;
    for round in 0..rounds {
        let key = AccountKey::parse("custom", &format!("a{round}")).unwrap();
        barrier.wait();
        runtime.block_on(store.load(&key));
        barrier.wait();
        let loaded = runtime.block_on(store.load(&key));
        if !loaded.snapshot.allowed.as_ref().unwrap().contains(&SenderId::parse(key.channel(), "1").unwrap())
        {
            missed += 1;
        }
    }
    over.store(true, Ordering::Relaxed);
    for t in [looker, noise, writer] {
        t.join().unwrap();
    }
    assert_eq!(missed, 0);
}
