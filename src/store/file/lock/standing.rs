//! Who holds a lock, and whether it still counts.

use std::fmt;
use std::fs::File;
use std::io::Read as _;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use serde_json::Value;

use super::super::disk::{Dir, FileError, Identity, Kind};
use super::super::fault::{Step, step};

/// The age from which the established programs take a lock for abandoned, whoever holds it.
const STALE_MS: i64 = 30_000;

/// What is read of a sidecar; what they write has about 60 bytes.
const MAX_PAYLOAD: u64 = 4096;

/// A sidecar lock as it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holding {
    /// The process that took it, where the file says so.
    pub(crate) pid: Option<u32>,
    /// Since when it is held (Unix milliseconds): what the file says, else its last change.
    pub(crate) since: i64,
    /// Whether it counts.
    pub(crate) standing: Standing,
}

/// Whether a lock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It counts.
    Held,
    /// It was left behind, and the next program takes it over.
    Stale(Staleness),
}

/// Why a lock does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staleness {
    /// Its process has ended.
    Dead,
    /// It bears our own process id, and we did not take it: an earlier process had the same one.
    Leftover,
    /// The time in it cannot be read.
    BadStamp,
    /// It is older than 30 seconds.
    Old,
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dead => "its process has ended",
            Self::Leftover => "an earlier process with the same id left it",
            Self::BadStamp => "the time in it cannot be read",
            Self::Old => "it is older than 30 seconds",
        })
    }
}

/// Looks at the sidecar of `name` without touching it. `None`: nobody holds it.
pub(crate) fn inspect(dir: &Dir, name: &str, now: i64) -> Result<Option<Holding>, FileError> {
    Ok(Seen::look(dir, &format!("{name}.lock"))?.map(|seen| seen.holding(now)))
}

/// A sidecar that somebody made. While it is open its inode number cannot be used again.
pub(super) struct Seen {
    pub(super) identity: Identity,
    payload: Option<Payload>,
    _pinned: File,
}

struct Payload {
    /// `None`: a number, yet not one that a process can have.
    pid: Option<u32>,
    /// `None`: not a time.
    created: Option<i64>,
}

impl Seen {
    /// Opens the lock file `name`. Its mode does not matter: a lock is to be honoured, not trusted.
    pub(super) fn look(dir: &Dir, name: &str) -> Result<Option<Self>, FileError> {
        let denied = |error: &FileError| match error {
            FileError::Io { source, .. } => source.raw_os_error() == Some(Errno::ACCESS.raw_os_error()),
            _ => false,
        };
        let (file, is_readable) = match dir.open_file(name, OFlags::RDONLY) {
            Ok(Some(file)) => (file, true),
            Ok(None) => return Ok(None),
            // A path descriptor pins the inode without any right to read it.
            Err(error) if denied(&error) => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match rustix::fs::openat(dir, name, flags, Mode::empty()) {
                    Ok(fd) => (fd.into(), false),
                    Err(Errno::NOENT) => return Ok(None),
                    Err(_) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let facts = dir.facts_of(name, &file)?;
        if facts.kind != Kind::Regular {
            return Err(FileError::NotRegular { path: dir.at(name) });
        }
        let mut bytes = Vec::new();
        if is_readable {
            step(Step::Read)
                .and_then(|()| (&file).take(MAX_PAYLOAD).read_to_end(&mut bytes))
                .map_err(|source| dir.io(name, "read", source))?;
        }
        Ok(Some(Self { identity: facts.identity, payload: Payload::parse(&bytes), _pinned: file }))
    }

    pub(super) fn holding(&self, now: i64) -> Holding {
        let mtime = self.identity.mtime_ms();
        Holding {
            pid: self.payload.as_ref().and_then(|payload| payload.pid),
            since: self.payload.as_ref().and_then(|payload| payload.created).unwrap_or(mtime),
            standing: judge(self.payload.as_ref(), mtime, now, is_alive),
        }
    }
}

impl Payload {
    /// What is not an object with a number `pid` and a string `createdAt` says nothing at all.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let pid = value.get("pid").filter(|pid| pid.is_number())?.as_u64();
        let created = value.get("createdAt")?.as_str()?.parse::<jiff::Timestamp>();
        Some(Self {
            pid: pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
            created: created.ok().map(jiff::Timestamp::as_millisecond),
        })
    }
}

fn judge(payload: Option<&Payload>, mtime: i64, now: i64, is_alive: impl Fn(u32) -> bool) -> Standing {
    if let Some(Payload { pid, created }) = payload {
        match pid {
            Some(pid) if *pid == std::process::id() => return Standing::Stale(Staleness::Leftover),
            Some(pid) if is_alive(*pid) => {}
            _ => return Standing::Stale(Staleness::Dead),
        }
        if created.is_none() {
            return Standing::Stale(Staleness::BadStamp);
        }
    }
    let stamps = [Some(mtime), payload.and_then(|payload| payload.created)];
    let ages = || stamps.iter().flatten().map(|stamp| now.saturating_sub(*stamp));
    // A stamp from the future: some clock jumped, and no age means anything. A living holder keeps its lock.
    if ages().any(|age| age < -STALE_MS) {
        return Standing::Held;
    }
    if ages().any(|age| age > STALE_MS) { Standing::Stale(Staleness::Old) } else { Standing::Held }
}

/// Whether a process exists and runs. One that we may not signal exists.
fn is_alive(pid: u32) -> bool {
    let Some(known) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    match rustix::process::test_kill_process(known) {
        Err(Errno::SRCH) => false,
        _ => !is_zombie(pid),
    }
}

/// Whether a process has ended, and only waits for its parent to notice.
fn is_zombie(pid: u32) -> bool {
    let Ok(stat) = std::fs::read(format!("/proc/{pid}/stat")) else { return false };
    // The name before the state is in parentheses, and may hold anything.
    let state = stat.rsplit(|byte| *byte == b')').next().and_then(|rest| rest.trim_ascii_start().first());
    matches!(state, Some(b'Z' | b'X'))
}

/// The process that holds the flock on an inode, as far as the system tells.
pub(super) fn flock_holder(ino: u64) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let inode = format!(":{ino}");
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 4242 fe:00:131 0 EOF`; a process that only waits has `->` in second place.
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_flock = fields.next() == Some("FLOCK");
        let pid = fields.nth(2).and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0);
        if is_flock && fields.next().is_some_and(|place| place.ends_with(&inode)) { pid } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::{Payload, STALE_MS, Staleness, Standing, judge};

    const NOW: i64 = 1_800_000_000_000;

    fn standing(pid: Option<u32>, created: Option<i64>, mtime: i64, alive: bool) -> Standing {
        judge(Some(&Payload { pid, created }), mtime, NOW, |_| alive)
    }

    #[test]
    fn a_living_holder_is_honoured_for_thirty_seconds() {
        let old = NOW - STALE_MS;
        assert_eq!(standing(Some(7), Some(old), old, true), Standing::Held);
        assert_eq!(standing(Some(7), Some(old - 1), NOW, true), Standing::Stale(Staleness::Old));
        assert_eq!(standing(Some(7), Some(NOW), old - 1, true), Standing::Stale(Staleness::Old));
    }

    #[test]
    fn a_holder_that_cannot_live_is_not_honoured() {
        assert_eq!(standing(Some(7), Some(NOW), NOW, false), Standing::Stale(Staleness::Dead));
        assert_eq!(standing(None, Some(NOW), NOW, true), Standing::Stale(Staleness::Dead));
        let own = Some(std::process::id());
        assert_eq!(standing(own, Some(NOW), NOW, true), Standing::Stale(Staleness::Leftover));
        assert_eq!(standing(Some(7), None, NOW, true), Standing::Stale(Staleness::BadStamp));
    }

    #[test]
    fn without_a_payload_only_the_last_change_counts() {
        assert_eq!(judge(None, NOW - STALE_MS, NOW, |_| false), Standing::Held);
        assert_eq!(judge(None, NOW - STALE_MS - 1, NOW, |_| true), Standing::Stale(Staleness::Old));
    }

    #[test]
    fn after_a_clock_jump_only_the_process_counts() {
        let ahead = NOW + STALE_MS + 1;
        for (created, mtime) in [(ahead, NOW), (NOW, ahead), (ahead, 0), (0, ahead)] {
            assert_eq!(standing(Some(7), Some(created), mtime, true), Standing::Held);
            assert_eq!(standing(Some(7), Some(created), mtime, false), Standing::Stale(Staleness::Dead));
        }
        assert_eq!(standing(Some(7), Some(i64::MAX), i64::MIN, true), Standing::Held);
        assert_eq!(standing(Some(7), Some(NOW + STALE_MS), 0, true), Standing::Stale(Staleness::Old));
    }

    #[test]
    fn a_payload_is_whole_or_nothing() {
        for text in
            ["", "{", "[]", "null", r#"{"pid":1}"#, r#"{"pid":"1","createdAt":"x"}"#, r#"{"createdAt":"x"}"#]
        {
            assert!(Payload::parse(text.as_bytes()).is_none(), "{text}");
        }
        let odd = Payload::parse(br#"{"pid":-4.5,"createdAt":"yesterday"}"#).unwrap();
        assert_eq!((odd.pid, odd.created), (None, None));
        let nobody = Payload::parse(br#"{"pid":0,"createdAt":"x"}"#).unwrap();
        assert_eq!(nobody.pid, None);
        let good =
            Payload::parse(b"{\n  \"pid\": 9,\n  \"createdAt\": \"2026-03-01T00:00:00.250Z\"\n}").unwrap();
        assert_eq!((good.pid, good.created), (Some(9), Some(1_772_323_200_250)));
    }
}
