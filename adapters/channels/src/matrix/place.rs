//! What outlives a restart.

use serde::{Deserialize, Serialize};

/// How many invites wait at most; of more the oldest is forgotten.
pub(super) const INVITES: usize = 100;

/// How many events after the last place are kept at most.
pub(super) const TAKEN: usize = 2_000;

/// Where we stand.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// Whose place it is: another account begins anew.
    pub(super) user: String,
    /// The place in the homeserver's stream up to which everything was taken.
    pub(super) next_batch: Option<String>,
    /// Events after it that were taken as well.
    pub(super) taken: Vec<String>,
    /// Invites that we have not answered yet: the homeserver tells of each once.
    pub(super) invites: Vec<Invite>,
}

/// A direct chat to which somebody invites us.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Invite {
    pub(super) room: String,
    pub(super) inviter: String,
    /// How often we tried to join and could not.
    #[serde(default)]
    pub(super) tries: u32,
}

impl Place {
    /// Everything up to `next` was taken.
    pub(super) fn moved(&mut self, next: String) {
        self.next_batch = Some(next);
        self.taken.clear();
    }

    /// Notes an invite; a second one to the same room counts in place of the first. `false` if one had to be forgotten.
    pub(super) fn invited(&mut self, invite: Invite) -> bool {
        self.uninvited(&invite.room);
        self.invites.push(invite);
        let surplus = self.invites.len().saturating_sub(INVITES);
        self.invites.drain(..surplus);
        surplus == 0
    }

    /// An invite is answered, or was withdrawn.
    pub(super) fn uninvited(&mut self, room: &str) {
        self.invites.retain(|invite| invite.room != room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_never_grows() {
        let mut place = Place::default();
        for number in 0..INVITES + 5 {
            let invite = Invite { room: format!("!{number}"), inviter: "@a:x".to_owned(), tries: 0 };
            assert_eq!(place.invited(invite.clone()), number < INVITES);
            place.invited(invite);
        }
        assert_eq!((place.invites.len(), place.invites[0].room.as_str()), (INVITES, "!5"));
        place.uninvited("!5");
        assert_eq!((place.invites.len(), place.invites[0].room.as_str()), (INVITES - 1, "!6"));
    }
}
