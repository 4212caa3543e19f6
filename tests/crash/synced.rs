//! What reaches the disk, and in which order, as the kernel is asked for it.

use crate::deed::{Deed, act, begin, open};
use crate::system_calls::{marked, of_all_threads};
use crate::{Faults, child, runtime};

/// Each file is synced before it takes its name, each line and each name before the answer. Who is let in is in for good
/// before their request goes; a request is there before the record knows it.
#[test]
fn i4_i6_each_file_and_each_name_is_synced_in_its_turn() {
    let _faults = Faults::turn();
    const LIST: [&str; 3] = ["sync alpha-allowFrom.json", "name alpha-allowFrom.json", "sync credentials"];
    const NEW: [&str; 2] = ["sync alpha-pairing.json", "name alpha-pairing.json"];
    const PENDING: [&str; 3] = ["sync alpha-pairing.json", "name alpha-pairing.json", "sync credentials"];
    const RECORD: [&str; 1] = ["sync alpha-dmgate.jsonl"];
    /// One sync for the names of both.
    const NAMES: [&str; 1] = ["sync credentials"];
    const AUDIT: [&str; 1] = ["sync audit.jsonl"];
    let courses: [&[&[&str]]; 3] =
        [&[&NEW, &RECORD, &NAMES], &[&LIST, &RECORD, &PENDING, &AUDIT], &[&LIST, &AUDIT]];
    for (place, (deed, course)) in DEEDS.into_iter().zip(courses).enumerate() {
        let temp = crate::scratch();
        runtime().block_on(begin(temp.path()));
        let settings = [("DMGATE_TEST_DEED", place.to_string())];
        let (_, calls) = of_all_threads(&child::command("synced::does", temp.path(), &settings));
        let seen: Vec<String> = calls.iter().filter_map(|(_, call)| told(call)).collect();
        assert_eq!(seen, course.concat(), "{deed:?}");
    }
}

const DEEDS: [Deed; 3] = [Deed::Knock, Deed::Approve, Deed::Revoke];

/// The process that is looked at.
#[test]
fn does() {
    let Some(state) = child::state() else { return };
    let (_faults, store) = (Faults::turn(), open(&state));
    marked(|| runtime().block_on(act(&store, DEEDS[child::setting("DMGATE_TEST_DEED")])).unwrap());
}

/// A sync or a new name, and of which file; a temporary one is called what it is to be. Locks are not made to last.
fn told(call: &str) -> Option<String> {
    let (name, rest) = call.split_once('(')?;
    let (what, path) = match name {
        "fsync" | "fdatasync" => ("sync", rest.split(['<', '>']).nth(1)?),
        "rename" | "renameat" | "renameat2" => ("name", rest.rsplit('"').nth(1)?),
        _ => return None,
    };
    let file = path.rsplit('/').next()?;
    let stem =
        file.strip_suffix(".tmp").and_then(|stem| stem.rsplit_once('.')).map_or(file, |(stem, _)| stem);
    (!stem.ends_with(".lock")).then(|| format!("{what} {stem}"))
}
