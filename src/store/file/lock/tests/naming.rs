//! The moment in which a lock file gets its name.

use super::super::super::fault::Armed;
use super::*;

/// Says that this process can't rename with flags.
fn without_flags(errno: i32) -> Armed {
    on_this_thread(move |at| (at == Step::NameLock).then_some(Fault::Fail(errno)))
}

#[test]
fn i13_where_a_rename_can_not_leave_others_alone_the_lock_is_made_by_its_name() {
    // EPERM, EINVAL, ENOSYS, EOPNOTSUPP.
    for errno in [1, 22, 38, 95] {
        let (_temp, dir) = scene();
        let waiting = Fake::new(1_772_323_200_000);
        let armed = without_flags(errno);
        let taken = sidecar(&dir, &waiting, 0).unwrap();
        assert!(taken.is_still_ours(waiting.now()));
        assert_eq!(dir.list().unwrap(), ["p-dmgate.lock", "p.json.lock"], "{errno}");
        let text = dir.read("p.json.lock").unwrap().unwrap().bytes;
        drop(taken);
        assert!(dir.identify("p.json.lock").unwrap().is_none());

        // Somebody takes it in the midst of ours.
        let (there, other) = (dir.clone(), Other::start());
        let pid = other.0.id();
        drop(armed);
        let armed = on_this_thread(move |at| {
            let is_it = at == Step::NameLock;
            let take = || leave_by(&there, pid, 1_772_323_200_000);
            if is_it {
                std::thread::scope(|scope| scope.spawn(take).join()).unwrap();
            }
            is_it.then_some(Fault::Fail(errno))
        });
        assert!(
            matches!(sidecar(&dir, &waiting, 0), Err(LockError::Timeout { holder: Some(holder), .. }) if holder == pid)
        );
        drop(armed);
        assert_ne!(dir.read("p.json.lock").unwrap().unwrap().bytes, text);
        assert_eq!(dir.list().unwrap(), ["p-dmgate.lock", "p.json.lock"], "{errno}");
    }
    let (_temp, dir) = scene();
    let armed = without_flags(5);
    assert!(matches!(sidecar(&dir, &Fake::new(0), 1_000), Err(LockError::File(FileError::Io { .. }))));
    drop(armed);
    assert_eq!(dir.list().unwrap(), ["p-dmgate.lock"]);
}

#[test]
fn i13_a_lock_that_others_took_for_a_leftover_before_it_had_its_name_is_made_again() {
    let (_temp, dir) = scene();
    let waiting = Fake::new(1_772_323_200_000);
    let (there, done) = (dir.clone(), Cell::new(false));
    let armed = on_this_thread(move |at| {
        if at == Step::NameLock && !done.replace(true) {
            // Long before the file was made, by the clock of who sweeps.
            let swept = std::thread::scope(|scope| {
                scope.spawn(|| there.sweep(Duration::ZERO, i64::MAX).unwrap()).join().unwrap()
            });
            assert_eq!(swept.len(), 1);
        }
        None
    });
    let taken = sidecar(&dir, &waiting, 1_000).unwrap();
    drop(armed);
    assert!(taken.is_still_ours(waiting.now()));
    assert_eq!(waiting.pauses.borrow().len(), 1);
}
