//! Where an answer goes: a room, and who must be in it with us.

use dmgate::ReplyRoute;

/// The longest id of a user, a room or an event, in bytes.
pub(super) const ID_BYTES: usize = 255;

/// A way to a person. Rooms get new members, so the id goes with it: what is sent is sent only while nobody else is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) room: String,
    pub(super) user: String,
}

impl Route {
    /// The way to a user in a room.
    pub(super) fn new(room: &str, user: &str) -> Option<Self> {
        let route = || Self { room: room.to_owned(), user: user.to_owned() };
        (is_room(room) && is_user(user)).then(route)
    }

    pub(super) fn parse(route: &ReplyRoute) -> Option<Self> {
        let (room, user) = route.as_str().split_once(' ')?;
        Self::new(room, user)
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        ReplyRoute::new(format!("{} {}", self.room, self.user))
    }
}

/// Whether a text is the id of a room; since version 12 it names no server.
pub(super) fn is_room(text: &str) -> bool {
    text.starts_with('!') && is_id(text)
}

/// Whether a text is the id of a user: `@name:server`.
pub(super) fn is_user(text: &str) -> bool {
    let parts = text.strip_prefix('@').and_then(|text| text.split_once(':'));
    parts.is_some_and(|(name, server)| !name.is_empty() && !server.is_empty()) && is_id(text)
}

fn is_id(text: &str) -> bool {
    let is_plain = |letter: char| !letter.is_control() && !letter.is_whitespace();
    (2..=ID_BYTES).contains(&text.len()) && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_a_room_and_who_is_in_it() {
        for room in ["!abc:example.org", "!_GPzIAvu9LFfiF8D-C2P9J40IvZwje5XZksgWJ-vQ1s"] {
            let route = Route::new(room, "@Ann:example.org:8448").unwrap();
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
    }

    #[test]
    fn i16_what_is_not_a_room_and_a_person_is_no_route() {
        let long = format!("!{} @ann:x.org", "a".repeat(255));
        for bad in [
            "",
            "!a:x",
            "@ann:x",
            "!a:x ",
            "!a:x @ann",
            "!a:x @:x",
            "!a:x @ann:",
            "#a:x @ann:x",
            "!a:x @ann:x @bob:x",
            "! @ann:x",
            "!a\n @ann:x",
            "!a:x  @ann:x",
            &long,
        ] {
            assert_eq!(Route::parse(&ReplyRoute::new(bad)), None, "{bad:?}");
        }
    }
}
