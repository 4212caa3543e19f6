//! Where people are reached: the relays that they name as their inbox.
//!
//! Their addresses are text that came from outside, signed by whoever wants an answer. So we go to WebSockets only, to few
//! of them, and not into private networks unless the owner says so; a name is resolved once, and what was looked at is
//! what is connected to.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::nostr::prelude::{Event, Kind, PublicKey};
use tokio::time::Instant;

use crate::hosts::is_public;
use crate::kept::Latest;
use crate::socket::SocketAddress;

/// How many relays of one person are written to.
pub(super) const RELAYS_EACH: usize = 4;

/// The longest address, in bytes.
const ADDRESS_BYTES: usize = 255;

/// How long we rely on what a person named.
const RELY: Duration = Duration::from_secs(60 * 60);

/// What we know of where people are reached.
pub(super) struct Reach {
    may_be_private: bool,
    /// Our own relays, which the owner chose.
    own: Vec<String>,
    known: Mutex<Latest<String, (Instant, Vec<String>), 1_000>>,
}

impl Reach {
    pub(super) fn new(may_be_private: bool, own: &[String]) -> Self {
        Self { may_be_private, own: own.iter().map(plain).collect(), known: Mutex::default() }
    }

    /// What a person named a moment ago.
    pub(super) fn known(&self, key: &PublicKey) -> Option<Vec<String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, relays) = known.get(&key.to_hex())?;
        (since.elapsed() < RELY).then(|| relays.clone())
    }

    /// Remembers what a person named.
    pub(super) fn learn(&self, key: &PublicKey, relays: Vec<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.put(key.to_hex(), (Instant::now(), relays));
    }

    /// Where the relay at this address is, if we may go there; the error says why not.
    pub(super) async fn resolve(&self, url: &str) -> Result<SocketAddress, String> {
        let address = SocketAddress::parse(url)?;
        if self.may_be_private || self.own.contains(&plain(url)) {
            return Ok(address);
        }
        let (host, port) = address.place();
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| error.to_string())?;
        let found: Vec<_> = found.map(|found| found.ip()).collect();
        // A name that leads to both is one that somebody plays with.
        match found.first() {
            Some(first) if found.iter().all(|address| is_public(*address)) => Ok(address.at(*first)),
            Some(_) => Err("it is in a private network; `private_relays` would allow it".to_owned()),
            None => Err("its host has no address".to_owned()),
        }
    }
}

/// The relays that the newest of these lists names, if it is really this person's.
pub(super) fn named(lists: &[Event], key: &PublicKey) -> Vec<String> {
    let theirs =
        |list: &&Event| list.kind == Kind::InboxRelays && list.pubkey == *key && list.verify().is_ok();
    let Some(newest) = lists.iter().filter(theirs).max_by_key(|list| list.created_at) else {
        return Vec::new();
    };
    let relays = newest.tags.iter().filter(|tag| tag.kind() == "relay").filter_map(|tag| tag.content());
    let good = |url: &&str| url.len() <= ADDRESS_BYTES && SocketAddress::parse(url).is_ok();
    let mut relays: Vec<String> = relays.filter(good).map(plain).collect();
    let mut seen = std::collections::BTreeSet::new();
    relays.retain(|url| seen.insert(url.clone()));
    relays.truncate(RELAYS_EACH);
    relays
}

/// An address without what makes no difference.
fn plain(url: impl AsRef<str>) -> String {
    url.as_ref().trim().trim_end_matches('/').to_owned()
}
