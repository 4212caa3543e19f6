//! Who may write to an account, and the limits of pairing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::message::{ChannelId, IdError, SenderId};

/// What an account does with direct messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DmPolicy {
    /// Strangers get a code; listed and approved senders are in.
    #[default]
    Pairing,
    /// Only senders that the configuration lists are in; approvals do not count.
    Allowlist,
    /// Everyone who is not blocked, if the configuration lists `*`; else only listed and approved senders.
    Open,
    /// Nobody.
    Disabled,
}

impl DmPolicy {
    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "pairing",
            Self::Allowlist => "allowlist",
            Self::Open => "open",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for DmPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// INVARIANT I7: a policy that is empty, null or unknown is an error, never a guess.
impl FromStr for DmPolicy {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Self, PolicyError> {
        [Self::Pairing, Self::Allowlist, Self::Open, Self::Disabled]
            .into_iter()
            .find(|policy| policy.as_str() == word)
            .ok_or_else(|| PolicyError::UnknownWord(crate::message::escape(word)))
    }
}

/// The policy of one account, checked: the gate decides by it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountPolicy {
    dm: DmPolicy,
    allow_from: Vec<SenderId>,
    everyone: bool,
    limits: Limits,
}

impl AccountPolicy {
    /// A policy from the words of a configuration. `allow_from` may hold `*` with `open` only.
    ///
    /// # Errors
    /// [`PolicyError`] if `*` stands beside another policy, an entry is no id of `channel`, or a limit is out of range.
    pub fn new<'a>(
        channel: &ChannelId,
        dm: DmPolicy,
        allow_from: impl IntoIterator<Item = &'a str>,
        limits: Limits,
    ) -> Result<Self, PolicyError> {
        let mut policy = Self { dm, limits: limits.checked()?, ..Self::default() };
        for entry in allow_from {
            if entry.trim() == "*" {
                policy.everyone = true;
            } else {
                policy.allow_from.push(SenderId::parse_entry(channel, entry)?);
            }
        }
        if policy.everyone && !matches!(dm, DmPolicy::Open | DmPolicy::Disabled) {
            return Err(PolicyError::StarNeedsOpen(dm));
        }
        Ok(policy)
    }

    /// The policy with nobody listed.
    ///
    /// # Errors
    /// [`PolicyError::Limit`] if a limit is out of range.
    pub fn with_limits(dm: DmPolicy, limits: Limits) -> Result<Self, PolicyError> {
        Ok(Self { dm, limits: limits.checked()?, ..Self::default() })
    }

    /// What the account does with direct messages.
    #[must_use]
    pub fn dm(&self) -> DmPolicy {
        self.dm
    }

    /// The senders that the configuration lists.
    #[must_use]
    pub fn allow_from(&self) -> &[SenderId] {
        &self.allow_from
    }

    /// Whether the configuration lists `*`.
    #[must_use]
    pub fn everyone(&self) -> bool {
        self.everyone
    }

    /// The limits of pairing.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// With nobody listed, and the default limits.
impl From<DmPolicy> for AccountPolicy {
    fn from(dm: DmPolicy) -> Self {
        Self { dm, ..Self::default() }
    }
}

/// The limits of pairing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Live requests at a time: 1 to 100.
    pub pending_max: usize,
    /// What `pending_max` counts.
    pub pending_scope: PendingScope,
    /// How long a code works: one minute to one hour.
    pub code_ttl: Duration,
    /// How old a stranger's message may be to get a code.
    pub max_backlog: Duration,
    /// How fresh the state must be that a decision rests on.
    pub freshness: Freshness,
}

/// What the cap of pending requests counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingScope {
    /// All requests of the channel.
    Channel,
    /// The requests of one account.
    Account,
}

/// How fresh the state must be that a decision rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// As it is when the message is decided.
    Exact,
    /// As it was at most this long before. Where the store can't tell its revision, as a file store whose directory can't
    /// be watched, this is as [`Freshness::Exact`]: the files are looked at for every message.
    Bounded(Duration),
}

/// The hour between two codes of one sender: not configurable.
pub const HOUR: Duration = Duration::from_secs(3_600);

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_max: 3,
            pending_scope: PendingScope::Channel,
            code_ttl: HOUR,
            max_backlog: Duration::from_secs(300),
            freshness: Freshness::Exact,
        }
    }
}

impl Limits {
    /// The limits, if each is in its range.
    ///
    /// # Errors
    /// [`PolicyError::Limit`] names the first that is not.
    pub fn checked(self) -> Result<Self, PolicyError> {
        if !(1..=100).contains(&self.pending_max) {
            return Err(PolicyError::Limit("pending_max", "1 to 100"));
        }
        if !(Duration::from_secs(60)..=HOUR).contains(&self.code_ttl) {
            return Err(PolicyError::Limit("code_ttl", "1m to 1h"));
        }
        if self.max_backlog > Duration::from_secs(30 * 86_400) {
            return Err(PolicyError::Limit("max_backlog", "0s to 30d"));
        }
        match self.freshness {
            Freshness::Bounded(bound) if bound > Duration::from_secs(60) => {
                Err(PolicyError::Limit("freshness", "`exact`, or a bound of at most 60s"))
            }
            _ => Ok(self),
        }
    }
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not one of the four words.
    #[error("`{0}` is not a policy; choose `pairing`, `allowlist`, `open` or `disabled`")]
    UnknownWord(String),
    /// `*` beside a policy that it would turn into another.
    #[error(
        "`*` in allow_from counts only with dm_policy `open`, not with `{0}`; say `open` if everyone may write"
    )]
    StarNeedsOpen(DmPolicy),
    /// An entry that is no id.
    #[error("allow_from: {0}")]
    Entry(#[from] IdError),
    /// A limit out of its range.
    #[error("{0} is out of range: {1}")]
    Limit(&'static str, &'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_unknown_policy_words_are_errors() {
        for word in ["", " ", "Pairing", "pairing ", "null", "allow", "*", "closed"] {
            assert!(word.parse::<DmPolicy>().is_err(), "{word:?}");
        }
        for dm in [DmPolicy::Pairing, DmPolicy::Allowlist, DmPolicy::Open, DmPolicy::Disabled] {
            assert_eq!(dm.to_string().parse(), Ok(dm));
        }
    }

    #[test]
    fn star_counts_only_with_open() {
        let channel = ChannelId::parse("telegram").unwrap();
        let make = |dm| AccountPolicy::new(&channel, dm, ["*", "1"], Limits::default());
        assert!(make(DmPolicy::Open).unwrap().everyone());
        assert_eq!(make(DmPolicy::Pairing), Err(PolicyError::StarNeedsOpen(DmPolicy::Pairing)));
        assert_eq!(make(DmPolicy::Allowlist), Err(PolicyError::StarNeedsOpen(DmPolicy::Allowlist)));
    }

    #[test]
    fn limits_have_ranges() {
        let limits = Limits::default();
        assert!(Limits { pending_max: 0, ..limits }.checked().is_err());
        assert!(Limits { pending_max: 101, ..limits }.checked().is_err());
        assert!(Limits { code_ttl: HOUR + Duration::from_secs(1), ..limits }.checked().is_err());
        assert!(Limits { code_ttl: Duration::ZERO, ..limits }.checked().is_err());
        assert!(limits.checked().is_ok());
        let second = Duration::from_secs(1);
        let backlog = |max_backlog| Limits { max_backlog, ..limits }.checked().is_ok();
        assert!(backlog(86_400 * 30 * second) && !backlog((86_400 * 30 + 1) * second));
        let bound = |bound| Limits { freshness: Freshness::Bounded(bound), ..limits }.checked().is_ok();
        assert!(bound(60 * second) && !bound(61 * second));
    }

    #[test]
    fn a_policy_in_short_lists_nobody() {
        let policy = AccountPolicy::from(DmPolicy::Allowlist);
        assert_eq!((policy.dm(), policy.allow_from().len()), (DmPolicy::Allowlist, 0));
        let limits = Limits { pending_max: 7, ..Limits::default() };
        let policy = AccountPolicy::with_limits(DmPolicy::Open, limits).unwrap();
        assert_eq!((policy.dm(), *policy.limits()), (DmPolicy::Open, limits));
        assert!(AccountPolicy::with_limits(DmPolicy::Open, Limits { pending_max: 0, ..limits }).is_err());
    }
}
