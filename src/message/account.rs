//! Our accounts on the platforms.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use super::id::{ChannelId, IdError, escape};
use crate::channel::Known;

/// One of our accounts on a platform, as `default`: `[a-z0-9._@-]`, 1 to 64 bytes, lower-cased.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(SmolStr);

/// An account of a channel: the scope of every allowlist, block, hour and verdict.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountKey {
    channel: ChannelId,
    account: AccountId,
    /// Of both, made once: the account is looked up on every message.
    hash: u64,
}

/// Seeded once per process.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

// === impl AccountId ===

impl AccountId {
    /// The account that is meant when none is named.
    #[must_use]
    pub fn default_account() -> Self {
        Self("default".into())
    }

    /// Parses an account id; blanks around it and upper case are forgiven.
    ///
    /// # Errors
    /// [`IdError::Account`]: path-like ids (`../x`, `a/b`, `a:b`) among others, since they become file names.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let name = text.trim().to_ascii_lowercase();
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@-".contains(&byte));
        // `..` and a lone `_` are what the established system turns other names into (see `store/file/names.rs`).
        if plain && !name.is_empty() && name.len() <= 64 && !name.contains("..") && name != "_" && name != "."
        {
            Ok(Self(name.into()))
        } else {
            Err(IdError::Account(escape(text)))
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the default account.
    #[must_use]
    pub fn is_default(&self) -> bool {
        &*self.0 == "default"
    }
}

// === impl AccountKey ===

impl AccountKey {
    /// An account of a channel.
    ///
    /// # Errors
    /// [`IdError::Collision`] if its file would be another known channel's: account `talk` of a channel `nextcloud`
    /// would be `nextcloud-talk`'s default account. Other channels have no `-` in their names.
    // INVARIANT I8: ids that would share a file name are refused, never merged.
    pub fn new(channel: ChannelId, account: AccountId) -> Result<Self, IdError> {
        let stem = format!("{channel}-{account}");
        let is_below = |name: &str, known: &Known| {
            name.strip_prefix(known.name).is_some_and(|rest| rest.starts_with('-'))
        };
        for known in Known::all() {
            let is_longer = known.name.len() > channel.as_str().len();
            if stem == known.name || (is_longer && is_below(&stem, known)) {
                return Err(IdError::Collision {
                    channel: channel.to_string(),
                    account: account.to_string(),
                    other: known.name.to_owned(),
                });
            }
        }
        Ok(Self::hashed(channel, account))
    }

    fn hashed(channel: ChannelId, account: AccountId) -> Self {
        let hash = HASHER.hash_one((&channel, &account));
        Self { channel, account, hash }
    }

    /// Parses both names.
    ///
    /// # Errors
    /// As [`ChannelId::parse`], [`AccountId::parse`] and [`AccountKey::new`].
    pub fn parse(channel: &str, account: &str) -> Result<Self, IdError> {
        Self::new(ChannelId::parse(channel)?, AccountId::parse(account)?)
    }

    /// The default account of a channel.
    #[must_use]
    pub fn default_of(channel: ChannelId) -> Self {
        Self::hashed(channel, AccountId::default_account())
    }

    /// Of the whole key; the same within a process only.
    pub(crate) fn hash_value(&self) -> u64 {
        self.hash
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }
}

impl Hash for AccountKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.channel, self.account)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_names_that_share_a_file_are_refused() {
        for bad in
            ["../x", "a/b", "a:b", "a\\b", "", " ", "..", "_", ".", "a\u{0}b", "ü", "a b", &"x".repeat(65)]
        {
            assert!(AccountId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(AccountId::parse(" Work.1@x ").unwrap().as_str(), "work.1@x");
        assert!(matches!(AccountKey::parse("nextcloud", "talk"), Err(IdError::Collision { .. })));
        assert!(matches!(AccountKey::parse("nextcloud", "talk-work"), Err(IdError::Collision { .. })));
        for other in ["telegram-work", "signal-cli", "one-two"] {
            assert!(matches!(AccountKey::parse(other, "default"), Err(IdError::Channel(_))), "{other}");
        }
        assert!(AccountKey::parse("nextcloud", "talker").is_ok());
        assert!(AccountKey::parse("nextcloud-talk", "talk").is_ok());
        assert_eq!(
            AccountKey::parse("telegram", "nextcloud-talk").unwrap().to_string(),
            "telegram:nextcloud-talk"
        );
    }

    /// No two pairs of names that can be built have one `<channel>-<account>`, nor is one a channel's own name.
    #[test]
    fn i8_two_accounts_never_share_a_file() {
        let words = ["nextcloud", "talk", "openclaw", "weixin", "one", "two", "synology", "chat", "default"];
        let mut names: Vec<String> = words.iter().map(ToString::to_string).collect();
        names.extend(words.iter().flat_map(|a| words.iter().map(move |b| format!("{a}-{b}"))));
        names.extend(words.iter().flat_map(|a| words.iter().map(move |b| format!("{a}-{b}-talk"))));
        let mut seen = std::collections::HashMap::new();
        for channel in &names {
            for account in &names {
                let Ok(key) = AccountKey::parse(channel, account) else { continue };
                let stem =
                    if key.account().is_default() { channel.clone() } else { format!("{channel}-{account}") };
                let scoped = format!("{channel}-{account}");
                for stem in [stem, scoped] {
                    let owner = seen.entry(stem.clone()).or_insert_with(|| key.clone());
                    assert_eq!(*owner, key, "{stem}");
                }
            }
        }
    }
}
