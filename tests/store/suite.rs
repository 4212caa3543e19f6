//! Both stores keep what every store must keep.

use std::sync::Arc;

use dmgate::store::{FileOptions, FileStore, MemoryStore, Store};
use dmgate::testing::{ManualClock, Subject, store_suite};

#[tokio::test]
async fn i1_i2_i3_i5_i6_i8_i9_i11_i12_i15_in_memory() {
    store_suite(|| async {
        let clock = ManualClock::now();
        let store = Arc::new(MemoryStore::new(clock.world()));
        Subject { store, clock, again: None, kept: Box::new(()) }
    })
    .await;
}

#[tokio::test]
async fn i1_i2_i3_i4_i5_i6_i8_i9_i11_i12_i15_in_files() {
    store_suite(|| async {
        let temp = tempfile::tempdir().unwrap();
        let clock = ManualClock::now();
        let (path, world) = (temp.path().join("state"), clock.world());
        let again = move || -> Arc<dyn Store> {
            Arc::new(FileStore::open(FileOptions::new(&path), world.clone()).unwrap())
        };
        Subject { store: again(), clock, again: Some(Box::new(again)), kept: Box::new(temp) }
    })
    .await;
}
