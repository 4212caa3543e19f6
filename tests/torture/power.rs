//! The power fails: the disk is as it was at one moment, and what only the memory knew is gone.
//!
//! The state is on a file system of its own, in a file on another file system. To cut the power is to freeze the outer
//! one, to copy the file, and to mount the copy; its journal is replayed as after a real cut. Frozen, no write to the
//! file ends or begins, so that the copy is the disk as it was at one moment, though it takes longer; and freezing makes
//! the inner one write nothing. It is mounted with the options under which least is written that nobody asked for: with
//! the usual ones, a rename would write the file that it puts in place.
//!
//! What this does not show is a disk that loses writes from a cache of its own: here each write that reached the disk
//! counts, in the order in which they did. Against that, file systems flush.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use dmgate::{Decision, InboundMessage, Sender, SenderId};
use rand::RngExt as _;

use crate::crew::{Crew, Seen};
use crate::ledger::Standing;
use crate::worker::{accounts, actor, everyone, open};
use crate::{child, rounds, scratch, turn};

/// How many cuts there are before time goes by.
const CUTS_IN_AN_ERA: usize = 5;

#[test]
fn i1_i2_i3_i4_i5_i6_what_was_acknowledged_is_there_when_the_power_comes_back() {
    let _turn = turn();
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(why) => return child::skipped(&format!("no power is cut here: {why}")),
    };
    let state = disk.inner.at.join("state");
    // The audit can't be written: here it would bring everything else to the disk as well, whenever it is synced.
    std::fs::create_dir_all(state.join("audit.jsonl")).unwrap();
    let mut crew = Crew::start(&state, &disk.temp.path().join("clock"));
    let cuts = rounds("DMGATE_POWER_CUTS", 5);
    for cut in 1..=cuts {
        crew.follow(rand::rng().random_range(1..12));
        // Stopped after an answer, they do nothing more that would bring it to the disk; going on, they are cut off
        // within a write.
        let is_still = rand::random();
        if is_still {
            crew.stop();
        }
        crew.catch_up(|_, _| ());
        let standings = |sender: String| (sender.clone(), crew.ledger.standings(&sender));
        let mut possible: BTreeMap<String, BTreeSet<Standing>> =
            everyone().into_iter().map(|(_, _, sender)| standings(sender)).collect();
        let image = disk.cut();
        // The moment was somewhere in between.
        crew.stop();
        crew.catch_up(|ledger, sender| possible.get_mut(sender).unwrap().extend(ledger.standings(sender)));
        let copy = Mount::new(&["-o", "loop"], &image, disk.temp.path().join("copy")).unwrap();
        let state = copy.at.join("state");
        let seen = Seen::of(&state, &crew.clock);
        for (sender, standings) in &possible {
            let is_possible = standings.iter().any(|standing| seen.is(sender, standing));
            let said = crew.ledger.said_of(sender);
            assert!(
                is_possible,
                "cut {cut}, still: {is_still}: {sender} is none of {standings:?}: {seen:?} {said:#?}"
            );
        }
        goes_on(&state, &crew.clock);
        drop(copy);
        crew.go_on();
        if cut % CUTS_IN_AN_ERA == 0 {
            crew.next_era();
        }
    }
    println!("{cuts} cuts; changes: {:?}", crew.changes);
}

/// What came back is worked with as if nothing had been.
fn goes_on(state: &Path, clock: &Path) {
    // Those who hold the locks of this moment did not die, and would be waited for.
    for entry in std::fs::read_dir(state.join("credentials")).unwrap().flatten() {
        if entry.file_name().to_str().unwrap().ends_with(".json.lock") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let gate = open(state, clock);
    let account = accounts().next().unwrap();
    let new = SenderId::parse(account.channel(), "new").unwrap();
    let hello = InboundMessage::direct(account.clone(), Sender::new(new.clone()), "hello");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert!(!matches!(gate.admit(&hello).await, Decision::Unavailable(_) | Decision::Admit(_)));
        gate.store().allow(&account, &new, &actor()).await.unwrap();
        assert!(matches!(gate.admit(&hello).await, Decision::Admit(_)));
        gate.store().revoke(&account, &new, &actor()).await.unwrap();
        assert!(!matches!(gate.admit(&hello).await, Decision::Unavailable(_) | Decision::Admit(_)));
    });
    Seen::of(state, clock);
}

/// A disk whose power can be cut. Fields in the order in which they go.
struct Disk {
    inner: Mount,
    outer: Mount,
    temp: tempfile::TempDir,
}

impl Disk {
    fn mount() -> Result<Self, String> {
        let temp = scratch();
        let below = temp.path().join("disk");
        file_system(&below, 64)?;
        let outer = Mount::new(&["-o", "loop"], &below, temp.path().join("outer"))?;
        let file = outer.at.join("file");
        file_system(&file, 16)?;
        let options = ["-o", "loop,data=writeback,noauto_da_alloc"];
        let inner = Mount::new(&options, &file, temp.path().join("inner"))?;
        Ok(Self { inner, outer, temp })
    }

    /// The disk as it is at one moment of this call.
    fn cut(&self) -> PathBuf {
        let image = self.temp.path().join("image");
        let frozen = Frozen::new(&self.outer.at);
        std::fs::copy(self.outer.at.join("file"), &image).unwrap();
        drop(frozen);
        image
    }
}

fn file_system(file: &Path, megabytes: u64) -> Result<(), String> {
    std::fs::File::create(file).and_then(|file| file.set_len(megabytes << 20)).map_err(|e| e.to_string())?;
    run(Command::new("mkfs.ext4").arg("-q").arg(file))
}

/// A file system that is mounted until this is dropped.
struct Mount {
    at: PathBuf,
}

impl Mount {
    fn new(options: &[&str], file: &Path, at: PathBuf) -> Result<Self, String> {
        std::fs::create_dir_all(&at).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(options).arg(file).arg(&at))?;
        Ok(Self { at })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let ended = run(Command::new("umount").arg(&self.at));
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

/// A file system that nothing is written to until this is dropped.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn new(at: &'a Path) -> Self {
        run(Command::new("fsfreeze").arg("-f").arg(at)).unwrap();
        Self(at)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let thawed = run(Command::new("fsfreeze").arg("-u").arg(self.0));
        assert!(thawed.is_ok() || std::thread::panicking(), "{thawed:?}");
    }
}

/// Runs a program, which must end well.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
