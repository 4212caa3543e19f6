//! What outlives a restart: what renews the user's token, who was written to today, and the subscription by web hook.

use std::time::Duration;

use dmgate::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What `run` keeps.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    pub(super) grant: Option<Renewed>,
    pub(super) recipients: Recipients,
    pub(super) subscription: Option<Subscription>,
}

/// What a login keeps, in a document of its own.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LoggedIn {
    pub(super) refresh_token: Option<String>,
}

/// A refresh token that came in the place of another; Twitch takes some only once.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Renewed {
    /// The fingerprint of the one that the owner gave: a new one of theirs counts more than what came of the old one.
    pub(super) origin: String,
    pub(super) refresh_token: String,
}

/// A subscription by web hook that Twitch has verified.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) id: String,
    /// The fingerprint of the secret that it is signed with.
    pub(super) secret: String,
}

/// The users who were written to within a day; Twitch allows 40, and shuts out for a day who wants more.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Recipients(Vec<(u64, i64)>);

/// So many users a day.
const RECIPIENTS: usize = 40;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Recipients {
    /// Whether a user may be written to, and then notes them; else how long to wait.
    pub(super) fn add(&mut self, user: u64, now: Timestamp) -> Result<(), Duration> {
        let age = |since: i64| Timestamp::from_millis(since).age_at(now);
        if self.0.iter().any(|(known, since)| *known == user && age(*since) < DAY) {
            return Ok(());
        }
        self.0.retain(|(_, since)| age(*since) < DAY);
        match self.0.iter().map(|(_, since)| age(*since)).max() {
            Some(oldest) if self.0.len() >= RECIPIENTS => Err(DAY.saturating_sub(oldest)),
            _ => {
                self.0.push((user, now.as_millis()));
                Ok(())
            }
        }
    }
}

/// What a secret is known by without being one.
pub(super) fn fingerprint(secret: &str) -> String {
    hex::encode(Sha256::digest(secret)).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_users_a_day_are_written_to_and_each_as_often_as_one_likes() {
        let now = |hours: i64| Timestamp::from_millis(1_767_224_901_000 + hours * 3_600_000);
        let mut recipients = Recipients::default();
        for user in 0..40 {
            assert_eq!(recipients.add(user, now(i64::try_from(user / 10).unwrap())), Ok(()));
        }
        assert_eq!(recipients.add(40, now(4)), Err(Duration::from_secs(20 * 3_600)));
        assert_eq!(recipients.add(39, now(4)), Ok(()), "they were written to before");
        let kept = serde_json::to_string(&recipients).unwrap();
        assert!(serde_json::from_str::<Recipients>(&kept).unwrap() == recipients);
        assert_eq!(recipients.add(40, now(24)), Ok(()), "the first ten are a day old");
        assert_eq!(recipients.add(0, now(24)), Ok(()));
        assert_eq!(recipients.0.len(), 32);
    }
}
