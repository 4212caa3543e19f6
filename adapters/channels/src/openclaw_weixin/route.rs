//! Where an answer goes: to a person, with the token that came with what they wrote.

use dmgate::ReplyRoute;

use super::update::is_person;

/// The longest `context_token` that is kept: it fits into what the store keeps of a route.
const TOKEN_LIMIT: usize = 1_500;

/// The way to a person.
pub(super) struct Route<'a> {
    pub(super) person: &'a str,
    /// What the server wants to see beside an answer. It may be out of date: what came since has another.
    pub(super) token: Option<&'a str>,
}

impl<'a> Route<'a> {
    /// A route that came back. Groups and bots have other ids: nothing is ever sent there.
    pub(super) fn parse(route: &'a ReplyRoute) -> Option<Self> {
        let (person, token) = match route.as_str().split_once(' ') {
            Some((person, token)) => (person, Some(token)),
            None => (route.as_str(), None),
        };
        (is_person(person) && token.is_none_or(is_token)).then_some(Self { person, token })
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        match self.token {
            Some(token) => ReplyRoute::new(format!("{} {token}", self.person)),
            None => ReplyRoute::new(self.person),
        }
    }
}

/// Whether a token can be kept: as JSON it must not become longer.
pub(super) fn is_token(token: &str) -> bool {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    is_plain && (1..=TOKEN_LIMIT).contains(&token.len())
}

#[cfg(test)]
mod tests {
    use dmgate::SenderId;

    use super::*;

    #[test]
    fn a_route_comes_back_as_it_was() {
        for route in ["ann@im.wechat", "ann@im.wechat ctx-1", "ann@im.wechat a/b+c=="] {
            let route = ReplyRoute::new(route);
            assert_eq!(Route::parse(&route).unwrap().to_reply(), route);
        }
        let longest =
            format!("{}@im.wechat {}", "a".repeat(SenderId::MAX_BYTES - 10), "t".repeat(TOKEN_LIMIT));
        assert!(longest.len() <= ReplyRoute::MAX_BYTES && Route::parse(&ReplyRoute::new(longest)).is_some());
    }

    #[test]
    fn i16_what_is_no_person_is_no_route() {
        let long = format!("ann@im.wechat {}", "t".repeat(TOKEN_LIMIT + 1));
        let bad = ["", " ", " t", "@im.wechat", "x@im.bot", "x@im.bot t", "room@chatroom", "a b@im.wechat"];
        let half = ["ann@im.wechat ", "ann@im.wechat a b", "ann@im.wechat  a", "ann@im.wechat a\"b", &long];
        for bad in bad.into_iter().chain(half) {
            assert!(Route::parse(&ReplyRoute::new(bad)).is_none(), "{bad}");
        }
    }
}
