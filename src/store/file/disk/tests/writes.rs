//! Replacing and appending, when something goes wrong and when somebody else is at work.

use super::*;
use crate::clock::{Clock as _, SystemClock};

#[test]
fn a_failed_replace_leaves_the_old_file_and_nothing_else() {
    for step in [Step::CreateTemp, Step::WriteTemp, Step::SyncTemp, Step::Rename] {
        let (_temp, dir) = scene();
        put(&dir, "a", b"old");
        let armed = failing_at(step);
        let error = dir.replace("a", b"new", || Ok::<_, FileError>(())).unwrap_err();
        drop(armed);
        assert!(
            matches!(&error, FileError::Io { source, .. } if source.raw_os_error() == Some(EIO)),
            "{step:?}"
        );
        assert_eq!(dir.list().unwrap(), ["a"], "{step:?}");
        assert_eq!(bytes(&dir, "a"), b"old", "{step:?}");
    }
    let (_temp, dir) = scene();
    put(&dir, "a", b"old");
    let armed = failing_at(Step::SyncDir);
    assert!(dir.replace("a", b"new", || Ok::<_, FileError>(())).is_err());
    drop(armed);
    assert_eq!(dir.list().unwrap(), ["a"]);
    assert_eq!(bytes(&dir, "a"), b"new", "visible, perhaps not durable, and reported as failed");
}

#[test]
fn the_last_look_before_the_rename_can_still_stop_it() {
    #[derive(Debug)]
    enum Mine {
        Lost,
        File,
    }
    impl From<FileError> for Mine {
        fn from(_: FileError) -> Self {
            Self::File
        }
    }
    let (_temp, dir) = scene();
    put(&dir, "a", b"old");
    let looked = || {
        let names = dir.list().unwrap();
        assert!(names.len() == 2 && names[1].starts_with("a.") && names[1].ends_with(".tmp"), "{names:?}");
        assert_eq!(bytes(&dir, "a"), b"old");
        Err(Mine::Lost)
    };
    assert!(matches!(dir.replace("a", b"new", looked), Err(Mine::Lost)));
    assert_eq!(dir.list().unwrap(), ["a"]);
    assert_eq!(bytes(&dir, "a"), b"old");
    let armed = failing_at(Step::WriteTemp);
    assert!(matches!(dir.replace("a", b"new", || Err(Mine::Lost)), Err(Mine::File)));
    drop(armed);
}

#[test]
fn the_steps_of_a_replace_come_in_their_order() {
    let (_temp, dir) = scene();
    let steps = Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = Rc::clone(&steps);
    let armed = on_this_thread(move |at| {
        seen.borrow_mut().push(at);
        None
    });
    put(&dir, "a", b"x");
    dir.append("a", b"y", 1, Names::Leave).unwrap();
    assert!(dir.remove("a").unwrap());
    drop(armed);
    use Step::{Append, CreateTemp, Open, Rename, SyncAppend, SyncDir, SyncTemp, WriteTemp};
    assert_eq!(
        *steps.borrow(),
        [CreateTemp, WriteTemp, SyncTemp, Rename, SyncDir, Open, Append, SyncAppend, SyncDir]
    );
}

#[test]
fn a_record_is_appended_to_what_was_read_and_to_nothing_else() {
    let (_temp, dir) = scene();
    assert!(matches!(dir.append("log", b"x", 0, Names::Leave), Err(FileError::Missing { .. })));
    put(&dir, "log", b"one\n");
    chmod(&dir.path().join("log"), 0o644);
    let identity = dir.append("log", b"two\n", 4, Names::Leave).unwrap();
    assert_eq!((identity.size, dir.identify("log").unwrap()), (8, Some(identity)));
    assert_eq!(bytes(&dir, "log"), b"one\ntwo\n");
    assert_eq!(dir.inspect("log").unwrap().unwrap().mode, 0o600, "tightened");
    chmod(&dir.path().join("log"), 0o700);
    dir.append("log", b"", 8, Names::Leave).unwrap();
    assert_eq!(dir.inspect("log").unwrap().unwrap().mode, 0o700, "nobody else may read it");
    for expected in [7, 9] {
        let error = dir.append("log", b"x", expected, Names::Leave).unwrap_err();
        assert!(matches!(error, FileError::UnexpectedLength { found: 8, .. }));
    }
    for step in [Step::Append, Step::SyncAppend] {
        let armed = failing_at(step);
        assert!(dir.append("log", b"three\n", 8, Names::Leave).is_err());
        drop(armed);
        assert_eq!(bytes(&dir, "log"), b"one\ntwo\n", "{step:?}");
    }
}

#[test]
fn i13_what_another_program_wrote_by_the_very_moment_of_the_rename_stays() {
    let (_temp, dir) = scene();
    let known = |dir: &Dir| dir.identify("a").unwrap();
    let replace =
        |known| dir.replace_known("a", known, b"ours", Names::Sync, || Ok::<_, FileError>(())).unwrap();
    // The look before it is over, and then:
    let meanwhile = |what: fn(&Dir)| {
        let dir = dir.clone();
        on_this_thread(move |at| {
            // What it does has steps of its own; they are no moment of ours.
            if at == Step::Rename {
                std::thread::scope(|scope| scope.spawn(|| what(&dir)).join().unwrap());
            }
            None
        })
    };
    assert_eq!(replace(None), known(&dir));
    assert_eq!(replace(known(&dir)), known(&dir));
    assert_eq!((bytes(&dir, "a"), dir.list().unwrap()), (b"ours".to_vec(), vec!["a".into()]));

    type Other = (fn(&Dir), &'static [u8]);
    let others: [Other; 2] = [
        (|dir| put(dir, "a", b"theirs"), b"theirs"),
        (|dir| drop(OpenOptions::new().append(true).open(dir.at("a")).unwrap().write_all(b"!")), b"ours!"),
    ];
    for (other, expected) in others {
        put(&dir, "a", b"ours");
        let before = known(&dir);
        let armed = meanwhile(other);
        assert_eq!(replace(before), None);
        drop(armed);
        assert_eq!((bytes(&dir, "a"), dir.list().unwrap()), (expected.to_vec(), vec!["a".into()]));
    }
    let before = known(&dir);
    let armed = meanwhile(|dir| assert!(dir.unlink("a").unwrap()));
    assert_eq!(replace(before), None);
    drop(armed);
    assert!(dir.list().unwrap().is_empty());
    let armed = meanwhile(|dir| put(dir, "a", b"theirs"));
    assert_eq!(replace(None), None);
    drop(armed);
    assert_eq!((bytes(&dir, "a"), dir.list().unwrap()), (b"theirs".to_vec(), vec!["a".into()]));
}

#[test]
fn where_a_rename_knows_no_flags_the_file_is_replaced_without_them() {
    // EPERM, EINVAL, ENOSYS, EOPNOTSUPP.
    for errno in [1, 22, 38, 95] {
        let (_temp, dir) = scene();
        let armed = on_this_thread(move |at| (at == Step::Rename).then_some(Fault::Fail(errno)));
        for text in [b"new", b"old"] {
            let known = dir.identify("a").unwrap();
            let sure = || Ok::<_, FileError>(());
            let made = dir.replace_known("a", known, text, Names::Sync, sure).unwrap();
            assert_eq!(
                (made, dir.list().unwrap()),
                (dir.identify("a").unwrap(), vec!["a".into()]),
                "{errno}"
            );
            assert_eq!(bytes(&dir, "a"), text);
        }
        drop(armed);
    }
}

#[test]
fn a_new_file_that_others_took_for_a_leftover_is_no_error_and_changes_nothing() {
    for known in [false, true] {
        let (_temp, dir) = scene();
        if known {
            put(&dir, "a", b"old");
        }
        let before = dir.identify("a").unwrap();
        let there = dir.clone();
        let armed = on_this_thread(move |at| {
            if at == Step::Rename {
                std::thread::scope(|scope| {
                    scope.spawn(|| there.sweep(Duration::ZERO, i64::MAX)).join().unwrap()
                })
                .unwrap();
            }
            None
        });
        let sure = || Ok::<_, FileError>(());
        assert_eq!(dir.replace_known("a", before, b"new", Names::Sync, sure).unwrap(), None);
        drop(armed);
        assert_eq!(dir.identify("a").unwrap(), before);
    }
}

#[test]
fn what_was_appended_in_vain_is_cut_off_where_the_disk_allows() {
    let (_temp, dir) = scene();
    put(&dir, "log", b"one\n");
    let short = |also: Option<Step>| {
        on_this_thread(move |at| match at {
            Step::Append => Some(Fault::Short(EIO)),
            at => (Some(at) == also).then_some(Fault::Fail(EIO)),
        })
    };
    let armed = short(None);
    assert!(dir.append("log", b"two\n", 4, Names::Leave).is_err());
    drop(armed);
    assert_eq!(bytes(&dir, "log"), b"one\n");
    let armed = short(Some(Step::CutBack));
    assert!(dir.append("log", b"two\n", 4, Names::Leave).is_err());
    drop(armed);
    assert_eq!(bytes(&dir, "log"), b"one\ntw");
    assert!(dir.append("log", b"two\n", 4, Names::Leave).is_err(), "it is not what was read");
}

#[test]
fn i13_who_sweeps_leaves_alone_what_was_just_displaced_however_old_its_contents_are() {
    let (_temp, dir) = scene();
    put(&dir, "a", b"old");
    let file = std::fs::File::options().write(true).open(dir.path().join("a")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let (there, known) = (dir.clone(), dir.identify("a").unwrap());
    let armed = on_this_thread(move |at| {
        if at == Step::Displaced {
            let now = SystemClock.now().as_millis();
            let swept = there.sweep(Duration::from_secs(3_600), now).unwrap();
            assert!(swept.is_empty(), "{swept:?}");
        }
        None
    });
    let sure = || Ok::<_, FileError>(());
    assert!(dir.replace_known("a", known, b"new", Names::Sync, sure).unwrap().is_some());
    drop(armed);
    assert_eq!((bytes(&dir, "a"), dir.list().unwrap()), (b"new".to_vec(), vec!["a".to_owned()]));
}
