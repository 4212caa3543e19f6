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
    /// Those of them who got a code as their first text of the day.
    pub(super) strangers: Recipients,
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

/// So many of them get a code: however many strangers write, the others are for people who are in.
const STRANGERS: usize = 20;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Place {
    /// Whether a user may be written to, and then notes them; else how long to wait.
    pub(super) fn add(&mut self, user: u64, is_stranger: bool, now: Timestamp) -> Result<(), Duration> {
        if self.recipients.has(user, now) {
            return Ok(());
        }
        self.recipients.has_room(RECIPIENTS, now)?;
        if is_stranger {
            self.strangers.has_room(STRANGERS, now)?;
            self.strangers.0.push((user, now.as_millis()));
        }
        self.recipients.0.push((user, now.as_millis()));
        Ok(())
    }
}

impl Recipients {
    fn has(&self, user: u64, now: Timestamp) -> bool {
        self.0.iter().any(|(known, since)| *known == user && age(*since, now) < DAY)
    }

    /// Whether one more may be written to; else how long to wait.
    fn has_room(&mut self, limit: usize, now: Timestamp) -> Result<(), Duration> {
        self.0.retain(|(_, since)| age(*since, now) < DAY);
        match self.0.iter().map(|(_, since)| age(*since, now)).max() {
            Some(oldest) if self.0.len() >= limit => Err(DAY.saturating_sub(oldest)),
            _ => Ok(()),
        }
    }
}

fn age(since: i64, now: Timestamp) -> Duration {
    Timestamp::from_millis(since).age_at(now)
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
        let mut place = Place::default();
        for user in 0..40 {
            assert_eq!(place.add(user, false, now(i64::try_from(user / 10).unwrap())), Ok(()));
        }
        assert_eq!(place.add(40, false, now(4)), Err(Duration::from_secs(20 * 3_600)));
        assert_eq!(place.add(39, false, now(4)), Ok(()), "they were written to before");
        let kept = serde_json::to_string(&place).unwrap();
        assert!(serde_json::from_str::<Place>(&kept).unwrap() == place);
        assert_eq!(place.add(40, false, now(24)), Ok(()), "the first ten are a day old");
        assert_eq!(place.add(0, false, now(24)), Ok(()));
        assert_eq!(place.recipients.0.len(), 32);
    }

    #[test]
    fn i11_strangers_leave_twenty_users_a_day_to_who_is_in() {
        let now = |hours: i64| Timestamp::from_millis(1_767_224_901_000 + hours * 3_600_000);
        let mut place = Place::default();
        let wrote = (0..1_000).filter(|user| place.add(*user, true, now(0)).is_ok()).count();
        assert_eq!(wrote, 20);
        for user in 2_000..2_020 {
            assert_eq!(place.add(user, false, now(1)), Ok(()));
        }
        assert_eq!(place.add(2_000, true, now(2)), Ok(()), "whoever was written to takes no place");
        assert_eq!(place.add(3_000, true, now(2)), Err(Duration::from_secs(22 * 3_600)));
        assert_eq!(place.add(3_000, true, now(24)), Ok(()));
        let kept = serde_json::to_string(&place).unwrap();
        assert!(serde_json::from_str::<Place>(&kept).unwrap() == place, "a restart gives nothing back");
    }
}
