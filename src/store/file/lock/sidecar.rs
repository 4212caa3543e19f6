//! The established lock: a file beside the file, made exclusively, with who made it and when.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use super::super::disk::{Dir, FileError, Identity, knows_no_flags, temp_name};
use super::super::fault::{self, Step, step};
use super::standing::{Seen, Standing};
use super::{Flock, LockError, Patience, Waiting};

/// The age from which we no longer act under a lock: others take it over five seconds later.
const SAFE_MS: i64 = 25_000;

/// A sidecar lock that is ours. Dropped, it is released, unless somebody took it over.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub(crate) struct Sidecar {
    dir: Dir,
    name: String,
    /// Kept open, so that no other file can get its inode number.
    file: File,
    identity: Identity,
    payload: String,
    created: i64,
}

impl Sidecar {
    /// Takes the lock beside the file `name`, or gives up at `deadline` (Unix milliseconds).
    ///
    /// Our own lock must be held: it is what makes a sidecar with our own process id a leftover.
    pub(crate) fn acquire(
        dir: &Dir,
        name: &str,
        _held: &Flock,
        waiting: &dyn Waiting,
        deadline: i64,
    ) -> Result<Self, LockError> {
        let name = format!("{name}.lock");
        step(Step::Lock).map_err(|source| dir.io(&name, "lock", source))?;
        let mut patience = Patience::until(deadline, waiting);
        loop {
            if let Some(taken) = Self::create(dir, &name, waiting.now())? {
                return Ok(taken);
            }
            let mut holder = None;
            if let Some(seen) = Seen::look(dir, &name)? {
                let holding = seen.holding(waiting.now());
                holder = holding.pid;
                if holding.standing != Standing::Held && take_away(dir, &name, &seen)? {
                    continue;
                }
            }
            if !patience.pause() {
                return Err(LockError::Timeout { path: dir.at(&name), holder });
            }
        }
    }

    /// Whether the lock is still ours, and will be for some seconds at least. To be asked right before a rename.
    pub(crate) fn is_still_ours(&self, now: i64) -> bool {
        now.saturating_sub(self.created) < SAFE_MS && self.is_in_place()
    }

    /// [`is_still_ours`](Self::is_still_ours) as something to put a `?` behind.
    pub(crate) fn confirm(&self, now: i64) -> Result<(), LockError> {
        if self.is_still_ours(now) { Ok(()) } else { Err(LockError::Lost { path: self.path() }) }
    }

    /// The lock file.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.at(&self.name)
    }

    /// Makes the lock, whole from the first moment on: one that names nobody would have to be waited for.
    fn create(dir: &Dir, name: &str, now: i64) -> Result<Option<Self>, FileError> {
        if dir.identify(name)?.is_some() {
            return Ok(None);
        }
        let temp = temp_name(name);
        let Some(mut made) = Self::make(dir, &temp, now)? else { return Ok(None) };
        let named = step(Step::NameLock)
            .and_then(|()| Ok(rustix::fs::renameat_with(dir, &temp, dir, name, RenameFlags::NOREPLACE)?));
        let Err(error) = named else {
            name.clone_into(&mut made.name);
            return Ok(Some(made));
        };
        // It goes, by the name that it has.
        drop(made);
        match Errno::from_io_error(&error) {
            // Somebody else was faster; or whose clock is ahead took our file for a leftover.
            Some(Errno::EXIST | Errno::NOENT) => Ok(None),
            Some(errno) if knows_no_flags(errno) => Self::make(dir, name, now),
            _ => Err(dir.io(name, "create", error)),
        }
    }

    fn make(dir: &Dir, name: &str, now: i64) -> Result<Option<Self>, FileError> {
        let Some(file) = dir.create(name)? else { return Ok(None) };
        let payload = payload(now);
        let written = fault::write(Step::WriteLock, &file, payload.as_bytes())
            .map_err(|source| dir.io(name, "write", source));
        match written.and_then(|()| dir.facts_of(name, &file)) {
            Ok(facts) => {
                let (dir, name, identity) = (dir.clone(), name.to_owned(), facts.identity);
                Ok(Some(Self { dir, name, file, identity, payload, created: now }))
            }
            Err(error) => {
                let _ = dir.unlink(name);
                Err(error)
            }
        }
    }

    fn is_in_place(&self) -> bool {
        let there = self.dir.identify(&self.name);
        let mut bytes = vec![0; self.payload.len()];
        there.is_ok_and(|there| there.is_some_and(|there| there.is_same_file(&self.identity)))
            && self.file.read_exact_at(&mut bytes, 0).is_ok()
            && bytes == self.payload.as_bytes()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if step(Step::Unlock).is_ok() && self.is_in_place() {
            let _ = self.dir.unlink(&self.name);
        }
    }
}

/// The text that the established programs write: pretty, and without a final newline.
fn payload(now: i64) -> String {
    let created = jiff::Timestamp::from_millisecond(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{{\n  \"pid\": {},\n  \"createdAt\": \"{created:.3}\"\n}}", std::process::id())
}

/// Removes the stale lock `seen`, and nothing else: between the look and the removal, another program may have
/// removed it and taken the lock itself. Says whether the name may be free now.
fn take_away(dir: &Dir, name: &str, seen: &Seen) -> Result<bool, FileError> {
    step(Step::TakeOver).map_err(|source| dir.io(name, "take over", source))?;
    let aside = temp_name(name);
    match rustix::fs::renameat(dir, name, dir, &aside) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(true),
        Err(errno) => return Err(dir.io(name, "take over", errno)),
    }
    let is_stale_one = dir.identify(&aside)?.is_some_and(|moved| moved.is_same_file(&seen.identity));
    if !is_stale_one {
        // A living lock: back it goes. Where the name is taken again, its owner has to find that it lost it.
        match rustix::fs::linkat(dir, &aside, dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(dir.io(name, "give back", errno)),
        }
    }
    dir.unlink(&aside)?;
    Ok(is_stale_one)
}

#[cfg(test)]
mod tests {
    use super::super::super::disk::Dir;
    use super::{Seen, payload, take_away};

    #[test]
    fn the_payload_is_in_the_established_form() {
        let expected = format!(
            "{{\n  \"pid\": {},\n  \"createdAt\": \"2026-03-01T00:00:00.007Z\"\n}}",
            std::process::id()
        );
        assert_eq!(payload(1_772_323_200_007), expected);
    }

    #[test]
    fn a_lock_that_another_program_took_in_between_is_given_back() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::create_and_open(&temp.path().join("credentials")).unwrap();
        drop(dir.create("x.lock").unwrap());
        let seen = Seen::look(&dir, "x.lock").unwrap().unwrap();
        // The race: the stale file goes, a living one comes, and only then we act on what we saw.
        dir.unlink("x.lock").unwrap();
        drop(dir.create("x.lock").unwrap());
        let living = dir.identify("x.lock").unwrap().unwrap();
        assert!(!living.is_same_file(&seen.identity), "the inode was pinned");
        assert!(!take_away(&dir, "x.lock", &seen).unwrap());
        assert!(dir.identify("x.lock").unwrap().unwrap().is_same_file(&living));
        assert_eq!(dir.list().unwrap(), ["x.lock"]);

        let seen = Seen::look(&dir, "x.lock").unwrap().unwrap();
        assert!(take_away(&dir, "x.lock", &seen).unwrap());
        assert!(dir.list().unwrap().is_empty());
        assert!(take_away(&dir, "x.lock", &seen).unwrap(), "somebody else was faster");
    }
}
