//! Where an answer goes: a nick, and who must be behind it.

use dmgate::{ReplyRoute, SenderId};

/// A way to a person. A nick is anybody's, so the id goes with it: what is sent is sent only after the server said that
/// it is this person who has the nick now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) nick: String,
    /// `account:<name>` or `nick!user@host`, in the form of a [`SenderId`].
    pub(super) identity: String,
}

impl Route {
    /// The way to a sender who writes as `nick`.
    pub(super) fn new(nick: &str, identity: &SenderId) -> Option<Self> {
        is_nick(nick).then(|| Self { nick: nick.to_owned(), identity: identity.as_str().to_owned() })
    }

    /// The way to a sender of whom only the id is known: people like to use the name of their account as their nick.
    pub(super) fn to(identity: &SenderId) -> Option<Self> {
        let id = identity.as_str();
        let nick = id.strip_prefix("account:").or_else(|| id.split('!').next())?;
        Self::new(nick, identity)
    }

    pub(super) fn parse(route: &ReplyRoute) -> Option<Self> {
        let (nick, identity) = route.as_str().split_once(' ')?;
        let is_whole = !identity.is_empty() && !identity.contains(char::is_whitespace);
        (is_nick(nick) && is_whole).then(|| Self { nick: nick.to_owned(), identity: identity.to_owned() })
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        ReplyRoute::new(format!("{} {}", self.nick, self.identity))
    }
}

/// Whether a text can only mean one nick: no channel, no list, no mask, no second line.
pub(super) fn is_nick(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && !text.starts_with(|first: char| "#&+!~$:%-=".contains(first) || first.is_ascii_digit())
        && !text
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace() || ",*?!@.\u{fffd}".contains(letter))
}

#[cfg(test)]
mod tests {
    use dmgate::ChannelId;

    use super::*;

    #[test]
    fn a_route_is_a_nick_and_who_is_behind_it() {
        let channel = ChannelId::parse("irc").unwrap();
        for (id, nick) in [("account:alice", "alice"), ("al!~a@host", "al")] {
            let id = SenderId::parse(&channel, id).unwrap();
            let route = Route::to(&id).unwrap();
            assert_eq!((route.nick.as_str(), route.identity.as_str()), (nick, id.as_str()));
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
    }

    #[test]
    fn i16_what_is_not_one_nick_is_no_route() {
        for bad in [
            "",
            "alice",
            "alice ",
            " account:alice",
            "#chan account:a",
            "a,b account:a",
            "* account:a",
            "a!b@c x",
            "@alice x",
            "$alice x",
            "alice\r\nQUIT x",
            "alice x y",
            "alice x\r\nQUIT",
            "1a x",
            "~&#c x",
            "a\0b x",
        ] {
            assert_eq!(Route::parse(&ReplyRoute::new(bad)), None, "{bad:?}");
        }
    }
}
