//! Where an answer goes: a private channel, or a user whose private channel is still to be opened.

use dmgate::{ReplyRoute, SenderId};

/// A way to a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// The channel that a private message came from: `1457536551830421525`.
    Channel(u64),
    /// A user: `user:1033044521375764530`.
    User(u64),
}

impl Route {
    /// The way to somebody of whom only the id is known.
    pub(super) fn to(sender: &SenderId) -> Option<Self> {
        snowflake(sender.as_str()).map(Self::User)
    }

    /// A route as it comes back from a store: checked.
    pub(super) fn parse(route: &ReplyRoute) -> Option<Self> {
        match route.as_str().strip_prefix("user:") {
            Some(user) => snowflake(user).map(Self::User),
            None => snowflake(route.as_str()).map(Self::Channel),
        }
    }

    pub(super) fn to_reply(self) -> ReplyRoute {
        match self {
            Self::Channel(id) => ReplyRoute::new(id.to_string()),
            Self::User(id) => ReplyRoute::new(format!("user:{id}")),
        }
    }
}

/// An id of Discord's: a number of 64 bits, written in digits and nothing else. It becomes part of URLs.
pub(super) fn snowflake(text: &str) -> Option<u64> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_comes_back_as_it_went_and_nothing_else_is_one() {
        for route in [Route::Channel(1_457_536_551_830_421_525), Route::User(u64::MAX)] {
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
        for wrong in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1/messages",
            "user:",
            "user:x",
            "User:1",
            "18446744073709551616",
        ] {
            assert_eq!(Route::parse(&ReplyRoute::new(wrong)), None, "{wrong}");
        }
    }
}
