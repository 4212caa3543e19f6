//! Our accounts on the platforms.

use std::fmt;
use std::sync::Arc;

use super::id::{ChannelId, IdError, escape};
use crate::channel::Known;

/// One of our accounts on a platform, as `default`: `[a-z0-9._@-]`, 1 to 64 bytes, lower-cased.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

/// An account of a channel: the scope of every allowlist, block, hour and verdict.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey {
    channel: ChannelId,
    account: AccountId,
}

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
    /// would be `nextcloud-talk`'s default account; and channel `telegram-work` would be account `work` of `telegram`.
    // INVARIANT I8: ids that would share a file name are refused, never merged.
    pub fn new(channel: ChannelId, account: AccountId) -> Result<Self, IdError> {
        let stem = format!("{channel}-{account}");
        let is_known = Known::of(&channel).is_some();
        let is_below = |name: &str, known: &Known| {
            name.strip_prefix(known.name).is_some_and(|rest| rest.starts_with('-'))
        };
        for known in Known::all() {
            let is_longer = known.name.len() > channel.as_str().len();
            // `telegram-work` would be account `work` of `telegram`, as far as files can tell.
            let is_an_account = !is_known && is_below(channel.as_str(), known);
            if stem == known.name || (is_longer && is_below(&stem, known)) || is_an_account {
                return Err(IdError::Collision {
                    channel: channel.to_string(),
                    account: account.to_string(),
                    other: known.name.to_owned(),
                });
            }
        }
        Ok(Self { channel, account })
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
        Self { channel, account: AccountId::default_account() }
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
        assert!(matches!(AccountKey::parse("telegram-work", "default"), Err(IdError::Collision { .. })));
        assert!(matches!(AccountKey::parse("signal-cli", "home"), Err(IdError::Collision { .. })));
        assert!(AccountKey::parse("telegrams-work", "default").is_ok());
        assert!(AccountKey::parse("nextcloud", "talker").is_ok());
        assert!(AccountKey::parse("nextcloud-talk", "talk").is_ok());
        assert!(AccountKey::parse("telegram", "nextcloud-talk").is_ok());
    }
}
