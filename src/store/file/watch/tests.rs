//! What the watch notices, and what it says where it can not.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::rc::Rc;

use super::super::disk::FileError;
use super::super::fault::{Armed, Fault, on_this_thread};
use super::*;

struct Scene {
    temp: tempfile::TempDir,
    dir: Dir,
    watch: Watch,
}

fn watch(dir: &Dir) -> Result<Watch, WatchError> {
    let watch = Watch::open()?;
    watch.aim(dir)?;
    Ok(watch)
}

fn scene() -> Scene {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::create_and_open(&temp.path().join("state/home/credentials")).unwrap();
    let watch = watch(&dir).unwrap();
    Scene { temp, dir, watch }
}

impl Scene {
    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join(path)
    }

    fn replace(&self, name: &str, bytes: &[u8]) {
        self.dir.replace(name, bytes, || Ok::<_, FileError>(())).unwrap();
    }
}

fn names(names: &[&str]) -> Changes {
    Changes::Names(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_replaced_file_is_seen_as_soon_as_the_rename_returned() {
    let scene = scene();
    let (from, to) = (scene.dir.path().join("new.tmp"), scene.dir.path().join("a.json"));
    for _ in 0..2_000 {
        File::create(&from).unwrap();
        scene.watch.drain();
        assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Quiet);
        rustix::fs::rename(&from, &to).unwrap();
        assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Pending);
        assert_eq!(scene.watch.drain(), names(&["a.json"]));
    }
    scene.replace("b.json", b"x");
    scene.replace("a.json", b"y");
    scene.replace("b.json", b"z");
    assert_eq!(scene.watch.drain(), names(&["a.json", "b.json"]));
    assert_eq!(scene.watch.drain(), names(&[]));
}

#[test]
fn i1_every_lane_sees_what_happened_until_it_is_taken() {
    let scene = scene();
    let lanes: Vec<Lane> = (0..5).map(Lane).collect();
    for _ in 0..100 {
        assert!(lanes.iter().all(|lane| scene.watch.peek(*lane) == Peek::Quiet));
        scene.replace("a.json", b"x");
        assert!(lanes.iter().all(|lane| scene.watch.peek(*lane) == Peek::Pending));
        assert_eq!(scene.watch.drain(), names(&["a.json"]));
    }
}

/// Lets this thread's steps of the watch fail from one on: no file handle, no further watch.
fn fail_from(number: usize, errno: i32) -> Armed {
    let passed = Cell::new(0);
    on_this_thread(move |at| {
        passed.set(passed.get() + usize::from(at == Step::Watch));
        (at == Step::Watch && passed.get() > number).then_some(Fault::Fail(errno))
    })
}

#[test]
fn i1_one_queue_will_do_for_all_lanes() {
    let Scene { temp: _temp, dir, .. } = scene();
    let armed = fail_from(1, 24);
    let one = Watch::open().unwrap();
    drop(armed);
    assert!(one.more.is_empty());

    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let armed = on_this_thread(move |at| {
        counted.set(counted.get() + usize::from(at == Step::Watch));
        None
    });
    one.aim(&dir).unwrap();
    drop(armed);
    let of_one_queue = steps.get();

    // Four queues, and not enough watches for all of them: for none, for one, for some.
    let open = || inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    let more = (1..4).map(|_| open()).collect();
    let watch = Watch { first: open(), more, marks: Mutex::default(), lanes: 0.into() };
    let lanes: Vec<Lane> = (0..5).map(Lane).collect();
    for (watches, queues) in [(of_one_queue - 1, 0), (of_one_queue, 1), (3 * of_one_queue + 1, 3), (1_000, 4)]
    {
        let armed = fail_from(watches, 28);
        assert_eq!(watch.aim(&dir).is_ok(), queues > 0, "{watches}");
        drop(armed);
        assert_eq!(watch.lanes.load(Ordering::Relaxed), queues);
        if queues == 0 {
            assert!(lanes.iter().all(|lane| watch.peek(*lane) == Peek::Lost));
            continue;
        }
        watch.drain();
        for text in [b"x", b"y"] {
            assert!(lanes.iter().all(|lane| watch.peek(*lane) == Peek::Quiet), "{watches}");
            dir.replace("a.json", text, || Ok::<_, FileError>(())).unwrap();
            assert!(lanes.iter().all(|lane| watch.peek(*lane) == Peek::Pending), "{watches}");
            assert_eq!(watch.drain(), names(&["a.json"]));
        }
    }
}

#[test]
fn i9_a_link_that_is_replaced_before_it_is_watched_is_noticed() {
    let temp = tempfile::tempdir().unwrap();
    drop(Dir::create_and_open(&temp.path().join("state/credentials")).unwrap());
    for hop in ["one", "two"] {
        std::os::unix::fs::symlink("state", temp.path().join(hop)).unwrap();
    }
    let now = temp.path().join("now");
    std::os::unix::fs::symlink("one", &now).unwrap();
    let dir = Dir::open(&now.join("credentials")).unwrap();
    let watch = Watch::open().unwrap();
    // It leads to the same directory, by another link.
    let armed = on_this_thread(move |at| {
        if at == Step::Watch && fs::read_link(&now).unwrap() == std::path::Path::new("one") {
            fs::remove_file(&now).unwrap();
            std::os::unix::fs::symlink("two", &now).unwrap();
        }
        None
    });
    assert!(matches!(watch.aim(&dir), Err(WatchError::Moved { .. })));
    drop(armed);
    watch.aim(&dir).unwrap();
    watch.drain();
    fs::remove_file(temp.path().join("two")).unwrap();
    assert_eq!(watch.drain(), Changes::Replaced);
}

#[test]
fn i9_a_watch_that_is_aimed_anew_sees_the_new_directory_and_not_the_old_one() {
    let scene = scene();
    let other = Dir::create_and_open(&scene.at("state/other")).unwrap();
    scene.replace("a.json", b"x");
    scene.watch.aim(&other).unwrap();
    scene.watch.drain();
    scene.replace("a.json", b"y");
    fs::remove_dir_all(scene.at("state/home")).unwrap();
    assert_eq!(scene.watch.drain(), names(&[]));
    other.replace("b.json", b"x", || Ok::<_, FileError>(())).unwrap();
    assert_eq!(scene.watch.drain(), names(&["b.json"]));
    assert!(scene.watch.aim(&scene.dir).is_err());
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Lost, "what could not be aimed sees nothing");
}

#[test]
fn every_other_way_to_change_a_file_is_seen() {
    let scene = scene();
    let path = scene.dir.path().join("a.json");
    let check = |what: &str| {
        assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Pending, "{what}");
        assert_eq!(scene.watch.drain(), names(&["a.json"]), "{what}");
    };
    let mut file = File::create(&path).unwrap();
    check("creating");
    file.write_all(b"x").unwrap();
    check("writing in place, still open");
    file.set_len(0).unwrap();
    check("truncating");
    drop(file);
    check("closing");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
    check("making it writable by others");
    fs::remove_file(&path).unwrap();
    check("removing");
    std::os::unix::fs::symlink("/nowhere", &path).unwrap();
    check("a symbolic link");
    rustix::fs::rename(&path, scene.at("elsewhere")).unwrap();
    check("moving away");
    fs::hard_link(scene.at("elsewhere"), &path).unwrap();
    check("a hard link");
}

#[test]
fn reading_and_what_happens_to_locks_and_temporary_files_is_no_change() {
    let scene = scene();
    scene.replace("a.json", b"x");
    scene.watch.drain();
    scene.dir.read("a.json").unwrap();
    scene.dir.inspect("a.json").unwrap();
    scene.dir.list().unwrap();
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Quiet);
    for name in ["a.json.lock", "a.json.0123.tmp"] {
        File::create(scene.dir.path().join(name)).unwrap();
    }
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Pending);
    assert_eq!(scene.watch.drain(), names(&[]));
}

fn is_replaced_by(what: impl FnOnce(&Scene)) {
    let scene = scene();
    // The directory stays open, as it does in the store.
    what(&scene);
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Pending);
    assert_eq!(scene.watch.drain(), Changes::Replaced);
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Lost);
    assert_eq!(scene.watch.drain(), Changes::Replaced);
    assert!(matches!(watch(&scene.dir), Err(WatchError::Moved { .. } | WatchError::Io { .. })));
}

#[test]
fn a_directory_that_goes_away_is_noticed() {
    is_replaced_by(|scene| rustix::fs::rename(scene.at("state/home/credentials"), scene.at("old")).unwrap());
    is_replaced_by(|scene| fs::remove_dir(scene.at("state/home/credentials")).unwrap());
    is_replaced_by(|scene| {
        fs::create_dir(scene.at("empty")).unwrap();
        rustix::fs::rename(scene.at("empty"), scene.at("state/home/credentials")).unwrap();
    });
}

#[test]
fn a_directory_above_that_goes_away_is_noticed() {
    is_replaced_by(|scene| rustix::fs::rename(scene.at("state/home"), scene.at("old")).unwrap());
    is_replaced_by(|scene| rustix::fs::rename(scene.at("state"), scene.at("old")).unwrap());
    is_replaced_by(|scene| fs::remove_dir_all(scene.at("state")).unwrap());
}

#[test]
fn i9_a_link_in_the_path_that_is_set_to_another_target_is_noticed() {
    let retargets: [fn(&std::path::Path); 4] = [
        |at| {
            fs::remove_file(at.join("now")).unwrap();
            std::os::unix::fs::symlink("two", at.join("now")).unwrap();
        },
        |at| {
            std::os::unix::fs::symlink("two", at.join("new")).unwrap();
            rustix::fs::rename(at.join("new"), at.join("now")).unwrap();
        },
        |at| rustix::fs::rename(at.join("now"), at.join("then")).unwrap(),
        |at| {
            // What the link leads over, and not the link itself.
            rustix::fs::rename(at.join("hop"), at.join("hopped")).unwrap();
        },
    ];
    for retarget in retargets {
        let temp = tempfile::tempdir().unwrap();
        for state in ["one", "two"] {
            drop(Dir::create_and_open(&temp.path().join(state).join("credentials")).unwrap());
        }
        std::os::unix::fs::symlink(temp.path().join("one"), temp.path().join("hop")).unwrap();
        std::os::unix::fs::symlink("./hop", temp.path().join("now")).unwrap();
        let dir = Dir::open(&temp.path().join("now/credentials")).unwrap();
        let watch = watch(&dir).unwrap();
        File::create(temp.path().join("beside")).unwrap();
        assert_eq!(watch.drain(), names(&[]));
        retarget(temp.path());
        assert_eq!(watch.peek(Lane::FIRST), Peek::Pending);
        assert_eq!(watch.drain(), Changes::Replaced);
    }
}

#[test]
fn what_happens_beside_the_directory_is_no_change() {
    let scene = scene();
    for name in ["audit.jsonl", "other"] {
        OpenOptions::new().create(true).append(true).open(scene.at("state/home").join(name)).unwrap();
    }
    rustix::fs::rename(scene.at("state/home/other"), scene.at("state/home/third")).unwrap();
    fs::remove_file(scene.at("state/home/third")).unwrap();
    assert_eq!(scene.watch.drain(), names(&[]));
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Quiet);
}

#[test]
fn a_file_system_that_nobody_vouches_for_is_not_watched() {
    let dir = Dir::open(std::path::Path::new("/proc/self/fdinfo"));
    // Only root may have it as a state directory at all where it belongs to root.
    let Ok(dir) = dir else { return };
    assert!(matches!(watch(&dir), Err(WatchError::FileSystem { kind: 0x9fa0, .. })));
}

#[test]
fn more_changes_than_the_kernel_keeps_are_a_change_of_everything() {
    let scene = scene();
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 1 << 20 {
        return;
    }
    let mut files = ["a", "b"].map(|name| File::create(scene.dir.path().join(name)).unwrap());
    // Two by turns, since the kernel merges equal events that follow each other.
    for _ in 0..=limit / 2 {
        for file in &mut files {
            file.write_all(b"x").unwrap();
        }
    }
    assert_eq!(scene.watch.drain(), Changes::Everything);
    assert_eq!(scene.watch.peek(Lane::FIRST), Peek::Quiet);
    files[0].write_all(b"x").unwrap();
    assert_eq!(scene.watch.drain(), names(&["a"]), "it goes on");
}
