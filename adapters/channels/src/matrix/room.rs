//! Rooms: which are direct chats, and who is in them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::api::DirectRooms;
use super::place::Invite;

/// How many rooms are remembered with their members.
const REMEMBERED: usize = 1_000;

/// What we know of rooms in this run.
#[derive(Default)]
pub(super) struct Rooms(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// With whom a room is a direct chat, as our account data says.
    direct: HashMap<String, String>,
    /// The same of rooms that we are about to join.
    joining: HashMap<String, String>,
    members: HashMap<String, Arc<Members>>,
    order: VecDeque<String>,
    /// Rooms of which the operator was told that they are encrypted.
    told: VecDeque<String>,
}

/// Who is in a room, as the homeserver says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Members {
    joined: Vec<String>,
    /// Who is invited can come in at any time, and then read what was said before; who left, or was banned, goes on to
    /// read with some homeservers (Synapse shows former members the later history of a `shared` room).
    others: usize,
    names: HashMap<String, String>,
    pub(super) is_encrypted: bool,
}

impl Rooms {
    /// What our account data says of direct chats.
    pub(super) fn set_direct(&self, rooms: &DirectRooms) {
        let pairs =
            rooms.iter().flat_map(|(user, rooms)| rooms.iter().map(|room| (room.clone(), user.clone())));
        self.known().direct = pairs.collect();
    }

    /// A room that we are about to join counts as our account data will say.
    pub(super) fn joining(&self, invite: &Invite) {
        self.known().joining.insert(invite.room.clone(), invite.inviter.clone());
    }

    /// The room is joined, or not.
    pub(super) fn joined(&self, room: &str) {
        self.known().joining.remove(room);
    }

    /// With whom a room is a direct chat, if it is one.
    pub(super) fn direct_user(&self, room: &str) -> Option<String> {
        let known = self.known();
        known.direct.get(room).or_else(|| known.joining.get(room)).cloned()
    }

    /// A direct chat with a user.
    pub(super) fn direct_with(&self, user: &str) -> Option<String> {
        let known = self.known();
        // The same one each time.
        known.direct.iter().filter(|(_, known)| *known == user).map(|(room, _)| room).min().cloned()
    }

    pub(super) fn members(&self, room: &str) -> Option<Arc<Members>> {
        self.known().members.get(room).cloned()
    }

    /// Remembers who is in a room, until it changes.
    pub(super) fn remember(&self, room: &str, members: Members) -> Arc<Members> {
        let members = Arc::new(members);
        let mut known = self.known();
        if known.members.insert(room.to_owned(), Arc::clone(&members)).is_none() {
            known.order.push_back(room.to_owned());
        }
        if known.order.len() > REMEMBERED
            && let Some(oldest) = known.order.pop_front()
        {
            known.members.remove(&oldest);
        }
        members
    }

    /// Who is in a room may have changed.
    pub(super) fn forget(&self, room: &str) {
        let mut known = self.known();
        if known.members.remove(room).is_some() {
            known.order.retain(|remembered| remembered != room);
        }
    }

    /// Forgets who is in any room: while we were away everything may have changed.
    pub(super) fn forget_all(&self) {
        let mut known = self.known();
        known.members.clear();
        known.order.clear();
    }

    /// Whether the operator was not told yet that a room is encrypted.
    pub(super) fn is_news(&self, room: &str) -> bool {
        let mut known = self.known();
        let is_news = !known.told.iter().any(|told| told == room);
        if is_news {
            known.told.push_back(room.to_owned());
            let surplus = known.told.len().saturating_sub(REMEMBERED);
            known.told.drain(..surplus);
        }
        is_news
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    /// Who is in a room by what holds in it.
    pub(super) fn of(state: &[Value]) -> Self {
        let mut members = Self::default();
        for event in state {
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
            match (text("/type"), text("/state_key"), text("/content/membership")) {
                (Some("m.room.member"), Some(user), Some("join")) => {
                    members.joined.push(user.to_owned());
                    if let Some(name) = text("/content/displayname") {
                        members.names.insert(user.to_owned(), name.to_owned());
                    }
                }
                (Some("m.room.member"), _, Some("invite" | "leave" | "ban")) => members.others += 1,
                (Some("m.room.encryption"), Some(""), _) => members.is_encrypted = true,
                _ => {}
            }
        }
        members
    }

    /// Whether a user and we are in a room, and nobody else is, was or is invited.
    // INVARIANT I16: a third who is there, may come in or was there once makes a direct chat a group.
    pub(super) fn is_between(&self, own: &str, user: &str) -> bool {
        let is_in = |user: &str| self.joined.iter().any(|joined| joined == user);
        self.joined.len() == 2 && self.others == 0 && own != user && is_in(own) && is_in(user)
    }

    /// Whether a room has, had or may get more than two members.
    pub(super) fn are_many(&self) -> bool {
        self.joined.len() + self.others > 2
    }

    /// The name that somebody chose for this room.
    pub(super) fn name(&self, user: &str) -> Option<&str> {
        self.names.get(user).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(user: &str, membership: &str) -> Value {
        json!({ "type": "m.room.member", "state_key": user, "content": { "membership": membership } })
    }

    fn is_between(members: &[Value]) -> bool {
        Members::of(members).is_between("@bot:x", "@ann:x")
    }

    #[test]
    fn i16_two_are_alone_only_where_nobody_else_is_may_come_or_was() {
        let two = [member("@bot:x", "join"), member("@ann:x", "join")];
        assert!(is_between(&two));
        assert!(is_between(&[&two[..], &[member("@bob:x", "knock")]].concat()), "they read nothing yet");
        for here in ["join", "invite", "leave", "ban"] {
            assert!(!is_between(&[&two[..], &[member("@bob:x", here)]].concat()), "{here}");
        }
        assert!(!is_between(&two[..1]), "they left");
        assert!(!is_between(&two[1..]), "we left");
        assert!(!is_between(&[member("@bot:x", "join"), member("@ANN:x", "join")]), "somebody else");
        assert!(!is_between(&[member("@bot:x", "join"), member("@ann:x", "invite")]));
        assert!(!Members::of(&two).is_between("@bot:x", "@bot:x"));
    }

    #[test]
    fn what_is_remembered_never_grows_and_is_forgotten_when_it_changes() {
        let rooms = Rooms::default();
        for number in 0..REMEMBERED + 5 {
            rooms.remember(&number.to_string(), Members::default());
            assert!(rooms.is_news(&number.to_string()));
        }
        assert!(!rooms.is_news("7") && rooms.is_news("0"));
        assert!(rooms.members("4").is_none() && rooms.members("5").is_some());
        rooms.forget("5");
        assert!(rooms.members("5").is_none());
        assert_eq!(rooms.known().order.len(), REMEMBERED - 1);
        rooms.forget_all();
        assert!(rooms.members("6").is_none() && rooms.known().order.is_empty());
    }
}
