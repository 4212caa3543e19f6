//! The names of the files of channels and accounts, as established programs use them.

use dashmap::DashMap;

use crate::channel::Known;
use crate::message::{AccountKey, ChannelId};
use crate::store::StoreError;

/// The pending requests of a channel, all accounts.
pub(super) fn pending(channel: &ChannelId) -> String {
    format!("{channel}{PENDING}")
}

/// Our own record of a channel.
pub(super) fn journal(channel: &ChannelId) -> String {
    format!("{channel}-dmgate.jsonl")
}

/// The lists of who is in on an account; the first is the one that is written. The default account also reads the
/// scoped file that established programs write for it.
pub(super) fn allowed(account: &AccountKey) -> Vec<String> {
    let channel = account.channel();
    if account.account().is_default() {
        vec![format!("{channel}-allowFrom.json"), format!("{channel}-default-allowFrom.json")]
    } else {
        vec![format!("{channel}-{}-allowFrom.json", account.account())]
    }
}

/// The channel of a pending file.
pub(super) fn channel_of_pending(name: &str) -> Option<ChannelId> {
    let channel = name.strip_suffix(PENDING)?;
    ChannelId::parse(channel).ok().filter(|parsed| parsed.as_str() == channel)
}

/// The channel of an allow file: the longest known name that it can begin with.
pub(super) fn channel_of_allowed(name: &str, others: &[ChannelId]) -> Option<ChannelId> {
    let stem = name.strip_suffix("-allowFrom.json")?;
    let begins = |channel: &str| {
        stem.strip_prefix(channel).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let known = Known::all().map(|known| known.name).chain(others.iter().map(ChannelId::as_str));
    let channel = known.filter(|channel| begins(channel)).max_by_key(|channel| channel.len())?;
    ChannelId::parse(channel).ok()
}

const PENDING: &str = "-pairing.json";

/// Which account uses which file, as far as this process has met them.
#[derive(Debug, Default)]
pub(super) struct Claims(DashMap<String, AccountKey>);

impl Claims {
    /// Claims the files of an account.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another account uses one of them: account `b` of channel `a` and the default account
    /// of a channel `a-b` would share one.
    // INVARIANT I8: ids that would share a file name are refused, never merged.
    pub(super) fn claim(&self, account: &AccountKey) -> Result<(), StoreError> {
        for name in allowed(account) {
            let owner = self.0.entry(name).or_insert_with(|| account.clone());
            if *owner != *account {
                return Err(StoreError::Refused(format!(
                    "account `{account}` would share the file `{}` with account `{}`; rename one of them",
                    owner.key(),
                    *owner
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_two_accounts_never_share_a_file() {
        let claims = Claims::default();
        let key = |channel: &str, account: &str| AccountKey::parse(channel, account).unwrap();
        claims.claim(&key("a", "b")).unwrap();
        claims.claim(&key("a", "b")).unwrap();
        claims.claim(&key("a", "default")).unwrap();
        let error = claims.claim(&key("a-b", "default")).unwrap_err();
        assert!(error.to_string().contains("a-b-allowFrom.json"), "{error}");
        claims.claim(&key("x-y", "z")).unwrap();
        assert!(claims.claim(&key("x", "y-z")).is_err());
    }
}
