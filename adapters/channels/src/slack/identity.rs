//! Who we are on Slack, and so who is at home where we are.

use dmgate::{ChannelId, IdError, SenderId};
use serde::Deserialize;

/// The bot behind a token, as `auth.test` tells.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Identity {
    /// The workspace; of an app that a whole organisation installed, the organisation.
    #[serde(rename = "team_id")]
    pub(super) team: String,
    /// The organisation that the workspace belongs to, if any.
    #[serde(rename = "enterprise_id")]
    pub(super) enterprise: Option<String>,
    /// The bot as a user: `U…`.
    #[serde(rename = "user_id")]
    pub(super) user: String,
    /// The bot as a bot: `B…`.
    #[serde(rename = "bot_id")]
    pub(super) bot: Option<String>,
}

impl Identity {
    /// Whether user ids of this team mean the same as ours: it is our workspace, or our organisation, in all of whose
    /// workspaces an id is one person's.
    pub(super) fn is_home(&self, team: &str) -> bool {
        team == self.team || self.enterprise.as_deref() == Some(team)
    }

    /// The id of a user whose home is `team`.
    // INVARIANT I15: an id of another workspace can't be taken for the same id in ours.
    pub(super) fn sender(&self, channel: &ChannelId, team: &str, user: &str) -> Result<SenderId, IdError> {
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.is_home(team) && is_plain(user) {
            return SenderId::parse(channel, user);
        }
        SenderId::parse(channel, &format!("{team}:{user}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_who_is_at_home_elsewhere_has_the_team_before_the_id() {
        let identity = Identity {
            team: "T1".to_owned(),
            enterprise: Some("E1".to_owned()),
            user: "UBOT".to_owned(),
            bot: None,
        };
        let channel = ChannelId::parse("slack").unwrap();
        let sender = |team, user| identity.sender(&channel, team, user).ok().map(|id| id.as_str().to_owned());
        assert_eq!(sender("T1", "U42").as_deref(), Some("U42"));
        assert_eq!(sender("E1", "W42").as_deref(), Some("W42"));
        assert_eq!(sender("T2", "U42").as_deref(), Some("T2:U42"));
        assert_eq!(sender("E2", "U42").as_deref(), Some("E2:U42"));
        for (team, user) in
            [("T1", ""), ("T1", "B42"), ("T1", "T2:U42"), ("", "U42"), ("X1", "U42"), ("T2:T1", "U42")]
        {
            assert_eq!(sender(team, user), None, "{team} {user}");
        }
    }
}
