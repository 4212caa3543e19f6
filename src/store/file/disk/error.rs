//! What can be wrong with a directory or a file of the state.

use std::io;
use std::path::PathBuf;

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirError {
    /// There is nothing at the path.
    #[error("directory `{}` does not exist; create it, or point the state directory somewhere else", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// The path leads to something else.
    #[error("`{}` is not a directory; move it away, or point the state directory somewhere else", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Group or others may change what is in it.
    #[error(
        "directory `{}` can be written by others (mode {mode:04o}); run `chmod go-w` on it after checking its files",
        path.display()
    )]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("directory `{}` belongs to user {uid}; run this program as that user, or change the owner", path.display())]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// The operating system refused.
    #[error("could not {doing} directory `{}`; check its permissions and the disk", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was being done, as a verb.
        doing: &'static str,
        /// The reason it gave.
        #[source]
        source: io::Error,
    },
}

/// Why a file cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The name would lead out of the directory.
    #[error("`{}` is not a plain file name; choose another id for the channel or the account", path.display())]
    Name {
        /// The directory with the name.
        path: PathBuf,
    },
    /// There is no such file, and the operation needs one.
    #[error("`{}` does not exist any more; read the directory again and repeat", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The name is a symbolic link.
    #[error("`{}` is a symbolic link; put the file itself there", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The name is a directory, a pipe, a socket or a device.
    #[error("`{}` is not a regular file; move it away", path.display())]
    NotRegular {
        /// The thing.
        path: PathBuf,
    },
    /// Group or others may change it.
    #[error("`{}` can be written by others (mode {mode:04o}); check what is in it, then `chmod 600` it", path.display())]
    WritableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs neither to us nor to the directory's owner.
    #[error("`{}` belongs to user {uid}; check what is in it, then give it to the directory's owner", path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// It is larger than anything that belongs here.
    #[error("`{}` has {size} bytes, more than the {max} that are read; find out what filled it", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The largest size that is read.
        max: u64,
    },
    /// It changed under every attempt to read it.
    #[error("`{}` kept changing while it was read; find out what writes it, and try again", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else wrote it since it was read.
    #[error("`{}` has {found} bytes instead of {expected}; read it again and repeat", path.display())]
    UnexpectedLength {
        /// The file.
        path: PathBuf,
        /// The size it had when it was read.
        expected: u64,
        /// The size it has now.
        found: u64,
    },
    /// The operating system refused.
    #[error("could not {doing} `{}`; check its permissions and the free space", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done, as a verb.
        doing: &'static str,
        /// The reason it gave.
        #[source]
        source: io::Error,
    },
}
