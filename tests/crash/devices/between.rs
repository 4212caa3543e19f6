//! Programs without a lock that come between two files of one transaction.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use dmgate::testing::Step;

use super::deed::{Deed, act, begin, look, open};
use crate::Faults;

/// As other programs write.
fn rewrite(path: &Path, change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| "{}".into());
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    change(document.as_object_mut().unwrap());
    let new = path.with_extension("new");
    std::fs::File::create(&new)
        .and_then(|mut file| std::io::Write::write_all(&mut file, document.to_string().as_bytes()))
        .unwrap();
    rustix::fs::rename(&new, path).unwrap();
}

/// Whenever a step of this kind comes for the `number`th time, `come` happens first.
fn between(faults: &Faults, at: Step, number: usize, come: impl Fn() + Send + Sync + 'static) {
    let passed = AtomicUsize::new(0);
    faults.arm(move |step| {
        if step == at && passed.fetch_add(1, Ordering::SeqCst) == number {
            come();
        }
        None
    });
}

const FILES: [&str; 5] = [
    "devices/pending.json",
    "devices/paired.json",
    "devices/bootstrap.json",
    "nodes/pending.json",
    "nodes/paired.json",
];

/// Each file is written by somebody else after each file that a deed writes, and right before: what was done is done and
/// told, and what they noted is there.
#[tokio::test]
async fn i4_i10_i13_i17_what_is_written_in_between_is_not_lost_and_what_was_done_is_told() {
    let faults = Faults::turn();
    let mut came = 0;
    for deed in super::DEEDS {
        let course = super::Course::of(&faults, deed).await;
        let written = course.steps.iter().filter(|step| **step == Step::Rename).count();
        for file in FILES {
            for (at, number) in (0..written).flat_map(|n| [(Step::SyncTemp, n), (Step::SyncDir, n)]) {
                let temp = crate::scratch();
                begin(temp.path()).await;
                let stores = open(temp.path());
                let path: PathBuf = temp.path().join(file);
                between(&faults, at, number, {
                    let path = path.clone();
                    move || rewrite(&path, |entries| drop(entries.insert("noted".into(), "by them".into())))
                });
                let told = act(&stores, temp.path(), deed).await;
                faults.disarm();
                let what = format!("{deed:?}, {file} at {at:?} {number}: {told:?}");
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                assert!(text.contains("by them"), "{what}: {text}");
                let mut seen = look(&stores).await;
                if deed == Deed::Invite {
                    seen.codes.dedup();
                    seen.codes.push("free".to_owned());
                    seen.codes.sort();
                }
                assert_eq!(told, Ok(()), "{what}");
                let mut after = course.after.clone();
                if deed == Deed::Invite {
                    after.codes.dedup();
                    after.codes.push("free".to_owned());
                    after.codes.sort();
                }
                assert_eq!(seen, after, "{what}");
                came += 1;
            }
        }
    }
    assert!(came > 150, "{came}");
}

/// Somebody overwrites what was just written by what was there before: it is done again before it is told.
#[tokio::test]
async fn i13_i17_a_revocation_that_is_overwritten_before_the_answer_is_done_again() {
    let faults = Faults::turn();
    for deed in [Deed::Revoke, Deed::Remove, Deed::Clear, Deed::Approve] {
        let temp = crate::scratch();
        begin(temp.path()).await;
        let stores = open(temp.path());
        let after = super::Course::of(&faults, deed).await.after;
        let path = temp.path().join("devices/paired.json");
        let old = std::fs::read_to_string(&path).unwrap();
        between(&faults, Step::SyncDir, 0, move || {
            let old: serde_json::Value = serde_json::from_str(&old).unwrap();
            rewrite(&path, |entries| entries.clone_from(old.as_object().unwrap()));
        });
        let told = act(&stores, temp.path(), deed).await;
        faults.disarm();
        assert_eq!((told, look(&stores).await), (Ok(()), after), "{deed:?}");
    }
}

/// The request was rejected elsewhere before anything was written: an approval says so.
#[tokio::test]
async fn i13_i17_what_another_program_decided_first_is_not_told_as_done() {
    let faults = Faults::turn();
    let temp = crate::scratch();
    begin(temp.path()).await;
    let stores = open(temp.path());
    let state = temp.path().to_owned();
    // Right before the new list of devices gets its name, the old one is replaced, and the request is gone.
    between(&faults, Step::SyncTemp, 0, move || {
        rewrite(&state.join("devices/pending.json"), serde_json::Map::clear);
        rewrite(&state.join("devices/paired.json"), |entries| drop(entries.insert("noted".into(), 1.into())));
    });
    let told = act(&stores, temp.path(), Deed::Approve).await;
    faults.disarm();
    assert_eq!(told, Err("unknown requestId".into()));
    assert!(!look(&stores).await.paired.iter().any(|device| device.starts_with('2')));
}
