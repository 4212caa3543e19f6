//! What a real machine runs out of, or refuses. Each in a process of its own, apart from everything else (see `child`).

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use dmgate::store::{FileOptions, FileStore, Level};
use dmgate::testing::ManualClock;
use dmgate::{DmGate, InboundMessage, Sender};

use crate::child::{self, run_apart};
use crate::deed::{actor, id, key};
use crate::runtime;

struct House {
    store: FileStore,
    gate: DmGate,
}

impl House {
    /// `in` is in, `waits` has a code, and the list is longer than a page of memory.
    async fn new(state: &Path) -> Self {
        let world = ManualClock::now().world();
        let store = FileStore::open(FileOptions::new(state), world.clone()).unwrap();
        let gate = DmGate::builder().world(world).store(store.clone()).build();
        let house = Self { store, gate };
        let many: Vec<String> = (0..600).map(|n| format!("\"member-{n:06}\"")).collect();
        let list = format!(r#"{{"version":1,"allowFrom":["in",{}]}}"#, many.join(","));
        replace(&list_of(state), &list);
        assert_eq!(house.says("waits").await, "pairing_required");
        assert_eq!(house.says("in").await, "allowlisted");
        house
    }

    async fn says(&self, who: &str) -> &'static str {
        let sender = Sender::new(id(who));
        self.gate.admit(&InboundMessage::direct(key(), sender, "hello")).await.reason().as_str()
    }

    async fn allow(&self, who: &str) -> Result<bool, String> {
        let told = self.gate.store().allow(&key(), &id(who), &actor()).await;
        told.map_err(|error| error.to_string())
    }

    /// Nothing can be written: who is in stays in, nobody else gets anywhere, and the owner is told.
    async fn only_reads(&self, what: &str) {
        assert_eq!(self.says("in").await, "allowlisted", "{what}");
        assert_eq!(self.says("waits").await, "already_pending", "{what}");
        assert_eq!(self.says("new").await, "store_unreadable", "{what}");
        assert!(self.allow("new").await.is_err(), "{what}");
        assert!(self.gate.store().block(&key(), &id("in"), &actor()).await.is_err(), "{what}");
        assert_eq!(self.says("in").await, "allowlisted", "{what}");
    }

    async fn works(&self, what: &str) {
        assert_eq!(self.allow("later").await, Ok(true), "{what}");
        assert_eq!(self.says("later").await, "allowlisted", "{what}");
        assert_eq!(self.says("next").await, "pairing_required", "{what}");
    }
}

fn list_of(state: &Path) -> std::path::PathBuf {
    state.join("credentials/alpha-allowFrom.json")
}

/// As other programs do.
fn replace(path: &Path, text: &str) {
    let temp = path.with_extension("foreign");
    File::create(&temp).and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
    rustix::fs::rename(&temp, path).unwrap();
}

fn mount(arguments: &[&str], at: &Path) {
    assert!(Command::new("mount").args(arguments).arg(at).status().unwrap().success());
}

#[test]
fn i1_i4_i7_a_disk_that_is_full_costs_what_is_new_and_nothing_that_is() {
    let temp = crate::scratch();
    let before = "mount -t tmpfs -o size=256k,mode=700 none \"$STATE\"";
    run_apart("machine::full", temp.path(), before);
}

#[test]
fn full() {
    let Some(state) = child::state() else { return };
    runtime().block_on(async {
        let house = House::new(&state).await;
        let page = vec![b'x'; 4096];
        let fill = || {
            let mut pages = 0;
            while File::create(state.join(format!("page-{pages}")))
                .and_then(|mut file| file.write_all(&page))
                .is_ok()
            {
                pages += 1;
            }
            pages
        };
        let pages = fill();
        assert!(pages > 10, "{pages}");
        house.only_reads("full").await;
        // From page to page there is room for more: half a lock, half a list, all of it.
        let mut failed = 0;
        for page in (0..=pages).rev() {
            let told = house.allow("new").await;
            assert_eq!(house.says("new").await == "allowlisted", told.is_ok(), "{page}: {told:?}");
            let names = house.gate.store().allowed(&key()).await.unwrap();
            assert_eq!(names.len(), 601 + usize::from(told.is_ok()), "{page}");
            if told.is_ok() {
                break;
            }
            failed += 1;
            fs::remove_file(state.join(format!("page-{page}"))).unwrap();
        }
        assert!(failed > 3, "{failed}");
        (0..=pages).for_each(|page| drop(fs::remove_file(state.join(format!("page-{page}")))));
        house.works("again").await;
    });
}

#[test]
fn i1_i4_i7_a_file_system_that_turns_read_only_costs_what_is_new_and_nothing_that_is() {
    let temp = crate::scratch();
    run_apart("machine::read_only", temp.path(), "mount --bind \"$STATE\" \"$STATE\"");
}

#[test]
fn read_only() {
    let Some(state) = child::state() else { return };
    runtime().block_on(async {
        let house = House::new(&state).await;
        mount(&["-o", "remount,ro,bind"], &state);
        house.only_reads("read-only").await;
        mount(&["-o", "remount,rw,bind"], &state);
        house.works("writable again").await;
    });
}

#[test]
fn i4_a_file_that_may_not_grow_stays_as_it_is() {
    let temp = crate::scratch();
    // In blocks of 512 bytes; without the signal, a write ends in the middle.
    run_apart("machine::file_size", temp.path(), "trap '' XFSZ; ulimit -f 40");
}

#[test]
fn file_size() {
    let Some(state) = child::state() else { return };
    runtime().block_on(async {
        let house = House::new(&state).await;
        let mut told = 0;
        while house.allow(&format!("{told:0>40}")).await.is_ok() {
            told += 1;
            assert!(told < 1_000);
        }
        assert!(told > 10, "{told}");
        assert_eq!(house.gate.store().allowed(&key()).await.unwrap().len(), 601 + told);
        assert_eq!(house.says("in").await, "allowlisted");
        assert!(
            !fs::read_dir(state.join("credentials"))
                .unwrap()
                .any(|entry| { entry.unwrap().file_name().to_str().unwrap().ends_with(".tmp") })
        );
        house.gate.store().revoke(&key(), &id("member-000000"), &actor()).await.unwrap();
    });
}

#[test]
fn i1_i7_a_process_without_file_handles_keeps_to_what_it_knows_while_that_holds() {
    let temp = crate::scratch();
    run_apart("machine::handles", temp.path(), "ulimit -n 64");
}

#[test]
fn handles() {
    let Some(state) = child::state() else { return };
    runtime().block_on(async {
        let house = House::new(&state).await;
        let list = list_of(&state);
        let next = list.with_extension("next");
        File::create(&next)
            .and_then(|mut file| file.write_all(br#"{"version":1,"allowFrom":["2"]}"#))
            .unwrap();
        let mut taken = Vec::new();
        let full = loop {
            match File::open("/dev/null") {
                Ok(file) => taken.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(full.raw_os_error(), Some(24));
        house.only_reads("no handles").await;
        // The list changes, and can't be read: what was known holds no longer.
        rustix::fs::rename(&next, &list).unwrap();
        assert_eq!(house.says("in").await, "store_unreadable");
        assert_eq!(house.says("2").await, "store_unreadable");
        drop(taken);
        assert_eq!(house.says("in").await, "pairing_required");
        assert_eq!(house.says("2").await, "allowlisted");
    });
}

/// What each of these forbids is a watch; without one, changes count all the same, and `doctor` says so.
#[test]
fn i1_i9_without_a_watch_every_change_counts_and_doctor_says_why() {
    for (forbid, why) in [
        ("echo 0 > /proc/sys/user/max_inotify_instances", "max_user_instances"),
        ("echo 1 > /proc/sys/user/max_inotify_watches", "max_user_watches"),
        ("mkdir -m 700 /tmp/state; bindfs /tmp/state \"$STATE\"", "type 0x65735546"),
    ] {
        let temp = crate::scratch();
        let before = format!("mount -t tmpfs none /tmp; {forbid}; export WHY='{why}'");
        run_apart("machine::unwatched", temp.path(), &before);
    }
}

#[test]
fn unwatched() {
    let Some(state) = child::state() else { return };
    let why = std::env::var("WHY").unwrap();
    runtime().block_on(async {
        let house = House::new(&state).await;
        let findings = house.store.inspect();
        assert!(
            findings.iter().any(|f| f.level == Level::Warning && f.problem.contains(&why)),
            "{why}: {findings:?}"
        );
        for round in 0..200 {
            for (list, verdict) in [(r#"["1","2"]"#, true), (r#"["2","3"]"#, false)] {
                replace(&list_of(&state), &format!(r#"{{"version":1,"allowFrom":{list}}}"#));
                assert_eq!(house.says("1").await == "allowlisted", verdict, "{why}: round {round}");
            }
            // Written in place, with as many bytes, within one tick of the kernel's clock.
            let mut file = File::options().write(true).open(list_of(&state)).unwrap();
            file.write_all(br#"{"version":1,"allowFrom":["2","4"]}"#).unwrap();
            assert_ne!(house.says("3").await, "allowlisted", "{why}: round {round}");
        }
    });
}
