//! Files that came with messages: they lie in a folder of the Mac's, which may be this one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dmgate::{AttachmentFile, FetchError};
use tokio::io::AsyncWriteExt;

/// How much is read at a time.
const PIECE: usize = 64 * 1024;

/// Reads a file below `folder`, whatever its name and whatever it is a link to.
pub(super) async fn read(
    folder: &Path,
    path: &str,
    limit: u64,
    file: &mut AttachmentFile,
) -> Result<u64, FetchError> {
    let failed = |reason: &str| FetchError::Failed(reason.to_owned());
    let (folder, path) = (folder.to_owned(), PathBuf::from(path));
    let mut source = blocking(move || open(&folder, &path)).await?.map_err(|reason| failed(&reason))?;
    let mut written = 0_u64;
    loop {
        let (back, piece) = blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            let read = Read::by_ref(&mut source).take(PIECE as u64).read_to_end(&mut piece);
            (source, read.map(|_| piece))
        })
        .await?;
        source = back;
        let piece = piece.map_err(|error| failed(&format!("it can't be read: {error}")))?;
        let unwritten = |error: std::io::Error| failed(&format!("what came can't be written: {error}"));
        if piece.is_empty() {
            file.flush().await.map_err(unwritten)?;
            return Ok(written);
        }
        written = written.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if written > limit {
            return Err(FetchError::TooLarge(limit));
        }
        file.write_all(&piece).await.map_err(unwritten)?;
    }
}

/// Opens a plain file that really lies below the folder.
fn open(folder: &Path, path: &Path) -> Result<File, String> {
    let real = |path: &Path| path.canonicalize().map_err(|error| format!("it is not to be found: {error}"));
    let (folder, path) = (real(folder)?, real(path)?);
    if !path.starts_with(&folder) || !path.is_file() {
        return Err("it is not in the folder of attachments".to_owned());
    }
    File::open(path).map_err(|error| format!("it can't be read: {error}"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FetchError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| FetchError::Failed("reading it broke down".to_owned()))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "Messages writes plain files")]
mod tests {
    use super::*;

    async fn got(folder: &Path, path: &Path, limit: u64) -> Result<Vec<u8>, String> {
        let mut file = Vec::new();
        let read = read(folder, path.to_str().unwrap(), limit, &mut file).await;
        read.map(|length| {
            assert_eq!(length, file.len() as u64);
            file
        })
        .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_what_lies_in_the_folder_is_read() {
        let dir = std::env::temp_dir().join(format!("dmgate-attachments-{}", std::process::id()));
        let folder = dir.join("Attachments");
        std::fs::create_dir_all(folder.join("ab")).unwrap();
        std::fs::write(folder.join("ab/a.jpg"), vec![7; 100_000]).unwrap();
        std::fs::write(dir.join("secret"), "s3cret").unwrap();
        std::os::unix::fs::symlink(dir.join("secret"), folder.join("link")).unwrap();

        assert_eq!(got(&folder, &folder.join("ab/a.jpg"), 100_000).await.unwrap(), vec![7; 100_000]);
        assert!(got(&folder, &folder.join("ab/a.jpg"), 99_999).await.unwrap_err().contains("larger"));
        for elsewhere in ["../secret", "link", "ab", "none", "ab/../../secret"] {
            let error = got(&folder, &folder.join(elsewhere), 9).await.unwrap_err();
            assert!(error.contains("not in the folder") || error.contains("not to be found"), "{error}");
        }
        assert!(got(&folder, Path::new("/etc/passwd"), 9).await.is_err());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
