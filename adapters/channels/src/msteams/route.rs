//! Where an answer goes: the conversation, as the Bot Framework calls it a reference.

use dmgate::ReplyRoute;
use form_urlencoded::byte_serialize;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::hosts::Hosts;

/// A one-to-one conversation. It is kept as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    pub(super) service: String,
    pub(super) conversation: String,
    /// Both ends, as they are called in this conversation.
    pub(super) bot: String,
    pub(super) user: String,
}

impl Route {
    /// The route as it is kept; nothing if it would be too long, or is none.
    pub(super) fn write(&self, services: &Hosts) -> Option<ReplyRoute> {
        let text = serde_json::to_string(self).ok()?;
        self.activities(services).filter(|_| text.len() <= ReplyRoute::MAX_BYTES)?;
        Some(ReplyRoute::new(text))
    }

    /// A route that was kept, if it leads to a one-to-one conversation on a host that may be called.
    pub(super) fn read(route: &ReplyRoute, services: &Hosts) -> Option<Self> {
        let route: Self = serde_json::from_str(route.as_str()).ok()?;
        route.activities(services).is_some().then_some(route)
    }

    /// Where texts into the conversation are posted.
    // INVARIANT I16: threads of several (`19:…`) are no way, whatever is stored.
    pub(super) fn activities(&self, services: &Hosts) -> Option<Url> {
        let ids = [&self.conversation, &self.bot, &self.user];
        let is_id = |id: &&String| {
            !id.is_empty() && id.len() <= 1_024 && id.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let is_way = ids.iter().all(is_id)
            && !self.conversation.starts_with("19:")
            && self.conversation.bytes().any(|byte| byte != b'.');
        let service = services.allow(&self.service).filter(|url| is_way && is_plain(url))?;
        let service = service.as_str().trim_end_matches('/');
        let conversation: String = byte_serialize(self.conversation.as_bytes()).collect();
        Url::parse(&format!("{service}/v3/conversations/{conversation}/activities")).ok()
    }
}

fn is_plain(url: &Url) -> bool {
    url.query().is_none() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(&["smba.trafficmanager.net"], [])
    }

    fn route(change: impl FnOnce(&mut Route)) -> Route {
        let mut route = Route {
            service: "https://smba.trafficmanager.net/amer/t/".to_owned(),
            conversation: "a:1/2?3 4".replace(' ', "%"),
            bot: "28:b".to_owned(),
            user: "29:u".to_owned(),
        };
        change(&mut route);
        route
    }

    #[test]
    fn i16_a_route_leads_to_one_conversation_and_comes_back_as_it_was() {
        let good = route(|_| {});
        let kept = good.write(&hosts()).unwrap();
        assert_eq!(Route::read(&kept, &hosts()).as_ref(), Some(&good));
        assert_eq!(
            good.activities(&hosts()).unwrap().as_str(),
            "https://smba.trafficmanager.net/amer/t/v3/conversations/a%3A1%2F2%3F3%254/activities"
        );
        for conversation in ["", ".", "..", "19:x@thread.v2", "a b", "a\n", "ä", &"x".repeat(1_025)] {
            assert_eq!(route(|route| route.conversation = conversation.to_owned()).write(&hosts()), None);
        }
        for service in [
            "https://evil.test/",
            "http://smba.trafficmanager.net/",
            "https://smba.trafficmanager.net/?x=",
            "https://smba.trafficmanager.net/#",
            "https://me:pw@smba.trafficmanager.net/",
            "https://smba.trafficmanager.net.evil.test/",
            "",
        ] {
            let bad = route(|route| route.service = service.to_owned());
            assert_eq!(bad.write(&hosts()), None, "{service}");
            let kept = ReplyRoute::new(serde_json::to_string(&bad).unwrap());
            assert_eq!(Route::read(&kept, &hosts()), None, "{service}");
        }
        for bad in ["", "{}", "null", r#"{"service":"https://smba.trafficmanager.net/"}"#] {
            assert_eq!(Route::read(&ReplyRoute::new(bad), &hosts()), None, "{bad}");
        }
    }
}
