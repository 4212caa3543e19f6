//! Locks of ours and of others: held, stale, lost.

mod naming;

use std::cell::{Cell, RefCell};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::disk::{Dir, FileError};
use super::super::fault::{Fault, Step, on_this_thread};
use super::standing::Staleness;
use super::{Flock, LockError, Sidecar, Standing, Waiting, inspect};

/// Time that only goes by where somebody waits.
struct Fake {
    now: Cell<i64>,
    pauses: RefCell<Vec<Duration>>,
    /// What happens elsewhere while we wait.
    meanwhile: Option<Box<dyn Fn(usize)>>,
    /// Whether the clock shows the time that was waited.
    stands_still: bool,
}

impl Fake {
    /// Begins at the last change of `file`, since the kernel's stamps cannot be faked.
    fn at(dir: &Dir, file: &str) -> Self {
        Self::new(dir.identify(file).unwrap().unwrap().mtime_ms())
    }

    fn new(now: i64) -> Self {
        Self { now: Cell::new(now), pauses: RefCell::default(), meanwhile: None, stands_still: false }
    }

    fn waited(&self) -> Duration {
        self.pauses.borrow().iter().sum()
    }
}

impl Waiting for Fake {
    fn now(&self) -> i64 {
        self.now.get()
    }

    fn pause(&self, duration: Duration) {
        self.pauses.borrow_mut().push(duration);
        if !self.stands_still {
            // Rounded up, so that every pause moves the clock.
            self.now.set(self.now.get() + i64::try_from(duration.as_micros().div_ceil(1_000)).unwrap());
        }
        if let Some(meanwhile) = &self.meanwhile {
            meanwhile(self.pauses.borrow().len());
        }
    }
}

/// Another process, which lives until it is dropped.
struct Other(Child);

impl Other {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn dead() -> u32 {
        Self::start().0.id()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn scene() -> (tempfile::TempDir, Dir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = Dir::create_and_open(&temp.path().join("credentials")).unwrap();
    (temp, dir)
}

fn leave(dir: &Dir, text: &str) {
    dir.replace("p.json.lock", text.as_bytes(), || Ok::<_, FileError>(())).unwrap();
}

fn leave_by(dir: &Dir, pid: u32, created: i64) {
    let created = jiff::Timestamp::from_millisecond(created).unwrap();
    leave(dir, &format!("{{\n  \"pid\": {pid},\n  \"createdAt\": \"{created:.3}\"\n}}"));
}

fn sidecar(dir: &Dir, waiting: &Fake, patience: i64) -> Result<Sidecar, LockError> {
    let flock = Flock::acquire(dir, "p", waiting, waiting.now())?;
    Sidecar::acquire(dir, "p.json", &flock, waiting, waiting.now() + patience)
}

#[test]
fn a_sidecar_is_taken_told_and_released() {
    let (_temp, dir) = scene();
    let waiting = Fake::new(1_772_323_200_007);
    let taken = sidecar(&dir, &waiting, 0).unwrap();
    let text = String::from_utf8(dir.read("p.json.lock").unwrap().unwrap().bytes).unwrap();
    let pid = std::process::id();
    assert_eq!(text, format!("{{\n  \"pid\": {pid},\n  \"createdAt\": \"2026-03-01T00:00:00.007Z\"\n}}"));
    assert_eq!(dir.inspect("p.json.lock").unwrap().unwrap().mode, 0o600);
    assert!(taken.is_still_ours(waiting.now()) && taken.is_still_ours(waiting.now() + 24_999));
    assert!(!taken.is_still_ours(waiting.now() + 25_000));
    assert!(matches!(taken.confirm(waiting.now() + 25_000), Err(LockError::Lost { .. })));
    drop(taken);
    assert!(dir.identify("p.json.lock").unwrap().is_none());
    assert!(waiting.pauses.borrow().is_empty());
}

#[test]
fn i13_a_dead_holder_does_not_block() {
    let (_temp, dir) = scene();
    let dead = Other::dead();
    leave_by(&dir, dead, 0);
    let waiting = Fake::at(&dir, "p.json.lock");
    leave_by(&dir, dead, waiting.now());
    let found = inspect(&dir, "p.json", waiting.now()).unwrap().unwrap();
    assert_eq!((found.pid, found.since), (Some(dead), waiting.now()));
    assert_eq!(found.standing, Standing::Stale(Staleness::Dead));
    let taken = sidecar(&dir, &waiting, 0).unwrap();
    assert!(taken.is_still_ours(waiting.now()));
    assert!(waiting.pauses.borrow().is_empty());
    assert_eq!(dir.list().unwrap(), ["p-dmgate.lock", "p.json.lock"], "nothing is left of the old one");
}

#[test]
fn a_process_that_we_may_not_signal_lives() {
    let (_temp, dir) = scene();
    leave(&dir, "");
    let waiting = Fake::at(&dir, "p.json.lock");
    // The first process; only root may signal it.
    leave_by(&dir, 1, waiting.now());
    if std::process::id() != 1 {
        assert!(matches!(sidecar(&dir, &waiting, 100), Err(LockError::Timeout { holder: Some(1), .. })));
    }
}

#[test]
fn a_zombie_is_dead() {
    let (_temp, dir) = scene();
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take());
    // Its end of the pipe closes when it exits, and nobody has waited for it yet.
    std::io::copy(child.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    while !state().contains(") Z ") {
        std::thread::yield_now();
    }
    leave(&dir, "");
    let waiting = Fake::at(&dir, "p.json.lock");
    leave_by(&dir, child.id(), waiting.now());
    assert!(sidecar(&dir, &waiting, 0).is_ok());
    child.wait().unwrap();
}

#[test]
fn i13_a_living_holder_is_waited_for_until_the_deadline() {
    let (_temp, dir) = scene();
    let other = Other::start();
    leave(&dir, "");
    let waiting = Fake::at(&dir, "p.json.lock");
    leave_by(&dir, other.0.id(), waiting.now());
    let error = sidecar(&dir, &waiting, 10_000).unwrap_err();
    assert!(matches!(&error, LockError::Timeout { holder, .. } if *holder == Some(other.0.id())));
    assert!(error.to_string().contains(&format!("process {}", other.0.id())), "{error}");
    assert!(error.to_string().contains("p.json.lock`"), "{error}");
    let waited = waiting.waited();
    assert!(waited > Duration::from_secs(9) && waited <= Duration::from_secs(10), "{waited:?}");
    let pauses = waiting.pauses.borrow();
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(50)));
    assert!(
        pauses[0] <= Duration::from_millis(1) && pauses[8] > Duration::from_millis(35),
        "{:?}",
        &pauses[..9]
    );
    assert!(dir.identify("p.json.lock").unwrap().is_some());
}

#[test]
fn i13_a_living_holder_blocks_for_thirty_seconds_at_most() {
    let (_temp, dir) = scene();
    let other = Other::start();
    leave(&dir, "");
    let waiting = Fake::at(&dir, "p.json.lock");
    let start = waiting.now();
    leave_by(&dir, other.0.id(), start);
    let taken = sidecar(&dir, &waiting, 60_000).unwrap();
    let waited = waiting.now() - start;
    assert!(waited > 30_000 && waited < 30_200, "{waited}");
    assert!(taken.is_still_ours(waiting.now()));
}

#[test]
fn a_clock_that_stands_still_or_goes_back_makes_no_wait_longer() {
    let (_temp, dir) = scene();
    let other = Other::start();
    leave(&dir, "");
    let mut waiting = Fake::at(&dir, "p.json.lock");
    waiting.stands_still = true;
    leave_by(&dir, other.0.id(), waiting.now());
    assert!(matches!(sidecar(&dir, &waiting, 1_000), Err(LockError::Timeout { .. })));
    assert_eq!(waiting.waited(), Duration::from_secs(1));
}

#[test]
fn a_leftover_with_our_own_process_id_does_not_block() {
    let (_temp, dir) = scene();
    leave(&dir, "");
    let waiting = Fake::at(&dir, "p.json.lock");
    leave_by(&dir, std::process::id(), waiting.now());
    let found = inspect(&dir, "p.json", waiting.now()).unwrap().unwrap();
    assert_eq!(found.standing, Standing::Stale(Staleness::Leftover));
    assert!(sidecar(&dir, &waiting, 0).is_ok());
    assert!(waiting.pauses.borrow().is_empty());
}

#[test]
fn a_lock_without_a_payload_is_stale_by_its_age_alone() {
    let (_temp, dir) = scene();
    leave(&dir, "");
    let waiting = Fake::at(&dir, "p.json.lock");
    let error = sidecar(&dir, &waiting, 1_000).unwrap_err();
    assert!(matches!(error, LockError::Timeout { holder: None, .. }));
    assert!(error.to_string().contains("remove the lock file"), "{error}");
    waiting.now.set(waiting.now() + 31_000);
    assert!(sidecar(&dir, &waiting, 0).is_ok());
}

#[test]
fn the_lock_is_had_as_soon_as_the_holder_lets_go() {
    let (_temp, dir) = scene();
    let other = Other::start();
    leave(&dir, "");
    let mut waiting = Fake::at(&dir, "p.json.lock");
    leave_by(&dir, other.0.id(), waiting.now());
    let there = dir.clone();
    waiting.meanwhile = Some(Box::new(move |pauses| {
        if pauses == 5 {
            there.remove("p.json.lock").unwrap();
        }
    }));
    assert!(sidecar(&dir, &waiting, 10_000).is_ok());
    assert_eq!(waiting.pauses.borrow().len(), 5);
}

#[test]
fn i13_a_lock_that_was_taken_over_is_no_longer_ours_and_is_not_released() {
    let (_temp, dir) = scene();
    let waiting = Fake::new(1_772_323_200_000);
    let taken = sidecar(&dir, &waiting, 0).unwrap();
    let text = dir.read("p.json.lock").unwrap().unwrap().bytes;
    // The very same text, in another file.
    dir.remove("p.json.lock").unwrap();
    leave(&dir, std::str::from_utf8(&text).unwrap());
    assert!(!taken.is_still_ours(waiting.now()));
    drop(taken);
    assert_eq!(dir.read("p.json.lock").unwrap().unwrap().bytes, text);

    dir.remove("p.json.lock").unwrap();
    let taken = sidecar(&dir, &waiting, 0).unwrap();
    std::fs::OpenOptions::new().append(true).open(taken.path()).unwrap().set_len(3).unwrap();
    assert!(!taken.is_still_ours(waiting.now()), "the same file, with another text");
    drop(taken);
    assert_eq!(dir.read("p.json.lock").unwrap().unwrap().bytes.len(), 3);

    dir.remove("p.json.lock").unwrap();
    let taken = sidecar(&dir, &waiting, 0).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(taken.path()).unwrap();
    std::io::Write::write_all(&mut file, &vec![b'x'; text.len()]).unwrap();
    drop(taken);
    assert!(dir.read("p.json.lock").unwrap().unwrap().bytes.starts_with(b"x"), "a text of the same length");
}

#[test]
fn a_lock_that_is_no_file_is_an_error_at_once() {
    let (_temp, dir) = scene();
    std::os::unix::fs::symlink("/nowhere", dir.path().join("p.json.lock")).unwrap();
    let waiting = Fake::new(0);
    assert!(matches!(sidecar(&dir, &waiting, 1_000), Err(LockError::File(FileError::Symlink { .. }))));
    dir.remove("p.json.lock").unwrap();
    std::fs::create_dir(dir.path().join("p.json.lock")).unwrap();
    assert!(matches!(sidecar(&dir, &waiting, 1_000), Err(LockError::File(FileError::NotRegular { .. }))));
    assert!(waiting.pauses.borrow().is_empty());
}

#[test]
fn our_own_lock_excludes_and_is_free_when_dropped() {
    let (_temp, dir) = scene();
    let waiting = Fake::new(0);
    let first = Flock::acquire(&dir, "p", &waiting, 0).unwrap();
    assert_eq!(dir.inspect("p-dmgate.lock").unwrap().unwrap().mode, 0o600);
    assert!(Flock::acquire(&dir, "q", &waiting, 0).is_ok(), "another channel is not concerned");
    let error = Flock::acquire(&dir, "p", &waiting, 500).unwrap_err();
    assert!(
        matches!(&error, LockError::Timeout { holder, .. } if *holder == Some(std::process::id())),
        "{error:?}"
    );
    assert!(waiting.waited() > Duration::from_millis(400));
    drop(first);
    let pauses = waiting.pauses.borrow().len();
    drop(Flock::acquire(&dir, "p", &waiting, 0).unwrap());
    assert_eq!(waiting.pauses.borrow().len(), pauses);
    assert!(dir.identify("p-dmgate.lock").unwrap().is_some(), "never removed");
}

#[test]
fn our_own_lock_is_on_the_file_that_is_there() {
    let (_temp, dir) = scene();
    let first = Flock::acquire(&dir, "p", &Fake::new(0), 0).unwrap();
    dir.remove("p-dmgate.lock").unwrap();
    let second = Flock::acquire(&dir, "p", &Fake::new(0), 0).unwrap();
    drop(first);
    assert!(Flock::acquire(&dir, "p", &Fake::new(0), 0).is_err(), "the second holds the file that is there");
    drop(second);

    // Removed after it was opened, and before it is locked.
    let (there, done) = (dir.clone(), Cell::new(false));
    let armed = on_this_thread(move |at| {
        if at == Step::Lock && !done.replace(true) {
            there.remove("p-dmgate.lock").unwrap();
        }
        None
    });
    let third = Flock::acquire(&dir, "p", &Fake::new(0), 100).unwrap();
    drop(armed);
    assert!(Flock::acquire(&dir, "p", &Fake::new(0), 0).is_err(), "the third holds the file that is there");
    drop(third);
}

#[test]
fn i13_sidecars_never_overlap_among_threads_that_race_for_a_stale_one() {
    use std::sync::atomic::{AtomicU32, Ordering};
    struct Real;
    impl Waiting for Real {
        fn now(&self) -> i64 {
            1_772_323_200_000
        }
        fn pause(&self, _: Duration) {
            std::thread::yield_now();
        }
    }
    let (_temp, dir) = scene();
    let (inside, entered) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let Ok(flock) = Flock::acquire(&dir, "p", &Real, i64::MAX) else { continue };
                    // A leftover of an earlier life, each time.
                    drop(dir.create("p.json.lock").unwrap());
                    leave_by(&dir, std::process::id(), Real.now());
                    let taken = Sidecar::acquire(&dir, "p.json", &flock, &Real, i64::MAX).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    assert!(taken.is_still_ours(Real.now()));
                    inside.fetch_sub(1, Ordering::SeqCst);
                    entered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(entered.load(Ordering::SeqCst), 400);
    assert_eq!(dir.list().unwrap(), ["p-dmgate.lock"]);
}

#[test]
fn a_fault_at_the_lock_is_told_and_one_at_the_release_leaves_it_behind() {
    let (_temp, dir) = scene();
    let waiting = Fake::new(1_772_323_200_000);
    let armed = on_this_thread(|at| (at == Step::Lock).then_some(Fault::Fail(5)));
    assert!(matches!(Flock::acquire(&dir, "p", &waiting, 0), Err(LockError::File(FileError::Io { .. }))));
    drop(armed);
    let taken = sidecar(&dir, &waiting, 0).unwrap();
    let armed = on_this_thread(|at| (at == Step::Unlock).then_some(Fault::Fail(5)));
    drop(taken);
    drop(armed);
    assert!(dir.identify("p.json.lock").unwrap().is_some());
}
