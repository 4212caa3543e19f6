//! What the store says of its directory: one trouble at a time, one finding for each.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use dmgate::Clock as _;
use dmgate::store::{FileOptions, FileStore, Level};

use crate::damage::put;
use crate::scene::{On, Scene};

const LISTED: &str = "alpha-allowFrom.json";
const ALSO_LISTED: &str = "alpha-default-allowFrom.json";
const PENDING: &str = "alpha-pairing.json";
const RECORD: &str = "alpha-dmgate.jsonl";
const LOCK: &str = "alpha-pairing.json.lock";

/// Somebody in, and somebody who waits since just now.
async fn sound() -> Scene {
    let scene = Scene::new(On::Files);
    scene.allow("1").await;
    scene.code(&["2"]).await;
    scene
}

fn options(scene: &Scene) -> FileOptions {
    FileOptions::new(scene.state())
}

/// How bad each finding is, which file it is about, and the first words of what is wrong.
fn findings(scene: &Scene, options: FileOptions) -> Vec<(Level, String, String)> {
    let store = FileStore::open(options, scene.clock.world()).unwrap();
    let said = store.inspect().into_iter().map(|finding| {
        let file = Path::new(&finding.subject).file_name().unwrap().to_str().unwrap().to_owned();
        (finding.level, file, finding.problem)
    });
    said.collect()
}

#[track_caller]
fn only(scene: &Scene, level: Level, file: &str, problem: &str) {
    let found = findings(scene, options(scene));
    let [(of, at, said)] = found.as_slice() else { panic!("{problem}: {found:?}") };
    assert_eq!((*of, at.as_str()), (level, file), "{said}");
    assert!(said.contains(problem), "{said}");
}

#[tokio::test]
async fn i7_each_trouble_with_a_file_is_named() {
    let scene = sound().await;
    assert_eq!(findings(&scene, options(&scene)), []);
    for (file, cost) in [
        (PENDING, "no new code is given on this channel"),
        (RECORD, "nobody is let in on this channel"),
        (LISTED, "nobody is let in on this account"),
    ] {
        let path = scene.dir().join(file);
        let whole = fs::read(&path).unwrap();
        put(&path, b"{");
        only(&scene, Level::Error, file, cost);
        put(&path, &whole);
        for (mode, level, problem) in
            [(0o644, Level::Warning, "others can read it"), (0o666, Level::Error, "0666")]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            only(&scene, level, file, problem);
        }
        put(&path, &whole);
    }
    put(&scene.dir().join("alpha-pairing.json.0123456789abcdef.tmp"), b"");
    only(&scene, Level::Note, "alpha-pairing.json.0123456789abcdef.tmp", "left behind");
}

#[tokio::test]
async fn times_that_lie_ahead_are_named() {
    let scene = sound().await;
    scene.clock.step(-1);
    let mut found = findings(&scene, options(&scene));
    found.sort();
    let problem = "holds times later than now: a clock ran ahead".to_owned();
    let ahead = |file: &str| (Level::Warning, file.to_owned(), problem.clone());
    assert_eq!(found, [ahead(RECORD), ahead(PENDING)]);
}

#[tokio::test]
async fn entries_and_lists_that_say_something_else_are_named() {
    let scene = sound().await;
    let list = |entries: &str| format!(r#"{{"version":1,"allowFrom":[{entries}]}}"#).into_bytes();
    put(&scene.dir().join(LISTED), &list(r#""1","*""#));
    only(&scene, Level::Note, LISTED, "1 entries are no ids of alpha");
    put(&scene.dir().join(LISTED), &list(r#""1","2""#));
    put(&scene.dir().join(ALSO_LISTED), &list(r#""2","1""#));
    assert_eq!(findings(&scene, options(&scene)), []);
    put(&scene.dir().join(ALSO_LISTED), &list(r#""2""#));
    only(&scene, Level::Note, "credentials", "two lists that differ");
    fs::remove_file(scene.dir().join(ALSO_LISTED)).unwrap();
    // The channel is the longest known name that the file's name begins with.
    let talk = "nextcloud-talk-work-allowFrom.json";
    put(&scene.dir().join(talk), &list(r#""*""#));
    only(&scene, Level::Note, talk, "no ids of nextcloud-talk,");
}

#[tokio::test]
async fn i13_a_lock_is_named_with_its_holder() {
    let scene = sound().await;
    let (us, other) = (std::process::id(), std::os::unix::process::parent_id());
    let (now, then) =
        (scene.clock.now(), dmgate::Timestamp::from_millis(scene.clock.now().as_millis() - 30_001));
    for (pid, created, problem) in [
        (other, now.to_string(), format!("held by process {other} since {now}")),
        (
            other,
            then.to_string(),
            format!("left behind by process {other} at {then}: it is older than 30 seconds"),
        ),
        (other, "x".into(), "the time in it cannot be read".into()),
        (us, now.to_string(), "an earlier process with the same id left it".into()),
        (u32::MAX, now.to_string(), "its process has ended".into()),
    ] {
        put(&scene.dir().join(LOCK), format!(r#"{{"pid":{pid},"createdAt":"{created}"}}"#).as_bytes());
        only(&scene, Level::Note, LOCK, &problem);
    }
}

#[tokio::test]
async fn i7_trouble_with_the_directory_is_named() {
    let scene = sound().await;
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for path in [scene.state(), scene.dir()] {
        for bits in [0o710, 0o705] {
            mode(&path, bits);
            only(
                &scene,
                Level::Warning,
                path.file_name().unwrap().to_str().unwrap(),
                "others can look into it",
            );
        }
        mode(&path, 0o700);
    }
    put(&scene.state().join("openclaw.json"), b"{}");
    only(&scene, Level::Warning, "s", "does not know that it is shared");
    assert_eq!(findings(&scene, FileOptions { shared_with_openclaw: true, ..options(&scene) }), []);
    fs::remove_file(scene.state().join("openclaw.json")).unwrap();
    let unwatched = findings(&scene, FileOptions { watch: false, ..options(&scene) });
    assert!(matches!(&*unwatched, [(Level::Warning, _, why)] if !why.is_empty()), "{unwatched:?}");
    if rustix::process::geteuid().is_root() {
        chown(scene.state(), Some(4_711), None).unwrap();
        only(&scene, Level::Note, "s", "belongs to user 4711");
    }
}
