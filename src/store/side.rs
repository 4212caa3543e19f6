//! A small file beside the store, for whoever runs with it: replaced as durably and trusted as little as the store's own.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::disk::{Dir, DirError, FileError};
use crate::clock::{Clock, SystemClock};

/// A temporary file that was not changed for so long is nobody's any more.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

/// One text file in a folder of the state directory.
#[derive(Clone, Debug)]
pub struct SideFile {
    folder: PathBuf,
    name: String,
    /// The longest text, in bytes.
    limit: usize,
}

impl SideFile {
    /// The file `name` in `folder` of the state directory, of at most `limit` bytes. Nothing is opened or made yet.
    #[must_use]
    pub fn new(state_dir: &Path, folder: &str, name: impl Into<String>, limit: usize) -> Self {
        Self { folder: state_dir.join(folder), name: name.into(), limit }
    }

    /// What is in it; `None` where there is none.
    ///
    /// # Errors
    /// If it can't be read, is too long or no text, or if others could have written it.
    pub fn read(&self) -> io::Result<Option<String>> {
        let folder = match Dir::open(&self.folder) {
            Ok(folder) => folder,
            Err(DirError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(io::Error::other(error)),
        };
        // Once a run: what one that died has left behind.
        let _ = folder.sweep(LEFT_BEHIND, SystemClock.now().as_millis());
        let size = folder.identify(&self.name).map_err(io::Error::other)?.map_or(0, |identity| identity.size);
        self.check_length(size)?;
        let Some(contents) = folder.read(&self.name).map_err(io::Error::other)? else { return Ok(None) };
        let text = String::from_utf8(contents.bytes);
        text.map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
    }

    /// Puts a text in the place of what was there, durably: after a crash it is the one or the other. The folder is made
    /// where it is missing.
    ///
    /// # Errors
    /// If it is too long, or can't be written.
    pub fn replace(&self, text: &str) -> io::Result<()> {
        self.check_length(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
        let folder = Dir::create_and_open(&self.folder).map_err(io::Error::other)?;
        let replaced = folder.replace::<FileError>(&self.name, text.as_bytes(), || Ok(()));
        replaced.map(drop).map_err(io::Error::other)
    }

    fn check_length(&self, length: u64) -> io::Result<()> {
        if u64::try_from(self.limit).is_ok_and(|limit| length <= limit) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {} bytes", self.limit)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_text_is_there_until_another_takes_its_place_and_is_for_its_owner_alone() {
        let state = tempfile::tempdir().unwrap();
        let file = SideFile::new(state.path(), "channels", "matrix-default.json", 10);
        assert_eq!(file.read().unwrap(), None);
        file.replace("one").unwrap();
        file.replace("two").unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some("two"));
        let path = state.path().join("channels/matrix-default.json");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
        assert!(file.replace("longer than ten").is_err());
        assert_eq!(file.read().unwrap().as_deref(), Some("two"));
    }

    #[test]
    fn i7_what_others_could_have_written_or_is_no_text_is_an_error() {
        let state = tempfile::tempdir().unwrap();
        let file = SideFile::new(state.path(), "channels", "x", 10);
        file.replace("one").unwrap();
        let path = state.path().join("channels/x");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(file.read().is_err());
        std::fs::remove_file(&path).unwrap();
        symlink("/etc/hostname", &path).unwrap();
        assert!(file.read().is_err());
        for bad in [&b"\xff"[..], b"longer than ten"] {
            std::fs::remove_file(&path).unwrap();
            #[allow(clippy::disallowed_methods, reason = "somebody else wrote it")]
            std::fs::write(&path, bad).unwrap();
            assert!(file.read().is_err());
        }
    }
}
