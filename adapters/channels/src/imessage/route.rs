//! Where an answer goes: a chat of the Mac's, or a handle of whom nothing else is known.

use dmgate::{ChannelId, ReplyRoute, SenderId};
use serde_json::{Map, Value};

/// The longest `guid` of a chat, in bytes.
const LIMIT: usize = 256;

/// The way to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Route {
    /// A one-to-one chat by its `guid`, as `iMessage;-;+4917012345678`.
    Chat(String),
    /// `to:+4917012345678`
    Handle(String),
}

/// A chat's `guid`, taken apart.
pub(super) struct Guid<'a> {
    pub(super) service: &'a str,
    /// Whether it is between two.
    pub(super) is_direct: bool,
}

impl<'a> Guid<'a> {
    /// The parts of a `guid`: a service, `-` for two and `+` for several, and whom it is with.
    pub(super) fn parse(guid: &'a str) -> Option<Self> {
        let (service, rest) = guid.split_once(';')?;
        let (kind, with) = rest.split_once(';')?;
        let is_plain = guid.len() <= LIMIT && dmgate::escape(guid) == guid && !with.contains(';');
        let is_direct = match kind {
            "-" => true,
            "+" => false,
            _ => return None,
        };
        (is_plain && !service.is_empty() && !with.trim().is_empty()).then_some(Self { service, is_direct })
    }
}

impl Route {
    /// A chat between two.
    pub(super) fn chat(guid: &str) -> Option<Self> {
        Guid::parse(guid).filter(|guid| guid.is_direct).map(|_| Self::Chat(guid.to_owned()))
    }

    /// Whoever has a handle.
    pub(super) fn handle(handle: &SenderId) -> Self {
        Self::Handle(handle.as_str().to_owned())
    }

    /// What a store gave back, if it is one of ours.
    pub(super) fn parse(channel: &ChannelId, route: &ReplyRoute) -> Option<Self> {
        match route.as_str().strip_prefix("to:") {
            Some(handle) => SenderId::parse(channel, handle).ok().map(|handle| Self::handle(&handle)),
            None => Self::chat(route.as_str()),
        }
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        ReplyRoute::new(match self {
            Self::Chat(guid) => guid.clone(),
            Self::Handle(handle) => format!("to:{handle}"),
        })
    }

    /// As `imsg` is told.
    pub(super) fn to_params(&self) -> Map<String, Value> {
        let (key, value) = match self {
            Self::Chat(guid) => ("chat_guid", guid),
            Self::Handle(handle) => ("to", handle),
        };
        Map::from_iter([(key.to_owned(), value.as_str().into())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_leads_to_one_person_and_comes_back_as_it_was() {
        let channel = ChannelId::parse("imessage").unwrap();
        for good in
            ["iMessage;-;+4917012345678", "any;-;ann@example.org", "to:+4917012345678", "to:ann@example.org"]
        {
            let route = Route::parse(&channel, &ReplyRoute::new(good)).unwrap();
            assert_eq!(route.to_reply().as_str(), good);
        }
        for none in [
            "",
            "+4917012345678",
            "iMessage;+;chat123",
            "iMessage;-;",
            ";-;+491",
            "iMessage;-;a;b",
            "iMessage;*;a",
            "to:",
            "to:chat123",
            "iMessage;-;\u{202e}x",
        ] {
            assert_eq!(Route::parse(&channel, &ReplyRoute::new(none)), None, "{none}");
        }
    }
}
