//! The lists of who is in, as files that other programs write as well.

use std::os::unix::fs::MetadataExt as _;

use dmgate::Clock as _;

use crate::damage::put;
use crate::scene::{On, Scene, alpha, id};

#[tokio::test]
async fn a_sender_is_named_with_every_file_that_lists_them() {
    let scene = Scene::new(On::Files);
    let (own, scoped) =
        (scene.dir().join("alpha-allowFrom.json"), scene.dir().join("alpha-default-allowFrom.json"));
    put(&own, br#"{"version":1,"allowFrom":["1","2"," 1 "]}"#);
    put(&scoped, br#"{"version":1,"allowFrom":["1"]}"#);
    let places = async |who: &str| scene.store().listed_in(&alpha(), &id(who)).await.unwrap();
    let [own, scoped] = [own, scoped].map(|path| path.display().to_string());
    assert_eq!(places("1").await, [own.clone(), scoped]);
    assert_eq!(places("2").await, [own]);
    assert!(places("3").await.is_empty());
}

#[tokio::test]
async fn i10_who_is_in_no_list_is_taken_out_of_none() {
    let scene = Scene::new(On::Files);
    scene.allow("1").await;
    let list = scene.dir().join("alpha-allowFrom.json");
    let inode = || std::fs::metadata(&list).unwrap().ino();
    let before = inode();
    scene.revoke("2").await;
    assert_eq!(inode(), before, "not written");
    scene.revoke("1").await;
    assert_ne!(inode(), before);
}

#[tokio::test]
async fn i13_a_lock_that_somebody_holds_is_waited_for_by_the_clock() {
    let scene = Scene::new(On::Files);
    let (holder, began) = (std::os::unix::process::parent_id(), scene.clock.now());
    let text = format!(r#"{{"pid":{holder},"createdAt":"{began}"}}"#);
    put(&scene.dir().join("alpha-pairing.json.lock"), text.as_bytes());
    assert_eq!(scene.says(&["1"]).await, "store_locked");
    let waited = began.age_at(scene.clock.now()).as_secs();
    assert!((9..15).contains(&waited), "{waited} s");
}
