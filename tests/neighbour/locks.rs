//! The lock that both programs take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmgate::store::Store;
use dmgate::testing::ManualClock;
use dmgate::{Clock, SystemClock, Timestamp, World};
use rustix::fs::inotify;

use crate::{House, account, approve, challenge, is_in, owner, sender};

/// The machine's clock, which says when a thread is about to wait, and lets a test in while a lock is held.
struct Watched {
    waits: Sender<()>,
    now: Box<dyn Fn() + Send + Sync>,
}

impl Clock for Watched {
    fn now(&self) -> Timestamp {
        (self.now)();
        SystemClock.now()
    }

    fn ticks(&self) -> u64 {
        SystemClock.ticks()
    }

    fn pause(&self, duration: Duration) {
        // Nobody listens any more when the test is past its point.
        let _ = self.waits.send(());
        SystemClock.pause(duration);
    }
}

fn watched(now: impl Fn() + Send + Sync + 'static) -> (World, Receiver<()>) {
    let (waits, waiting) = channel();
    let clock = Arc::new(Watched { waits, now: Box::new(now) });
    (World { clock, ..World::default() }, waiting)
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_its_locks_are_waited_for() {
    let house = House::new();
    let code = house.openclaw.store().upsert("telegram", "work", "42").code;
    for file in ["telegram-pairing.json", "telegram-work-allowFrom.json"] {
        let (world, waiting) = watched(|| ());
        let store = house.store(world);
        let held = house.openclaw.hold_lock(&house.file(file));
        let lock = held.path.clone();
        let code = code.clone();
        let ours = tokio::spawn(async move {
            if file.contains("pairing") {
                assert_eq!(approve(&store, &code).await, "42");
            } else {
                assert!(store.allow(&account("work"), &sender("43"), &owner()).await.unwrap());
            }
        });
        waiting.recv().unwrap();
        assert!(lock.exists() && !ours.is_finished());
        assert!(held.release().success());
        ours.await.unwrap();
    }
    assert_eq!(house.openclaw.store().allow_from("telegram", "work"), ["42", "43"]);
    assert_eq!(house.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_a_lock_of_a_dead_holder_is_taken_over() {
    let house = House::new();
    let (world, waiting) = watched(|| ());
    let store = house.store(world);
    for file in ["telegram-pairing.json", "telegram-work-allowFrom.json"] {
        let left_behind = house.openclaw.hold_lock(&house.file(file)).kill();
        assert!(left_behind.exists());
        store.allow(&account("work"), &sender("42"), &owner()).await.unwrap();
        store.revoke(&account("work"), &sender("42"), &owner()).await.unwrap();
        assert!(!left_behind.exists());
    }
    assert!(waiting.try_recv().is_err(), "a dead holder is not waited for");
}

/// Its process is stopped, as by a debugger, for longer than its own rule lets a lock live.
#[tokio::test]
async fn i13_a_lock_of_a_stopped_holder_is_taken_over_when_it_is_too_old_and_not_before() {
    use rustix::process::{Pid, Signal, kill_process};
    let house = House::new();
    let held = house.openclaw.hold_lock(&house.file("telegram-work-allowFrom.json"));
    let holder = Pid::from_raw(i32::try_from(held.id()).unwrap()).unwrap();
    kill_process(holder, Signal::STOP).unwrap();
    // In earnest in the long form; else by a clock that goes forth as we wait.
    let in_earnest = std::env::var_os("DMGATE_STOPPED").is_some();
    let world = if in_earnest { World::default() } else { ManualClock::now().world() };
    let store = house.store(world);
    let mut waited = 0;
    // Ten seconds each time.
    while let Err(error) = store.allow(&account("work"), &sender("42"), &owner()).await {
        assert!(error.to_string().contains(&format!("process {}", held.id())), "{error}");
        waited += 1;
        assert!(waited < 4, "{error}");
    }
    assert!(waited > 1, "not before 30 seconds");
    kill_process(holder, Signal::CONT).unwrap();
    assert!(held.release().success());
    assert_eq!(house.openclaw.store().allow_from("telegram", "work"), ["42"]);
    assert_eq!(house.leftovers(), [""; 0]);
}

/// While we hold the lock it begins to write, finds the lock, and waits until we are done.
#[tokio::test(flavor = "multi_thread")]
async fn i13_our_lock_is_respected() {
    let house = House::new();
    let name = "telegram-work-allowFrom.json";
    house.write(name, "{\n  \"version\": 1,\n  \"allowFrom\": []\n}\n");
    let mut neighbour = house.openclaw.store();
    let lock = house.file(&format!("{name}.lock"));
    let (holding, is_held) = channel();
    let (go_on, goes_on) = channel();
    let goes_on = Mutex::new(goes_on);
    let was_held = AtomicBool::new(false);
    let of_ours = lock.clone();
    let (world, _waiting) = watched(move || {
        if of_ours.exists() && !was_held.swap(true, Ordering::SeqCst) {
            holding.send(()).unwrap();
            goes_on.lock().unwrap().recv().unwrap();
        }
    });
    let store = house.store(world);
    let ours = tokio::spawn(async move { store.allow(&account("work"), &sender("1"), &owner()).await });
    is_held.recv().unwrap();

    // It looks into a lock that it does not get: that is how we know that it waits.
    let looks = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&looks, &lock, inotify::WatchFlags::OPEN).unwrap();
    let its = std::thread::spawn(move || {
        neighbour.add("telegram", "work", &["2"]);
        neighbour
    });
    let mut event = [0_u8; 512];
    assert!(rustix::io::read(&looks, &mut event).unwrap() > 0);
    assert!(!its.is_finished() && !house.read(name).contains("\"2\""));
    go_on.send(()).unwrap();

    assert!(ours.await.unwrap().unwrap());
    let mut neighbour = its.join().unwrap();
    assert_eq!(neighbour.allow_from("telegram", "work"), ["1", "2"]);
    assert_eq!(house.leftovers(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_a_held_lock_stops_no_known_sender() {
    let house = House::new();
    let gate = house.gate();
    gate.store().allow(&account("default"), &sender("1"), &owner()).await.unwrap();
    let ours = challenge(&gate, "default", "2").await;
    let held = house.openclaw.hold_lock(&house.file("telegram-pairing.json"));
    assert!(is_in(&gate, "default", "1").await);
    assert!(!is_in(&gate, "default", "2").await, "pending, which needs no lock");
    held.release();
    approve(&**gate.store(), ours.code.reveal()).await;
    assert!(is_in(&gate, "default", "2").await);
}

/// As a program that keeps to no protocol, in the very moment between our look at a list and our rename.
#[tokio::test(flavor = "multi_thread")]
async fn i13_a_list_that_is_written_without_its_lock_is_not_overwritten() {
    let house = House::new();
    let name = "telegram-work-allowFrom.json";
    let list = house.file(name);
    let before = "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"1\"\n  ]\n}\n";
    house.write(name, before);
    let lock = house.file(&format!("{name}.lock"));
    let was_held = AtomicBool::new(false);
    let (world, _waiting) = watched(move || {
        if lock.exists() && !was_held.swap(true, Ordering::SeqCst) {
            std::fs::write(&list, before.replace("\"1\"", "\"1\",\n    \"2\"")).unwrap();
        }
    });
    let store = house.store(world);
    assert!(store.allow(&account("work"), &sender("3"), &owner()).await.unwrap());
    assert_eq!(house.openclaw.store().allow_from("telegram", "work"), ["1", "2", "3"]);
    assert_eq!(house.leftovers(), [""; 0]);
}
