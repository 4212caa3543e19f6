//! Where an answer goes: a chat that the bridge named, or a user of whom only the id is known.

use dmgate::{ReplyRoute, SenderId};
use serde_json::{Map, Value};

/// The longest id of a chat, in bytes.
const LIMIT: usize = 256;

/// The way to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// `chat:…`
    Chat(String),
    /// `user:…`
    User(String),
}

impl Route {
    /// A chat, if its id is one.
    pub(crate) fn chat(id: &str) -> Option<Self> {
        is_id(id).then(|| Self::Chat(id.to_owned()))
    }

    /// A user.
    pub(crate) fn user(id: &SenderId) -> Self {
        Self::User(id.as_str().to_owned())
    }

    /// What a store gave back, if it is one of ours.
    pub(crate) fn parse(route: &ReplyRoute) -> Option<Self> {
        let (kind, id) = route.as_str().split_once(':')?;
        match kind {
            "chat" => Self::chat(id),
            "user" if is_id(id) => Some(Self::User(id.to_owned())),
            _ => None,
        }
    }

    pub(crate) fn to_reply(&self) -> ReplyRoute {
        ReplyRoute::new(match self {
            Self::Chat(id) => format!("chat:{id}"),
            Self::User(id) => format!("user:{id}"),
        })
    }

    /// As a bridge is told.
    pub(crate) fn to_params(&self) -> Map<String, Value> {
        let (kind, id) = match self {
            Self::Chat(id) => ("chat", id),
            Self::User(id) => ("user", id),
        };
        Map::from_iter([(kind.to_owned(), id.as_str().into())])
    }
}

/// One line that shows what it is.
fn is_id(id: &str) -> bool {
    !id.trim().is_empty() && id.len() <= LIMIT && dmgate::escape(id) == id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_comes_back_as_it_was_and_nothing_else_is_one() {
        for route in [Route::chat("6543:a b").unwrap(), Route::User("42".to_owned())] {
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
        for none in ["", "42", "chat:", "chat: ", "user:", "group:1", "chat:a\nb", "chat:\u{202e}x"] {
            assert_eq!(Route::parse(&ReplyRoute::new(none)), None, "{none}");
        }
        assert_eq!(Route::chat(&"x".repeat(LIMIT + 1)), None);
    }
}
