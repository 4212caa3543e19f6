//! Which directories and files are trusted, and what a reader sees.

mod writes;

use std::cell::Cell;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::super::fault::{Armed, Fault, Step, on_this_thread};
use super::{Dir, DirError, FileError, Identity, Kind, MAX_FILE, Names, is_one_state, temp_name};

const EIO: i32 = 5;
const HOUR: Duration = Duration::from_secs(3600);

fn scene() -> (tempfile::TempDir, Dir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::create_and_open(&temp.path().join("credentials")).unwrap();
    (temp, dir)
}

fn put(dir: &Dir, name: &str, bytes: &[u8]) {
    dir.replace(name, bytes, || Ok::<_, FileError>(())).unwrap();
}

fn bytes(dir: &Dir, name: &str) -> Vec<u8> {
    dir.read(name).unwrap().unwrap().bytes
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn failing_at(step: Step) -> Armed {
    on_this_thread(move |at| (at == step).then_some(Fault::Fail(EIO)))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn missing_levels_are_made_for_the_owner_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a/b/c");
    assert!(matches!(Dir::open(&path), Err(DirError::Missing { .. })));
    let dir = Dir::create_and_open(&path).unwrap();
    for level in ["a", "a/b", "a/b/c"] {
        assert_eq!(fs::metadata(temp.path().join(level)).unwrap().mode() & 0o7777, 0o700, "{level}");
    }
    assert_eq!(Dir::create_and_open(&path).unwrap().facts(), dir.facts());
    assert_eq!(dir.path(), path);
    chmod(&path, 0o755);
    assert!(Dir::create_and_open(&path).is_ok(), "one that is only readable by others is left as it is");
}

#[test]
fn i7_a_directory_that_others_can_change_is_not_used() {
    let (temp, dir) = scene();
    for mode in [0o720, 0o702, 0o1777] {
        chmod(dir.path(), mode);
        assert!(
            matches!(Dir::open(dir.path()), Err(DirError::WritableByOthers { mode: found, .. }) if found == mode)
        );
    }
    let file = temp.path().join("file");
    fs::File::create(&file).unwrap();
    assert!(matches!(Dir::open(&file), Err(DirError::NotADirectory { .. })));
    assert!(matches!(Dir::open(&file.join("below")), Err(DirError::NotADirectory { .. })));
}

#[test]
fn i7_a_directory_of_somebody_else_is_not_used() {
    let root = Dir::open(Path::new("/proc"));
    assert_eq!(matches!(root, Err(DirError::ForeignOwner { uid: 0, .. })), !is_root(), "{root:?}");
}

#[test]
fn a_directory_knows_when_another_took_its_place() {
    let (temp, dir) = scene();
    put(&dir, "a", b"old");
    assert!(dir.still_at_path());
    rustix::fs::rename(dir.path(), temp.path().join("away")).unwrap();
    assert!(!dir.still_at_path());
    put(&Dir::create_and_open(dir.path()).unwrap(), "a", b"new");
    assert!(!dir.still_at_path());
    assert_eq!(bytes(&dir, "a"), b"old", "it stays with what was opened");
}

#[test]
fn a_file_is_read_whole_with_its_identity() {
    let (_temp, dir) = scene();
    assert!(dir.read("a").unwrap().is_none());
    assert!(dir.identify("a").unwrap().is_none());
    assert!(dir.inspect("a").unwrap().is_none());
    let written = dir.replace("a", b"contents", || Ok::<_, FileError>(())).unwrap();
    let read = dir.read("a").unwrap().unwrap();
    assert_eq!(read.bytes, b"contents");
    assert_eq!((read.identity, Some(read.identity)), (written, dir.identify("a").unwrap()));
    assert_eq!(written.size, 8);
    put(&dir, "a", b"Contents");
    assert_ne!(dir.identify("a").unwrap(), Some(written));
    assert!(!format!("{read:?}").contains("bytes"), "no contents in debug");
}

#[test]
fn an_identity_settles_when_the_kernels_clock_must_have_ticked() {
    let (_temp, dir) = scene();
    put(&dir, "a", b"");
    let identity = dir.identify("a").unwrap().unwrap();
    assert!(!identity.is_settled(identity.mtime_ms()) && !identity.is_settled(i64::MIN));
    assert!(identity.is_settled(identity.mtime_ms() + 60_000));
}

#[test]
fn i7_only_a_regular_file_of_the_right_people_is_read() {
    let (temp, dir) = scene();
    let at = |name: &str| dir.path().join(name);
    put(&dir, "good", b"x");
    symlink("good", at("link")).unwrap();
    symlink("/nowhere/at/all", at("dangling")).unwrap();
    rustix::fs::mknodat(&dir, "pipe", rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["link", "dangling"] {
        assert!(matches!(dir.read(name), Err(FileError::Symlink { .. })), "{name}");
        assert_eq!(dir.inspect(name).unwrap().unwrap().kind, Kind::Symlink);
        assert!(matches!(dir.append(name, b"x", 0, Names::Leave), Err(FileError::Symlink { .. })), "{name}");
    }
    for name in ["pipe", "folder", "socket"] {
        assert!(matches!(dir.read(name), Err(FileError::NotRegular { .. })), "{name}");
        assert!(
            matches!(dir.append(name, b"x", 0, Names::Leave), Err(FileError::NotRegular { .. })),
            "{name}"
        );
    }
    for mode in [0o620, 0o602, 0o666] {
        chmod(&at("good"), mode);
        assert!(
            matches!(dir.read("good"), Err(FileError::WritableByOthers { mode: found, .. }) if found == mode)
        );
        assert!(matches!(dir.append("good", b"x", 1, Names::Leave), Err(FileError::WritableByOthers { .. })));
        assert!(dir.inspect("good").unwrap().unwrap().is_writable_by_others());
    }
    chmod(&at("good"), 0o644);
    assert!(dir.inspect("good").unwrap().unwrap().is_readable_by_others());
    assert_eq!(bytes(&dir, "good"), b"x");
    for name in ["", ".", "..", "a/b", "/etc/passwd", "a\0b"] {
        assert!(matches!(dir.read(name), Err(FileError::Name { .. })), "{name}");
        assert!(matches!(dir.replace(name, b"", || Ok(())), Err(FileError::Name { .. })), "{name}");
        assert!(matches!(dir.remove(name), Err(FileError::Name { .. })), "{name}");
    }
    drop(temp);
}

#[test]
fn i7_a_file_of_a_stranger_is_not_read() {
    let (_temp, dir) = scene();
    put(&dir, "a", b"x");
    if !is_root() {
        return;
    }
    chown(dir.path().join("a"), Some(4711), None).unwrap();
    assert!(matches!(dir.read("a"), Err(FileError::ForeignOwner { uid: 4711, .. })));
}

#[test]
fn root_leaves_what_it_makes_to_the_owner_of_the_directory() {
    let (temp, dir) = scene();
    if !is_root() {
        return;
    }
    chown(dir.path(), Some(4711), Some(4712)).unwrap();
    let dir = Dir::create_and_open(&dir.path().join("below")).unwrap();
    assert_eq!((dir.facts().uid, dir.facts().gid), (4711, 4712));
    put(&dir, "a", b"x");
    put(&dir, "a", b"y");
    let facts = dir.inspect("a").unwrap().unwrap();
    assert_eq!((facts.uid, facts.gid, facts.mode), (4711, 4712, 0o600));
    assert_eq!(bytes(&dir, "a"), b"y");
    drop(temp);
}

#[test]
fn a_file_beyond_all_measure_is_not_read() {
    let (_temp, dir) = scene();
    let file = OpenOptions::new().create_new(true).write(true).open(dir.path().join("big")).unwrap();
    file.set_len(MAX_FILE + 1).unwrap();
    assert!(matches!(dir.read("big"), Err(FileError::TooLarge { size, .. }) if size == MAX_FILE + 1));
}

#[test]
fn what_changed_while_it_was_read_is_read_again() {
    let (_temp, dir) = scene();
    put(&dir, "a", b"four");
    let before = dir.identify("a").unwrap().unwrap();
    assert!(is_one_state(&before, &before, 4));
    assert!(!is_one_state(&before, &before, 3), "cut short while it was read");
    for after in [
        Identity { ino: before.ino + 1, ..before },
        Identity { size: 5, ..before },
        Identity { mtime: before.mtime + 1, ..before },
        Identity { ctime: before.ctime + 1, ..before },
    ] {
        assert!(!is_one_state(&before, &after, 4), "{after:?}");
    }
}

#[test]
fn a_file_that_keeps_changing_its_size_is_read_in_one_size_or_not_at_all() {
    let (_temp, dir) = scene();
    put(&dir, "a", &[b'a'; 100_000]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let path = dir.path().join("a");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().write(true).open(&path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for letter in [b"b", b"a"] {
                    use std::io::Seek as _;
                    file.rewind().unwrap();
                    file.write_all(letter).unwrap();
                    file.set_len(50_000).unwrap();
                    file.set_len(100_000).unwrap();
                }
            }
        });
        for _ in 0..200 {
            match dir.read("a") {
                Ok(Some(contents)) => assert_eq!(contents.bytes.len() as u64, contents.identity.size),
                Err(FileError::Changing { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn removing_says_whether_there_was_something() {
    let (_temp, dir) = scene();
    put(&dir, "a", b"x");
    assert!(dir.remove("a").unwrap());
    assert!(!dir.remove("a").unwrap());
    assert!(dir.list().unwrap().is_empty());
}

#[test]
fn only_our_own_old_leftovers_are_swept() {
    let (_temp, dir) = scene();
    let (old, young) = (temp_name("a.json"), temp_name("a.json.lock"));
    let kept = [
        "a.json",
        "a.json.tmp",
        "a.json.0123456789ABCDEF.tmp",
        "a.json.0123456789abcdef.tmpx",
        "a.json.0123456789abcde.tmp",
        "a.json.7f4c1c1e-0a35-4d3c-9a52-1fa94cf3b6ce.tmp",
        ".0123456789abcdef.tmp",
    ];
    for name in kept.into_iter().chain([old.as_str(), young.as_str()]) {
        fs::File::create(dir.path().join(name)).unwrap();
    }
    symlink("a.json", dir.path().join("l.0123456789abcdef.tmp")).unwrap();
    fs::File::create(dir.path().join("w.0123456789abcdef.tmp")).unwrap();
    chmod(&dir.path().join("w.0123456789abcdef.tmp"), 0o666);
    let now = dir.identify(&old).unwrap().unwrap().mtime_ms();
    assert!(dir.sweep(HOUR, now + 3_600_000).unwrap().is_empty(), "an hour is not more than an hour");
    let later = std::time::UNIX_EPOCH + Duration::from_millis(now as u64 + 7_200_000);
    fs::File::open(dir.path().join(&young)).unwrap().set_modified(later).unwrap();
    assert_eq!(dir.sweep(HOUR, now + 7_200_000).unwrap(), [old]);
    assert_eq!(dir.list().unwrap().len(), kept.len() + 3);
}

#[test]
fn a_temporary_name_is_never_the_same_twice() {
    let names: std::collections::BTreeSet<_> = (0..1_000).map(|_| temp_name("a")).collect();
    assert_eq!(names.len(), 1_000);
    let (_temp, dir) = scene();
    let attempts = Rc::new(Cell::new(0));
    let seen = Rc::clone(&attempts);
    let armed = on_this_thread(move |at| {
        seen.set(seen.get() + u32::from(at == Step::CreateTemp));
        None
    });
    put(&dir, "a", b"");
    drop(armed);
    assert_eq!(attempts.get(), 1);
}
