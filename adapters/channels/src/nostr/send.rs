//! Texts to people.

use std::sync::PoisonError;
use std::time::Duration;

use ::nostr::nips::nip04;
use ::nostr::nips::nip59::GiftWrapBuilder;
use ::nostr::prelude::*;
use dmgate::{OutboundText, ReplyRoute, SendError, escape};
use serde_json::json;
use tokio::task::JoinSet;

use super::Nostr;
use super::errand::{Fate, find, publish};
use super::reach::named;
use super::route::{Format, Route};

/// When to try again where no relay takes a text.
const LATER: Duration = Duration::from_secs(120);

/// How long the other relays are waited for once one has taken a text.
const OTHERS: Duration = Duration::from_secs(3);

impl Nostr {
    /// Sends one text in the format of its route.
    pub(super) async fn send(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let impossible = |reason: &str| SendError::Impossible { reason: reason.to_owned() };
        let route = Route::parse(route).ok_or_else(|| impossible("this is no way to a person"))?;
        let event = self.packed(&route, text).map_err(|_| impossible("the text can't be encrypted"))?;
        let own = || self.relays.iter().map(|relay| relay.url.to_string()).collect::<Vec<_>>();
        let relays = match route.format {
            Format::Nip04 => own(),
            Format::Nip17 => match self.inbox_of(&route.key).await {
                named if named.is_empty() => own(),
                named => named,
            },
        };
        outcome(&self.publish(relays, &event).await)
    }

    /// The event of a text; for a second try the same.
    pub(super) fn packed(&self, route: &Route, text: &OutboundText) -> Result<Event, Error> {
        let key = format!("{} {}", route.to_reply().as_str(), text.idempotency_key);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(event) = sent.get(&key) {
            return Ok(event.clone());
        }
        let now = Timestamp::from_secs(self.now());
        let to = Tag::public_key(route.key);
        let event = match route.format {
            Format::Nip04 => {
                let secret = nip04::encrypt(self.keys.secret_key(), &route.key, &text.body)?;
                let event = EventBuilder::new(Kind::EncryptedDirectMessage, secret).tag(to);
                event.custom_created_at(now).finalize(&self.keys)?
            }
            Format::Nip17 => {
                let rumor = EventBuilder::new(Kind::PrivateDirectMessage, &text.body).tag(to);
                let rumor = rumor.custom_created_at(now).finalize_unsigned(self.keys.public_key());
                GiftWrapBuilder::new(route.key, rumor).finalize(&self.keys)?
            }
        };
        sent.put(key, event.clone());
        Ok(event)
    }

    /// The relays that a person names as their inbox; none if they name none, or no relay of ours knows.
    async fn inbox_of(&self, key: &PublicKey) -> Vec<String> {
        if let Some(known) = self.reach.known(key) {
            return known;
        }
        let filter = json!({ "kinds": [10050], "authors": [key.to_hex()], "limit": 1 });
        let mut asked = JoinSet::new();
        for relay in self.relays.iter().map(|relay| relay.url.to_string()) {
            let Ok(address) = self.reach.resolve(&relay).await else { continue };
            let (keys, filter, patience) = (self.keys.clone(), filter.clone(), self.pace.errand);
            asked.spawn(async move { find(&keys, &relay, &address, &filter, patience).await });
        }
        let lists = asked.join_all().await.concat();
        let relays = named(&lists, key);
        if !lists.is_empty() {
            self.reach.learn(key, relays.clone());
        }
        relays
    }

    /// Publishes an event at relays at the same time; once one has it the others have little time left.
    async fn publish(&self, relays: Vec<String>, event: &Event) -> Vec<Fate> {
        let mut fates = Vec::new();
        let mut under_way = JoinSet::new();
        for relay in relays {
            match self.reach.resolve(&relay).await {
                Ok(address) => {
                    let (keys, event, patience) = (self.keys.clone(), event.clone(), self.pace.errand);
                    under_way.spawn(async move {
                        let fate = publish(&keys, &relay, &address, &event, patience).await;
                        (relay, fate)
                    });
                }
                Err(reason) => fates.push(Fate::NotSent(format!("`{}`: {reason}", escape(&relay)))),
            }
        }
        let all = async {
            while let Some(ended) = under_way.join_next().await {
                let fate = match ended {
                    Ok((_, Fate::Taken)) => Fate::Taken,
                    Ok((relay, Fate::NotSent(reason))) => {
                        Fate::NotSent(format!("`{}`: {reason}", escape(&relay)))
                    }
                    Ok((relay, Fate::Refused(reason))) => {
                        Fate::Refused(format!("`{}`: {reason}", escape(&relay)))
                    }
                    Ok((relay, Fate::Lost(reason))) => Fate::Lost(format!("`{}`: {reason}", escape(&relay))),
                    Err(_) => Fate::Lost("an errand broke down".to_owned()),
                };
                let is_first = fate == Fate::Taken && !fates.contains(&Fate::Taken);
                fates.push(fate);
                if is_first {
                    break;
                }
            }
        };
        all.await;
        let rest = async { while under_way.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(OTHERS, rest).await;
        fates
    }
}

/// What became of a text that was given to relays.
// INVARIANT I6: it surely did not arrive only where no relay can have it.
fn outcome(fates: &[Fate]) -> Result<(), SendError> {
    if fates.contains(&Fate::Taken) {
        return Ok(());
    }
    let reasons = fates.iter().filter_map(|fate| match fate {
        Fate::NotSent(reason) | Fate::Refused(reason) | Fate::Lost(reason) => Some(reason.as_str()),
        Fate::Taken => None,
    });
    let reason = reasons.collect::<Vec<_>>().join("; ");
    if fates.iter().any(|fate| matches!(fate, Fate::Lost(_))) {
        return Err(SendError::Unknown { reason });
    }
    Err(SendError::Failed { reason, retry_after: Some(LATER) })
}

/// Our own relays, as the inbox that others look for (NIP-17).
pub(super) fn inbox_list(nostr: &Nostr) -> Option<Event> {
    let relays = nostr.relays.iter().map(|relay| Tag::custom("relay", [relay.url.to_string()]));
    let list = EventBuilder::new(Kind::InboxRelays, "").tags(relays);
    list.custom_created_at(Timestamp::from_secs(nostr.now())).finalize(&nostr.keys).ok()
}
