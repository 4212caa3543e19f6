//! Where an answer goes: a direct conversation, perhaps a thread in it, or a person of whom only the id is known.

use dmgate::{ReplyRoute, SenderId};

/// A way to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    /// The conversation, `D…`; or a user, `U…` or `W…`, with whom one has to be opened.
    pub(super) to: String,
    /// The stamp of the message that the thread hangs on.
    pub(super) thread: Option<String>,
}

impl Route {
    /// The way into a direct conversation; `None` if `channel` is none.
    pub(super) fn new(channel: &str, thread: Option<&str>) -> Option<Self> {
        let thread = thread.filter(|thread| is_stamp(thread)).map(str::to_owned);
        is_id(channel, &['D']).then(|| Self { to: channel.to_owned(), thread })
    }

    /// The way to somebody at home where we are. Who is at home elsewhere has to write first.
    pub(super) fn to(sender: &SenderId) -> Option<Self> {
        let id = sender.as_str();
        is_id(id, &['U', 'W']).then(|| Self { to: id.to_owned(), thread: None })
    }

    // INVARIANT I16: a route that a store gives back leads to a person, or is none.
    pub(super) fn parse(route: &ReplyRoute) -> Option<Self> {
        let (to, thread) = match route.as_str().split_once(' ') {
            Some((to, thread)) => (to, Some(thread)),
            None => (route.as_str(), None),
        };
        let is_whole = match thread {
            Some(thread) => is_id(to, &['D']) && is_stamp(thread),
            None => is_id(to, &['D', 'U', 'W']),
        };
        is_whole.then(|| Self { to: to.to_owned(), thread: thread.map(str::to_owned) })
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        match &self.thread {
            None => ReplyRoute::new(self.to.as_str()),
            Some(thread) => ReplyRoute::new(format!("{} {thread}", self.to)),
        }
    }

    /// Whether the conversation is known, and need not be opened.
    pub(super) fn is_open(&self) -> bool {
        self.to.starts_with('D')
    }
}

/// Whether a text is an id that begins with one of these letters.
pub(super) fn is_id(text: &str, heads: &[char]) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    text.starts_with(heads) && (2..=64).contains(&text.len()) && is_plain
}

/// Whether a text is a message's stamp: seconds, a point, a number.
fn is_stamp(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 32 && text.split_once('.').is_some_and(|(whole, part)| is_number(whole) && is_number(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_comes_back_as_it_was() {
        for (channel, thread) in [("D0ACX51K95H", None), ("D1", Some("1771442483.260129"))] {
            let route = Route::new(channel, thread).unwrap();
            assert_eq!((route.to.as_str(), route.thread.as_deref()), (channel, thread));
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
        let channel = dmgate::ChannelId::parse("slack").unwrap();
        let to = |id: &str| Route::to(&SenderId::parse(&channel, id).unwrap());
        assert_eq!(Route::parse(&to("U42").unwrap().to_reply()), to("U42"));
        assert_eq!(to("T2:U42"), None);
        assert_eq!(Route::new("D1", Some("no stamp")).unwrap().thread, None);
    }

    #[test]
    fn i16_what_leads_into_a_channel_is_no_route() {
        for bad in [
            "",
            "D",
            "C0ACX51K95H",
            "G1",
            "D1 ",
            " D1",
            "D1 x",
            "D1 1.",
            "D1 1.2 3",
            "U1 1.2",
            "d1",
            "D1\n",
            "#general",
            "@ann",
            "D1,C1",
            "T2:U42",
        ] {
            assert_eq!(Route::parse(&ReplyRoute::new(bad)), None, "{bad:?}");
        }
        assert_eq!(Route::new("C1", None), None);
    }
}
