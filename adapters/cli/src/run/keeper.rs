//! What adapters keep over restarts, in files of the state directory: `channels/<channel>-<account>.json`, and what came of
//! the last login in `logins/<channel>-<account>.json`.

use std::io;
use std::path::Path;

use async_trait::async_trait;
use dmgate::AccountKey;
use dmgate::store::SideFile;
use dmgate_channels::kept::{KEPT_LIMIT, Keeper};

/// One account's file.
#[derive(Debug)]
pub(super) struct FileKeeper(SideFile);

impl FileKeeper {
    /// The file of this account. Two accounts whose files would be one are refused with the configuration.
    pub(super) fn new(state_dir: &Path, account: &AccountKey) -> Self {
        Self::within(state_dir, "channels", account)
    }

    /// The file of this account's login.
    pub(super) fn of_login(state_dir: &Path, account: &AccountKey) -> Self {
        Self::within(state_dir, "logins", account)
    }

    fn within(state_dir: &Path, folder: &str, account: &AccountKey) -> Self {
        let name = format!("{}-{}.json", account.channel(), account.account());
        Self(SideFile::new(state_dir, folder, name, KEPT_LIMIT))
    }
}

#[async_trait]
impl Keeper for FileKeeper {
    async fn load(&self) -> Result<Option<String>, String> {
        let file = self.0.clone();
        let read = tokio::task::spawn_blocking(move || file.read()).await;
        match read.map_err(|error| error.to_string())? {
            // What is no text, or too long, is no document: it is damaged, and reading it again won't help.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
            read => read.map_err(|error| error.to_string()),
        }
    }

    async fn save(&self, document: &str) -> Result<(), String> {
        let (file, document) = (self.0.clone(), document.to_owned());
        // Once begun it is finished, also when nobody waits for it any more.
        let replaced = tokio::task::spawn_blocking(move || file.replace(&document)).await;
        replaced.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_is_there_in_the_next_run_and_each_account_has_its_own() {
        let state = tempfile::tempdir().unwrap();
        let keeper =
            |account: &str| FileKeeper::new(state.path(), &AccountKey::parse("matrix", account).unwrap());
        assert_eq!(keeper("work").load().await, Ok(None));
        keeper("work").save("{}").await.unwrap();
        assert_eq!(keeper("work").load().await, Ok(Some("{}".to_owned())));
        assert_eq!(keeper("default").load().await, Ok(None));
        assert!(state.path().join("channels/matrix-work.json").is_file());
        let path = state.path().join("channels/matrix-work.json");
        #[allow(clippy::disallowed_methods, reason = "a disk that fails")]
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(keeper("work").load().await, Ok(Some(String::new())), "damaged");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(keeper("work").load().await.is_err(), "not read");
        let login = FileKeeper::of_login(state.path(), &AccountKey::parse("matrix", "work").unwrap());
        assert_eq!(login.load().await, Ok(None));
    }
}
