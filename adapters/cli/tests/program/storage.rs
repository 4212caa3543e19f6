//! What the program leaves on disk.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::place::Place;

/// Runs the program with the umask of a careless system: whatever it does not forbid itself, it allows.
fn run(place: &Place, words: &[&str]) -> std::process::Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_dmgate")]).args(words);
    shell.env("HOME", place.home()).stdin(Stdio::null()).output().unwrap()
}

fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    for entry in std::fs::read_dir(path).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all_below(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn i_what_is_made_is_its_owners_alone_whatever_the_umask() {
    let place = Place::new();
    for line in [
        "admit telegram 1",
        "admit telegram 2",
        "pairing approve telegram --sender 1 --notify",
        "pairing reject telegram --sender 2 --block",
        "allow add telegram 3 --account work",
        "allow remove telegram 3 --account work",
        "block add signal +4915112345678",
        "doctor",
    ] {
        run(&place, &line.split(' ').collect::<Vec<_>>());
    }
    let made = all_below(&place.state());
    assert!(made.len() > 8, "{made:?}");
    for path in made {
        let facts = std::fs::symlink_metadata(&path).unwrap();
        let private = if facts.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(facts.mode() & 0o7777, private, "{}", path.display());
    }
}
