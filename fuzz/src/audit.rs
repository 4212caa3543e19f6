//! The audit, whatever its bytes: what is there stays, what is done is noted behind it on a line of its own, and nobody
//! is in or out for what it says.

use serde_json::Value;

use crate::scene::{AUDIT, Scene, actor, alpha, id, wait};

/// `data` is the file.
pub fn check(data: &[u8]) {
    let scene = Scene::with(&[(AUDIT, data)]);
    wait(scene.store().allow(&alpha(), &id("new"), &actor())).unwrap();
    assert_eq!(scene.says(&[&id("new")]), "allowlisted");
    let after = scene.read(AUDIT);
    assert!(after.starts_with(data), "what was noted stays");
    let last = after.strip_suffix(b"\n").unwrap().rsplit(|byte| *byte == b'\n').next().unwrap();
    let line: Value = serde_json::from_slice(last).expect("a line of its own");
    assert_eq!(
        (&line["action"], &line["sender"], &line["actor"]),
        (&"allow".into(), &"new".into(), &"fuzz".into())
    );
}
