//! What a path rests on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// How a path leads to a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The directory's own path, without a link in it.
    pub(super) real: PathBuf,
    /// The names that it rests on, each with the directory that holds it: every link that it leads over, and its own.
    pub(super) names: Vec<(PathBuf, OsString)>,
}

impl Way {
    /// The way that `path` leads now.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let (mut real, mut names) = (PathBuf::from("/"), Vec::new());
        let mut left: Vec<OsString> =
            path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
        while let Some(part) = left.pop() {
            if part == "/" {
                real = part.into();
            } else if part == ".." {
                real.pop();
            } else if part != "." {
                match std::fs::read_link(real.join(&part)) {
                    // The kernel follows 40 at most.
                    Ok(target) if names.len() < 40 => {
                        left.extend(target.components().rev().map(|part| part.as_os_str().to_owned()));
                        names.push((real.clone(), part));
                    }
                    Ok(_) => return Err(Errno::LOOP.into()),
                    // Not a link.
                    Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => real.push(part),
                    Err(error) => return Err(error),
                }
            }
        }
        names.extend(real.parent().zip(real.file_name()).map(|(above, name)| (above.into(), name.into())));
        Ok(Self { real, names })
    }
}
