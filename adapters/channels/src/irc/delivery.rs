//! One text on its way to one person: proven, sent, confirmed.
//!
//! First the server is asked who has the nick (WHOIS). Only if it says that this is the person whom the text is for do
//! the lines go out. Then comes a PING: its PONG says that the server has worked off the lines, and refusals have come
//! before it. So what is known is exact: nothing was sent, everything was taken, or it is not known.
//!
//! What stays open are the moments between the server's answer and our lines: a nick that changes hands just then gets
//! them. The protocol has nothing better. But lines are paced, and a long text takes half a minute: so an answer counts
//! for a few seconds, and then the server is asked again.

use std::time::Duration;

use dmgate::{ChannelId, SendError, SenderId, escape};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::line::Line;
use super::route::Route;
use super::server::Server;

/// When to try again where a person is not there, or not known.
const LATER: Duration = Duration::from_secs(120);

/// How long the server's word for who has a nick counts: a burst of lines and two more.
const PROVEN: Duration = Duration::from_secs(5);

/// A text that waits for its turn.
pub(super) struct Outgoing {
    pub(super) route: Route,
    pub(super) lines: Vec<String>,
    pub(super) done: oneshot::Sender<Result<(), SendError>>,
}

/// A text whose turn it is.
pub(super) struct Delivery {
    outgoing: Outgoing,
    token: String,
    state: State,
    /// Who has the nick, as far as the server told.
    found: bool,
    proven: bool,
    /// When the server said so last.
    proven_at: Instant,
    sent: usize,
    refused: usize,
    refusal: Option<SendError>,
}

enum State {
    /// Who has the nick?
    Proving,
    /// Lines go out.
    Sending,
    /// Were they taken?
    Confirming,
}

/// What comes of a line.
pub(super) enum Progress {
    /// Nothing, or not yet.
    Waits,
    /// It is they: the lines may go.
    Proven,
    /// It is over.
    Over(Result<(), SendError>),
}

impl Delivery {
    /// A delivery, and what to send first. `number` differs from all others of the connection.
    pub(super) fn begin(outgoing: Outgoing, number: u64) -> (Self, String) {
        let mut delivery = Self {
            outgoing,
            token: format!("dmgate-{number}"),
            state: State::Proving,
            found: false,
            proven: false,
            proven_at: Instant::now(),
            sent: 0,
            refused: 0,
            refusal: None,
        };
        let question = delivery.ask();
        (delivery, question)
    }

    /// Who has the nick?
    fn ask(&mut self) -> String {
        (self.state, self.found, self.proven) = (State::Proving, false, false);
        format!("WHOIS {}", self.outgoing.route.nick)
    }

    /// The next line to send, once it may; between lines the question again, when its answer is old; the last one asks
    /// whether all were taken.
    pub(super) fn next(&mut self) -> Option<String> {
        if !matches!(self.state, State::Sending) {
            return None;
        }
        match self.outgoing.lines.get(self.sent).filter(|_| self.refused == 0) {
            Some(_) if self.proven_at.elapsed() >= PROVEN => Some(self.ask()),
            Some(line) => {
                self.sent += 1;
                Some(format!("PRIVMSG {} :{line}", self.outgoing.route.nick))
            }
            None => {
                self.state = State::Confirming;
                Some(format!("PING :{}", self.token))
            }
        }
    }

    /// Whether lines are ready to be sent.
    pub(super) fn has_next(&self) -> bool {
        matches!(self.state, State::Sending)
    }

    /// Takes a line of the server's.
    pub(super) fn on(&mut self, line: &Line, server: &Server, channel: &ChannelId) -> Progress {
        match self.state {
            State::Proving => self.prove(line, server, channel),
            State::Sending | State::Confirming => self.confirm(line, server),
        }
    }

    // INVARIANT I15: nothing goes to a nick; it goes to who was let in, or asked, and only while the server says so.
    fn prove(&mut self, line: &Line, server: &Server, channel: &ChannelId) -> Progress {
        let Some(number) = line.numeric() else { return Progress::Waits };
        let nick = self.outgoing.route.nick.as_str();
        if number == 263 && line.param(1).eq_ignore_ascii_case("WHOIS") {
            return Progress::Over(self.not_now("the server answers no more questions for now".to_owned()));
        }
        if !server.is_same(line.param(1), nick) {
            return Progress::Waits;
        }
        let is_them = |id: String| {
            SenderId::parse(channel, &id).is_ok_and(|id| id.as_str() == self.outgoing.route.identity)
        };
        match number {
            401 => Progress::Over(self.not_now(format!("`{}` is not there", escape(nick)))),
            311 => {
                self.found = true;
                self.proven |= is_them(format!("{}!{}@{}", line.param(1), line.param(2), line.param(3)));
                Progress::Waits
            }
            330 => {
                self.proven |= is_them(format!("account:{}", line.param(2)));
                Progress::Waits
            }
            // Without an answer before it, it ends the question before this one.
            318 if !self.found => Progress::Waits,
            318 if self.proven => {
                (self.state, self.proven_at) = (State::Sending, Instant::now());
                Progress::Proven
            }
            318 => {
                let reason =
                    format!("`{}` is not `{}` now", escape(nick), escape(&self.outgoing.route.identity));
                Progress::Over(self.not_now(reason))
            }
            _ => {
                // Of a line before the question.
                self.note_refusal(line, server);
                Progress::Waits
            }
        }
    }

    /// It can't go on now; what went out before is out.
    fn not_now(&self, reason: String) -> Result<(), SendError> {
        if self.sent == 0 { failed(reason, Some(LATER)) } else { Err(unknown(&reason)) }
    }

    fn confirm(&mut self, line: &Line, server: &Server) -> Progress {
        if line.command == "PONG" && line.last() == self.token {
            return Progress::Over(self.outcome());
        }
        self.note_refusal(line, server);
        Progress::Waits
    }

    fn note_refusal(&mut self, line: &Line, server: &Server) {
        let number = line.numeric().unwrap_or_default();
        if self.sent > 0
            && (matches!(number, 400..=599 | 716))
            && server.is_same(line.param(1), &self.outgoing.route.nick)
        {
            self.refused += 1;
            self.refusal = Some(refusal(number, line));
        }
    }

    fn outcome(&mut self) -> Result<(), SendError> {
        match self.refusal.take() {
            None => Ok(()),
            Some(refusal) if self.refused >= self.sent => Err(refusal),
            Some(_) => Err(unknown("some lines were taken and some were not")),
        }
    }

    /// Ends it without an answer of the server's.
    pub(super) fn give_up(self, reason: &str) {
        let outcome = match self.sent {
            0 => failed(reason.to_owned(), None),
            _ => Err(unknown(reason)),
        };
        self.end(outcome);
    }

    /// Tells who waits for it.
    pub(super) fn end(self, outcome: Result<(), SendError>) {
        // Who waited may have stopped to wait.
        let _ = self.outgoing.done.send(outcome);
    }
}

fn refusal(number: u16, line: &Line) -> SendError {
    let reason = format!("the server answers {number}: {}", escape(line.last()));
    match number {
        // Only to those who are logged in, or whom they accepted, or not at all.
        404 | 408 | 477 | 486 | 531 | 716 => SendError::Impossible { reason },
        _ => SendError::Failed { reason, retry_after: Some(LATER) },
    }
}

fn failed(reason: String, retry_after: Option<Duration>) -> Result<(), SendError> {
    Err(SendError::Failed { reason, retry_after })
}

fn unknown(reason: &str) -> SendError {
    SendError::Unknown { reason: reason.to_owned() }
}
