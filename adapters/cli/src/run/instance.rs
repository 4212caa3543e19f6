//! One `dmgate run` per state directory: it holds a lock on `dmgate.pid`, which holds its process id. The lock goes with
//! the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use dmgate::{Clock, SystemClock};

use crate::failure::Failure;

const NAME: &str = "dmgate.pid";

/// How often a lock is tried, since a look at it (`doctor`) holds it for a moment.
const TRIES: usize = 5;

/// The only `dmgate run` of a state directory, as long as it is held.
#[derive(Debug)]
pub(crate) struct Instance(File);

impl Instance {
    /// Becomes the only one.
    pub(crate) fn claim(state_dir: &Path) -> Result<Self, Failure> {
        let path = state_dir.join(NAME);
        let trouble = |error: &dyn std::fmt::Display| Failure::store(format!("{}: {error}", path.display()));
        let mut file = open(&path).map_err(|error| trouble(&error))?;
        make_ours(&file, state_dir).map_err(|error| trouble(&error))?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(trouble(&error)),
                Err(TryLockError::WouldBlock) if attempt < TRIES => {
                    SystemClock.pause(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    let pid = read_pid(&mut file).map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
                    return Err(Failure::store(format!(
                        "`dmgate run` is running already for {} as pid {pid}; stop it first, or name another --state-dir",
                        state_dir.display()
                    )));
                }
            }
        }
        let pid = std::process::id();
        let written = file.set_len(0).and_then(|()| writeln!(file, "{pid}"));
        written.map_err(|error| trouble(&error))?;
        Ok(Self(file))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The lock is what counts; the number is for people.
        let _ = self.0.set_len(0);
    }
}

/// The process id of the running `dmgate run`, if there is one.
pub(crate) fn holder(state_dir: &Path) -> Option<u32> {
    let mut file = File::open(state_dir.join(NAME)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_pid(&mut file),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// It is emptied: so it must be a file of ours and nothing else. What root makes here belongs to the directory's owner,
/// who must be able to go on alone.
fn make_ours(file: &File, state_dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (meta, folder) = (file.metadata()?, std::fs::metadata(state_dir)?);
    let us = rustix::process::geteuid();
    if !meta.is_file() || meta.nlink() != 1 || ![us.as_raw(), folder.uid()].contains(&meta.uid()) {
        return Err(std::io::Error::other("is not a file that dmgate made; move it away"));
    }
    if us.is_root() && meta.uid() != folder.uid() {
        fchown(file, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let first = Instance::claim(dir.path()).unwrap();
        assert_eq!(holder(dir.path()), Some(std::process::id()));
        let second = Instance::claim(dir.path()).unwrap_err();
        assert!(second.message().contains(&format!("pid {}", std::process::id())), "{}", second.message());
        drop(first);
        assert_eq!(holder(dir.path()), None);
        Instance::claim(dir.path()).unwrap();
    }

    #[test]
    fn what_else_is_there_is_not_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        File::create(&victim).unwrap().write_all(b"precious").unwrap();
        std::fs::hard_link(&victim, dir.path().join(NAME)).unwrap();
        let refused = Instance::claim(dir.path()).unwrap_err();
        assert!(refused.message().contains("move it away"), "{}", refused.message());
        assert_eq!(std::fs::read(victim).unwrap(), b"precious");
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        use std::os::unix::fs::{MetadataExt, chown};
        let dir = tempfile::tempdir().unwrap();
        // Only root may give a directory away, and only root is asked for anything here.
        if chown(dir.path(), Some(65_534), Some(65_534)).is_err() {
            return;
        }
        let _held = Instance::claim(dir.path()).unwrap();
        let meta = std::fs::metadata(dir.path().join(NAME)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (65_534, 65_534));
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("victim"), dir.path().join(NAME)).unwrap();
        assert!(Instance::claim(dir.path()).is_err());
        assert!(!dir.path().join("victim").exists());
    }
}
