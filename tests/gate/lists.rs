//! The lists of who is in, as files that other programs write as well.

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
