//! Revisions, places and what a panic leaves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tracing::{Event, Metadata, Subscriber, span};

use super::super::fault::{Armed, Fault, Step, on_this_thread};
use super::*;

struct Scene {
    temp: tempfile::TempDir,
    freshness: Arc<Freshness>,
}

fn scene() -> Scene {
    let temp = tempfile::tempdir().unwrap();
    Dir::create_and_open(&temp.path().join("credentials")).unwrap();
    let freshness = Arc::new(Freshness::new(temp.path().join("credentials"), true));
    Scene { temp, freshness }
}

fn watched() -> Scene {
    let scene = scene();
    scene.freshness.place().unwrap();
    scene
}

impl Scene {
    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join("credentials").join(name)
    }

    fn write(&self, name: &str) {
        drop(std::fs::File::create(self.at(name)).unwrap());
    }

    fn replace(&self) {
        rustix::fs::rename(self.at(""), self.temp.path().join("old")).unwrap();
        Dir::create_and_open(&self.at("")).unwrap();
    }
}

/// Counts how often this thread comes to a step, and lets it fail there.
fn count(step: Step, then: Option<Fault>) -> (Arc<AtomicUsize>, Armed) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let armed = on_this_thread(move |at| {
        let is_it = at == step;
        counted.fetch_add(usize::from(is_it), Ordering::Relaxed);
        then.filter(|_| is_it)
    });
    (count, armed)
}

#[test]
fn i1_no_revision_is_handed_out_while_changes_are_noted() {
    let Scene { temp: _temp, freshness } = watched();
    for _ in 0..500 {
        std::thread::scope(|scope| {
            // As in the middle of `take`: an event was taken, so the queue is empty, and is not noted yet.
            let mut log = freshness.log();
            let noting = Noting::begin(&freshness.revision, &mut log);
            let at = noting.at;
            let looks = scope.spawn(|| freshness.revision());
            std::thread::yield_now();
            drop(noting);
            drop(log);
            assert_eq!(looks.join().unwrap(), Some(at));
        });
    }
}

#[test]
fn i1_a_change_is_noted_beyond_every_revision_that_was_seen_before_it() {
    let scene = watched();
    let freshness = &scene.freshness;
    let mut last = freshness.revision().unwrap();
    for _ in 0..500 {
        assert_eq!(freshness.revision(), Some(last), "nothing happened");
        scene.write("a.json");
        assert_ne!(freshness.revision(), Some(last));
        let Since::Revision(changed) = freshness.changed_at("a.json") else { panic!("no watch") };
        assert!(changed > last);
        assert!(freshness.changed_at("b.json") < Since::Revision(changed));
        last = freshness.revision().unwrap();
        assert!(changed <= last);
    }
}

#[test]
fn i1_another_directory_is_a_change_of_everything() {
    let Scene { temp, freshness } = watched();
    let before = freshness.revision().unwrap();
    rustix::fs::rename(temp.path().join("credentials"), temp.path().join("old")).unwrap();
    assert_eq!(freshness.revision(), None, "there is no directory");
    assert!(freshness.place().is_err());
    Dir::create_and_open(&temp.path().join("credentials")).unwrap();
    freshness.place().unwrap();
    assert!(freshness.revision().unwrap() > before);
    assert!(freshness.changed_at("a.json") > Since::Revision(before));
}

#[test]
fn i1_what_a_panic_kept_from_being_noted_is_a_change_of_everything() {
    let Scene { temp: _temp, freshness } = watched();
    let before = freshness.revision().unwrap();
    let noted = catch_unwind(AssertUnwindSafe(|| {
        let mut log = freshness.log();
        let _noting = Noting::begin(&freshness.revision, &mut log);
        panic!("events were taken");
    }));
    assert!(noted.is_err());
    assert!(freshness.revision().unwrap() > before, "and the next one is told");
    assert!(freshness.changed_at("a.json") > Since::Revision(before));
}

#[test]
fn i1_files_without_end_are_a_change_of_everything_and_fill_no_memory() {
    let Scene { temp: _temp, freshness } = watched();
    let before = freshness.revision().unwrap();
    let note = |name: String| Noting::begin(&freshness.revision, &mut freshness.log()).names(vec![name]);
    for number in 0..NAMES {
        note(format!("{number}.json"));
    }
    assert!(freshness.changed_at("another.json") <= Since::Revision(before));
    note("and one more.json".to_owned());
    assert!(freshness.changed_at("another.json") > Since::Revision(before));
    assert!(freshness.log().files.len() < NAMES);
}

#[test]
fn a_directory_that_was_replaced_is_opened_once_for_all_who_find_it_so() {
    let scene = watched();
    let freshness = &scene.freshness;
    let before = freshness.place().unwrap();
    scene.replace();
    assert_eq!(freshness.revision(), None);
    let log = freshness.log();
    let opened: usize = std::thread::scope(|scope| {
        let ask = || {
            let (count, _armed) = count(Step::Open, None);
            assert_ne!(freshness.place().unwrap().noted_from.as_ref().ok(), before.noted_from.as_ref().ok());
            count.load(Ordering::Relaxed)
        };
        let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        // Each of them has the old one in hand, beside us and the place itself.
        while Arc::strong_count(&before) < 4 + 2 {
            std::thread::yield_now();
        }
        drop(log);
        all.into_iter().map(|asks| asks.join().unwrap()).sum()
    });
    assert_eq!(opened, 1);
}

/// What is told while it listens; and it asks for the directory itself, as whoever is told may do.
struct Listener {
    freshness: Arc<Freshness>,
    told: Arc<AtomicUsize>,
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        self.told.fetch_add(1, Ordering::Relaxed);
        assert!(self.freshness.changes.try_lock().is_ok(), "it would wait for itself");
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn i1_a_watch_that_could_not_be_had_is_told_once_and_tried_again_now_and_then() {
    let scene = scene();
    let freshness = &scene.freshness;
    let told = Arc::new(AtomicUsize::new(0));
    let listener = Listener { freshness: Arc::clone(freshness), told: Arc::clone(&told) };
    let _listening = tracing::subscriber::set_default(listener);
    // No queue is to be had: EMFILE.
    let (tries, armed) = count(Step::Watch, Some(Fault::Fail(24)));
    (0..=2 * TRY_AGAIN).for_each(|_| drop(freshness.place().unwrap()));
    drop(armed);
    assert_eq!(tries.load(Ordering::Relaxed), 3, "at first, and at every so many");
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert!(freshness.fall_back().unwrap().contains("max_user_instances"));
    assert_eq!((freshness.revision(), freshness.changed_at("a.json")), (None, Since::Unknown));

    let asked = (1..=2 * TRY_AGAIN).find(|_| freshness.place().unwrap().noted_from.is_ok());
    assert!(asked.is_some_and(|asked| asked <= TRY_AGAIN));
    assert_eq!(freshness.fall_back(), None);
    let before = freshness.revision().unwrap();
    assert!(freshness.changed_at("a.json") <= Since::Revision(before));
    scene.write("a.json");
    assert!(freshness.changed_at("a.json") > Since::Revision(before));
}

#[test]
fn a_watch_that_is_not_wanted_is_not_tried() {
    let temp = tempfile::tempdir().unwrap();
    Dir::create_and_open(&temp.path().join("credentials")).unwrap();
    let freshness = Freshness::new(temp.path().join("credentials"), false);
    let (tries, _armed) = count(Step::Watch, None);
    for _ in 0..=TRY_AGAIN {
        freshness.place().unwrap();
    }
    assert_eq!(tries.load(Ordering::Relaxed), 0);
}

/// Time stands still until there is nothing else to be waited for.
#[tokio::test(start_paused = true)]
async fn i9_who_waits_while_the_directory_is_replaced_is_woken_then_and_hears_of_the_new_one() {
    let scene = watched();
    let freshness = &scene.freshness;
    let waits = async |since| {
        let changed = freshness.changed(Some(since));
        tokio::time::timeout(Duration::from_secs(3_600), changed).await.expect("it is heard");
    };
    let before = freshness.revision().unwrap();
    // Listening first; then the change, and somebody else who finds it.
    let replace = async || {
        scene.replace();
        freshness.place().unwrap();
    };
    tokio::join!(waits(before), replace());
    let after = freshness.revision().unwrap();
    assert!(after > before);
    tokio::join!(waits(after), async { scene.write("a.json") });
    assert!(freshness.changed_at("a.json") > Since::Revision(after));
}

/// The kernel reports a queue as readable only if it still is when it is asked: who takes what is in it takes the news, too.
#[tokio::test(start_paused = true)]
async fn i9_who_waits_is_woken_also_where_somebody_else_took_what_happened() {
    let scene = watched();
    let freshness = &scene.freshness;
    for _ in 0..3 {
        let before = freshness.revision().unwrap();
        let changed = freshness.changed(Some(before));
        let change = async {
            scene.write("a.json");
            assert!(freshness.revision().unwrap() > before);
        };
        let (heard, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(3_600), changed), change);
        heard.expect("it is heard");
    }
}
