//! A file system of our own to be durable on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A fresh ext4 with a journal, as most machines have, in a file beside what is built; where that can't be mounted, the
/// folder of what is built.
pub(crate) struct Disk {
    folder: tempfile::TempDir,
    mounted: Option<PathBuf>,
}

const SIZE: u64 = 400 << 20;

impl Disk {
    pub(crate) fn new() -> Self {
        // Not where temporary files are: that may be memory.
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(place).unwrap();
        let folder = tempfile::tempdir_in(place).unwrap();
        let (file, at) = (folder.path().join("file"), folder.path().join("disk"));
        File::create_new(&file).unwrap().set_len(SIZE).unwrap();
        std::fs::create_dir(&at).unwrap();
        let is_mounted = succeeds(Command::new("mkfs.ext4").args(["-q", "-O", "has_journal"]).arg(&file))
            && succeeds(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(&at));
        Self { folder, mounted: is_mounted.then_some(at) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.mounted.as_deref().unwrap_or(self.folder.path())
    }

    /// What kind it is.
    pub(crate) fn name(&self) -> String {
        match rustix::fs::statfs(self.path()).unwrap().f_type {
            _ if self.mounted.is_some() => "ext4".to_owned(),
            0xef53 => "the ext4 of target/".to_owned(),
            0x5846_5342 => "xfs".to_owned(),
            0x9123_683e => "btrfs".to_owned(),
            0x0102_1994 => "TMPFS, WHICH IS NO DISK".to_owned(),
            other => format!("{other:#x}"),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(at) = &self.mounted {
            assert!(succeeds(Command::new("umount").arg(at)), "{} is still mounted", at.display());
        }
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
