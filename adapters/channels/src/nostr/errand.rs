//! Short connections: to publish an event, or to ask for some.
//!
//! What is sent goes by a connection of its own, so that a flood on the one that receives never holds up an answer.

use std::time::Duration;

use ::nostr::nips::nip42::ClientAuthentication;
use ::nostr::prelude::*;
use dmgate::escape;
use serde_json::{Value, json};

use crate::socket::{Frame, Socket, SocketAddress, SocketEnd};

/// How many events one question brings at most.
const EVENTS: usize = 16;

const QUESTION: &str = "dmgate-question";

/// What became of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Taken,
    /// The relay has not got it.
    NotSent(String),
    /// The relay does not want it.
    Refused(String),
    /// Nobody knows.
    Lost(String),
}

/// A connection for one errand.
struct Errand<'a> {
    socket: Socket,
    keys: &'a Keys,
    relay: RelayUrl,
    /// What the relay wants signed before it serves us.
    challenge: Option<String>,
    login: Option<EventId>,
}

/// What a relay said.
enum Said {
    Event(Box<Event>),
    End,
    Answer { id: String, is_taken: bool, reason: String },
    Closed(String),
}

/// Publishes an event at a relay.
pub(super) async fn publish(
    keys: &Keys,
    url: &str,
    address: &SocketAddress,
    event: &Event,
    patience: Duration,
) -> Fate {
    let mut has_left = false;
    let publishing = async {
        let mut errand = Errand::begin(keys, url, address).await.map_err(Fate::NotSent)?;
        let lost = |end: SocketEnd| Fate::Lost(end.to_string());
        has_left = true;
        errand.put(&json!(["EVENT", event])).await.map_err(lost)?;
        loop {
            match errand.hear().await.map_err(lost)? {
                Said::Answer { id, is_taken, .. } if errand.is_login(&id) => {
                    if !is_taken {
                        return Err(Fate::Refused("the relay does not let us in".to_owned()));
                    }
                    errand.put(&json!(["EVENT", event])).await.map_err(lost)?;
                }
                Said::Answer { id, is_taken: true, .. } if id == event.id.to_hex() => return Ok(()),
                Said::Answer { id, reason, .. } if id == event.id.to_hex() => {
                    if reason.starts_with("duplicate:") {
                        return Ok(());
                    }
                    if !reason.starts_with("auth-required:") || !errand.log_in().await.map_err(lost)? {
                        return Err(Fate::Refused(escape(&reason)));
                    }
                }
                _ => {}
            }
        }
    };
    let outcome = tokio::time::timeout(patience, publishing).await;
    match outcome {
        Ok(Ok(())) => Fate::Taken,
        Ok(Err(fate)) => fate,
        Err(_) if has_left => Fate::Lost("the relay does not answer".to_owned()),
        Err(_) => Fate::NotSent("the relay can't be reached in time".to_owned()),
    }
}

/// Asks a relay for events; what came until it had no more, or no patience was left.
pub(super) async fn find(
    keys: &Keys,
    url: &str,
    address: &SocketAddress,
    filter: &Value,
    patience: Duration,
) -> Vec<Event> {
    let mut found = Vec::new();
    let finding = async {
        let mut errand = Errand::begin(keys, url, address).await.ok()?;
        let question = json!(["REQ", QUESTION, filter]);
        errand.put(&question).await.ok()?;
        while found.len() < EVENTS {
            match errand.hear().await.ok()? {
                Said::Event(event) => found.push(*event),
                Said::Answer { id, is_taken: true, .. } if errand.is_login(&id) => {
                    errand.put(&question).await.ok()?;
                }
                Said::Closed(reason) if reason.starts_with("auth-required:") => {
                    if !errand.log_in().await.ok()? {
                        break;
                    }
                }
                Said::End | Said::Closed(_) => break,
                Said::Answer { .. } => {}
            }
        }
        Some(())
    };
    let _ = tokio::time::timeout(patience, finding).await;
    found
}

impl<'a> Errand<'a> {
    async fn begin(keys: &'a Keys, url: &str, address: &SocketAddress) -> Result<Self, String> {
        let relay = RelayUrl::parse(url).map_err(|_| "this is no relay's address".to_owned())?;
        let socket = Socket::connect(address, http::HeaderMap::new(), None).await;
        let socket = socket.map_err(|end| end.to_string())?;
        Ok(Self { socket, keys, relay, challenge: None, login: None })
    }

    async fn put(&mut self, said: &Value) -> Result<(), SocketEnd> {
        self.socket.send(said.to_string()).await
    }

    /// The next thing that matters.
    async fn hear(&mut self) -> Result<Said, SocketEnd> {
        loop {
            let Frame::Text(text) = self.socket.next().await? else { continue };
            let Ok(said) = serde_json::from_str::<Vec<Value>>(&text) else { continue };
            let text = |at: usize| said.get(at).and_then(Value::as_str).unwrap_or_default();
            match (text(0), text(1)) {
                ("EVENT", QUESTION) => {
                    let event = said.get(2).cloned().map(serde_json::from_value::<Event>);
                    if let Some(Ok(event)) = event {
                        return Ok(Said::Event(Box::new(event)));
                    }
                }
                ("EOSE", QUESTION) => return Ok(Said::End),
                ("CLOSED", QUESTION) => return Ok(Said::Closed(text(2).to_owned())),
                ("OK", id) => {
                    let is_taken = said.get(2).and_then(Value::as_bool) == Some(true);
                    return Ok(Said::Answer { id: id.to_owned(), is_taken, reason: text(3).to_owned() });
                }
                ("AUTH", challenge) if challenge.len() <= 1_024 => {
                    self.challenge = Some(challenge.to_owned());
                }
                _ => {}
            }
        }
    }

    /// Says who we are, once and only where it is asked for: a stranger's relay need not know who writes. `false` if it
    /// can't be said.
    async fn log_in(&mut self) -> Result<bool, SocketEnd> {
        let (Some(challenge), None) = (self.challenge.take(), self.login) else { return Ok(false) };
        let login = ClientAuthentication::new(challenge, self.relay.clone()).into_event_builder();
        let Ok(login) = login.finalize(self.keys) else { return Ok(false) };
        self.login = Some(login.id);
        self.put(&json!(["AUTH", login])).await.map(|()| true)
    }

    fn is_login(&self, id: &str) -> bool {
        self.login.is_some_and(|login| login.to_hex() == id)
    }
}
