//! An allow file, whatever its bytes: who is let in is on it, as anybody reads it; nothing in it is lost or mended.

use std::collections::HashSet;

use dmgate::SenderId;

use crate::plain::{self, Document};
use crate::scene::{ALLOWED, Scene, UNREADABLE, actor, alpha, id, near, wait};

const LIST: &str = "allowFrom";

/// `data` is the file.
pub fn check(data: &[u8]) {
    let scene = Scene::with(&[(ALLOWED, data)]);
    let document = Document::read(data, LIST);
    let listed = document.as_ref().map(listed).unwrap_or_default();
    let is_read = scene.snapshot().allowed.is_ok();
    assert!(!is_read || document.is_some(), "read, though it is no document");

    let asked = near(["stranger".to_owned()].into_iter().chain(plain::quoted(data)));
    for id in asked.iter().chain(listed.iter().take(8)) {
        let said = scene.says(&[id]);
        assert_eq!(said == "allowlisted", is_read && listed.contains(id), "{id}: {said}");
        assert_eq!(said == UNREADABLE, !is_read, "{id}: {said}");
    }
    if is_read {
        a_change_keeps_the_rest(&scene, data, &listed);
    } else {
        scene.try_everything();
        assert_eq!(scene.read(ALLOWED), data, "what can't be trusted is overwritten");
    }
}

fn a_change_keeps_the_rest(scene: &Scene, data: &[u8], listed: &HashSet<SenderId>) {
    let before = Document::read(data, LIST).unwrap();
    let new = id("new");
    let added = wait(scene.store().allow(&alpha(), &new, &actor())).unwrap();
    assert_eq!(added, !listed.contains(&new));
    let bytes = scene.read(ALLOWED);
    let after = Document::read(&bytes, LIST).expect("a document that was written is one");
    assert_eq!(after.others, before.others, "other members survive");
    let kept = &after.items[..before.items.len()];
    assert_eq!(kept, before.items, "other entries survive");
    assert_eq!(after.items.len() - kept.len(), usize::from(added));
    assert_eq!(scene.says(&[&new]), "allowlisted");

    wait(scene.store().revoke(&alpha(), &new, &actor())).unwrap();
    let bytes = scene.read(ALLOWED);
    let after = Document::read(&bytes, LIST).unwrap();
    let left = before.items.iter().filter(|item| sender(item).as_ref() != Some(&new));
    assert!(after.items.iter().eq(left), "other entries survive a revocation");
    assert_ne!(scene.says(&[&new]), "allowlisted");
}

fn listed(document: &Document<'_>) -> HashSet<SenderId> {
    document.items.iter().filter_map(sender).collect()
}

/// Texts and whole numbers are entries.
fn sender(item: &&str) -> Option<SenderId> {
    let is_whole = item.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_whole { Some((*item).to_owned()) } else { plain::text(item) };
    SenderId::parse_entry(alpha().channel(), &text?).ok()
}
