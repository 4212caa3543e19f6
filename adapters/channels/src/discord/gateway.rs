//! The language of the gateway: its frames, its heartbeat, and what its last words mean.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::session::Session;
use crate::Secret;
use crate::life::End;
use crate::socket::{Socket, SocketEnd};

/// The version that we speak; it is part of the gateway's address.
pub(super) const QUERY: &str = "?v=10&encoding=json";

/// What we ask for: messages in private channels, and nothing else. Their content needs no privileged intent.
const DIRECT_MESSAGES: u64 = 1 << 12;

/// With this we leave so that the session can be resumed; 1000 and 1001 would end it.
pub(super) const LEAVING: u16 = 4_000;

/// No gateway wants to hear from us more often.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// What the gateway says.
#[derive(Deserialize)]
pub(super) struct Payload {
    op: u8,
    #[serde(default)]
    d: Value,
    s: Option<u64>,
    t: Option<String>,
}

/// The same, understood.
#[derive(Debug)]
pub(super) enum Word {
    /// Something happened.
    Event { name: String, number: Option<u64>, data: Value },
    /// We are to say at once that we are there.
    Heartbeat,
    /// We are to come again.
    Reconnect,
    /// The session is none any more, or still one that can be resumed.
    Invalid { is_resumable: bool },
    /// The first word.
    Hello { interval: Duration },
    /// An answer to a heartbeat, or something that is not known.
    Nothing,
}

/// Says from time to time that we are there, and notices when nobody answers.
pub(super) struct Heart {
    interval: Duration,
    next: Instant,
    is_heard: bool,
}

impl Word {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Payload { op, d, s, t } = serde_json::from_str(text).ok()?;
        Some(match op {
            0 => Self::Event { name: t?, number: s, data: d },
            1 => Self::Heartbeat,
            7 => Self::Reconnect,
            9 => Self::Invalid { is_resumable: d == Value::Bool(true) },
            10 => {
                let interval = d.get("heartbeat_interval")?.as_u64()?;
                Self::Hello { interval: Duration::from_millis(interval).max(LEAST_INTERVAL) }
            }
            _ => Self::Nothing,
        })
    }
}

/// Begins a session.
pub(super) fn identify(token: &Secret) -> String {
    let properties = json!({ "os": std::env::consts::OS, "browser": "dmgate", "device": "dmgate" });
    let d = json!({ "token": token.reveal(), "intents": DIRECT_MESSAGES, "properties": properties });
    json!({ "op": 2, "d": d }).to_string()
}

/// Goes on with one.
pub(super) fn resume(token: &Secret, session: &Session) -> String {
    let d = json!({ "token": token.reveal(), "session_id": session.id, "seq": session.number });
    json!({ "op": 6, "d": d }).to_string()
}

impl Heart {
    /// The first beat comes at a random moment within the interval, `early` of it (0 to 1), so that not all who lost the
    /// same server beat in step.
    pub(super) fn new(interval: Duration, early: f64) -> Self {
        Self { interval, next: Instant::now() + interval.mul_f64(early.clamp(0.0, 1.0)), is_heard: true }
    }

    /// When the next beat is due.
    pub(super) async fn due(&self) {
        tokio::time::sleep_until(self.next).await;
    }

    /// Something came: whoever says anything is there.
    pub(super) fn heard(&mut self) {
        self.is_heard = true;
    }

    /// Beats, unless nobody answered the last beat.
    pub(super) async fn beat(&mut self, socket: &mut Socket, number: Option<u64>) -> Result<(), End> {
        if !self.is_heard {
            return Err(End::Lost("Discord does not answer our heartbeats".to_owned()));
        }
        self.is_heard = false;
        self.beat_unheard(socket, number).await
    }

    /// Beats while nothing is read, so that nobody can be heard.
    pub(super) async fn beat_unheard(&mut self, socket: &mut Socket, number: Option<u64>) -> Result<(), End> {
        self.next = Instant::now() + self.interval;
        let beat = json!({ "op": 1, "d": number }).to_string();
        socket.send(beat).await.map_err(|end| ended(&end).0)
    }
}

/// What the end of a connection means, and whether the session ended with it.
pub(super) fn ended(end: &SocketEnd) -> (End, bool) {
    let SocketEnd::Closed { code: Some(code), .. } = end else { return (End::Lost(end.to_string()), false) };
    let what_to_do = match code {
        // Sequence numbers that are none, and a session that is too old, are not to be resumed.
        4_007 | 4_009 => return (End::Lost(end.to_string()), true),
        4_004 => {
            "the token is not valid; reset it in the Developer Portal under Bot, and put the new one into `token`"
        }
        4_010 | 4_011 => {
            "the bot is in so many servers that Discord wants several connections, which dmgate does not make; use a bot \
             of its own for private messages"
        }
        4_012 => "this version of dmgate speaks a version of the gateway that is gone; update it",
        4_013 | 4_014 => {
            "the bot may not receive private messages; look at the intents in the Developer Portal under Bot, or whether \
             Discord restricted the bot"
        }
        _ => return (End::Lost(end.to_string()), false),
    };
    (End::Refused(format!("{end}: {what_to_do}")), true)
}
