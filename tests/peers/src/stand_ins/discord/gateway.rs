//! The gateway: sessions that begin, go on and end.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{BOT, Platforms, State, TOKEN, user};
use crate::{Call, Frame, Socket};

/// Milliseconds between two heartbeats.
const INTERVAL: u64 = 41_250;

/// The longest frame of a bot's, in bytes.
const LONGEST: usize = 4_096;

/// Private channels' messages.
const DIRECT_MESSAGES: u64 = 1 << 12;

/// Intents that a bot needs leave for: members, presences, message content.
const PRIVILEGED: u64 = 1 << 1 | 1 << 8 | 1 << 15;

/// Intents that there are.
const KNOWN: u64 = (1 << 26) - 1;

/// A bot's session: it stays for a while when its connection breaks.
#[derive(Debug)]
pub(super) struct Session {
    id: String,
    intents: u64,
    /// Every event, by its number, which begins with one.
    events: Vec<String>,
    line: Option<mpsc::UnboundedSender<String>>,
}

impl Session {
    /// An event, numbered and kept, and sent if somebody is there.
    fn dispatch(&mut self, name: &str, data: &Value) {
        let event = json!({ "op": 0, "t": name, "s": self.events.len() + 1, "d": data }).to_string();
        if let Some(line) = &self.line {
            let _ = line.send(event.clone());
        }
        self.events.push(event);
    }
}

impl State {
    /// Something happened in a private channel.
    pub(super) fn dispatch(&mut self, name: &str, data: &Value) {
        if let Some(session) = self.session.as_mut().filter(|session| session.intents & DIRECT_MESSAGES != 0)
        {
            session.dispatch(name, data);
        }
    }

    pub(super) fn reconnect(&self) {
        if let Some(line) = self.session.as_ref().and_then(|session| session.line.as_ref()) {
            let _ = line.send(r#"{"op":7,"d":null,"s":null,"t":null}"#.to_owned());
        }
    }
}

/// One connection, from hello to its end.
pub(super) async fn converse(discord: &Platforms, call: &Call, mut socket: Socket) {
    let (line, mut lines) = mpsc::unbounded_channel();
    socket
        .send(json!({ "op": 10, "d": { "heartbeat_interval": INTERVAL }, "s": null, "t": null }).to_string())
        .await;
    let mut is_in = false;
    loop {
        let frame = tokio::select! {
            frame = socket.next() => frame,
            Some(line) = lines.recv() => {
                socket.send(line).await;
                continue;
            }
        };
        let Some(frame) = frame else { break };
        let word: Value = match &frame {
            Frame::Text(text) if text.len() <= LONGEST => serde_json::from_str(text).unwrap_or_default(),
            _ => Value::Null,
        };
        let data = &word["d"];
        let refused = match word["op"].as_u64() {
            None => Err((4_002, "Error while decoding payload.")),
            Some(1) => {
                socket.send(r#"{"op":11,"d":null,"s":null,"t":null}"#).await;
                Ok(())
            }
            Some(2 | 6) if is_in => Err((4_005, "Already authenticated.")),
            Some(2) => {
                is_in = true;
                begin(discord, call, data, &line)
            }
            Some(6) => {
                let resumed = resume(discord, data, &line);
                if resumed == Ok(false) {
                    socket.send(r#"{"op":9,"d":false,"s":null,"t":null}"#).await;
                }
                is_in = resumed == Ok(true);
                resumed.map(drop)
            }
            // Presence, voice and members, of which this one has none.
            Some(3 | 4 | 8) if is_in => Ok(()),
            Some(3 | 4 | 8) => Err((4_003, "Not authenticated.")),
            Some(_) => Err((4_001, "Unknown opcode.")),
        };
        if let Err((code, reason)) = refused {
            return socket.close(code, reason).await;
        }
    }
    let mut state = discord.state();
    let is_ours = |session: &Session| session.line.as_ref().is_some_and(|own| own.same_channel(&line));
    if let Some(session) = state.session.as_mut().filter(|session| is_ours(session)) {
        session.line = None;
        if matches!(socket.ended_with(), Some(1_000 | 1_001)) {
            state.session = None;
        }
    }
}

type Refused = (u16, &'static str);

fn begin(
    discord: &Platforms,
    call: &Call,
    data: &Value,
    line: &mpsc::UnboundedSender<String>,
) -> Result<(), Refused> {
    if !["os", "browser", "device"].iter().all(|name| data["properties"][name].is_string()) {
        return Err((4_002, "Error while decoding payload."));
    }
    is_known(data)?;
    if !matches!(&data["shard"], Value::Null) && data["shard"] != json!([0, 1]) {
        return Err((4_010, "Invalid shard."));
    }
    let intents = data["intents"].as_u64().filter(|intents| intents & !KNOWN == 0);
    let intents = intents.ok_or((4_013, "Invalid intent(s)."))?;
    if intents & PRIVILEGED != 0 {
        return Err((4_014, "Disallowed intent(s)."));
    }
    let mut state = discord.state();
    state.ids += 1;
    let id = format!("session{:032}", state.ids);
    let mut session = Session { id: id.clone(), intents, events: Vec::new(), line: Some(line.clone()) };
    let ready = json!({
        "v": 10,
        "user": user(BOT),
        "user_settings": {},
        "private_channels": [],
        "relationships": [],
        "guilds": [],
        "session_id": id,
        "session_type": "normal",
        "resume_gateway_url": format!("ws://{}", call.header("host").unwrap_or_default()),
        "shard": [0, 1],
        "application": { "id": BOT.to_string(), "flags": 0 },
    });
    session.dispatch("READY", &ready);
    state.session = Some(session);
    Ok(())
}

/// Sends what was missed; `false` where the session is not known any more.
fn resume(discord: &Platforms, data: &Value, line: &mpsc::UnboundedSender<String>) -> Result<bool, Refused> {
    is_known(data)?;
    let mut state = discord.state();
    let Some(session) = state.session.as_mut().filter(|session| data["session_id"] == session.id.as_str())
    else {
        return Ok(false);
    };
    let number = data["seq"].as_u64().and_then(|number| usize::try_from(number).ok());
    let missed = number.and_then(|number| session.events.get(number..)).ok_or((4_007, "Invalid seq."))?;
    for event in missed {
        let _ = line.send(event.clone());
    }
    session.line = Some(line.clone());
    session.dispatch("RESUMED", &json!({ "_trace": [] }));
    Ok(true)
}

fn is_known(data: &Value) -> Result<(), Refused> {
    if data["token"] == TOKEN { Ok(()) } else { Err((4_004, "Authentication failed.")) }
}
