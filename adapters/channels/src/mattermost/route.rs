//! Where an answer goes: a channel, perhaps a thread in it, or a person of whom only the id is known.

use dmgate::{ReplyRoute, SenderId};

/// How a way to a person begins whose channel is not known.
const USER: &str = "user:";

/// A way to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// The channel of the two of us, and the post that the thread hangs on.
    Channel { id: String, root: Option<String> },
    /// Somebody with whom a channel has to be made.
    User(String),
}

impl Route {
    /// The way to somebody of whom only the id is known.
    pub(super) fn to(sender: &SenderId) -> Option<Self> {
        is_id(sender.as_str()).then(|| Self::User(sender.as_str().to_owned()))
    }

    pub(super) fn parse(route: &ReplyRoute) -> Option<Self> {
        let text = route.as_str();
        if let Some(user) = text.strip_prefix(USER) {
            return is_id(user).then(|| Self::User(user.to_owned()));
        }
        let (id, root) = text.split_once(' ').map_or((text, None), |(id, root)| (id, Some(root)));
        let is_whole = is_id(id) && root.is_none_or(is_id);
        is_whole.then(|| Self::Channel { id: id.to_owned(), root: root.map(str::to_owned) })
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        match self {
            Self::Channel { id, root: None } => ReplyRoute::new(id.as_str()),
            Self::Channel { id, root: Some(root) } => ReplyRoute::new(format!("{id} {root}")),
            Self::User(id) => ReplyRoute::new(format!("{USER}{id}")),
        }
    }
}

/// Whether a text is an id, of a user, a channel, a post or a file: 26 letters and digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "cmr7sncacib4xfhd6yo3n4tf5e";

    #[test]
    fn a_route_comes_back_as_it_was() {
        let (id, root) =
            ("1waumyyd6jyczrxntuiopybygy".to_owned(), Some("5greg5b4w3rojmqc188znn8s7c".to_owned()));
        let ann = SenderId::parse(&dmgate::ChannelId::parse("mattermost").unwrap(), ANN).unwrap();
        let routes = [
            Route::Channel { id: id.clone(), root: None },
            Route::Channel { id, root },
            Route::to(&ann).unwrap(),
        ];
        for route in routes {
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
    }

    #[test]
    fn what_is_no_id_is_no_route() {
        for bad in [
            "",
            "user:",
            "user:ann",
            ANN.to_uppercase().as_str(),
            &ANN[1..],
            &format!("{ANN} "),
            "town-square",
        ] {
            assert_eq!(Route::parse(&ReplyRoute::new(bad)), None, "{bad:?}");
        }
        for bad in
            [format!("{ANN} x"), format!("{ANN}\n"), format!("{ANN}/../users"), format!("user:{ANN} {ANN}")]
        {
            assert_eq!(Route::parse(&ReplyRoute::new(bad.as_str())), None, "{bad:?}");
        }
    }
}
