//! Events by sockets (Socket Mode): one socket, and for a moment two, when Slack moves us from one to the next.
//!
//! Each socket puts what it brings into one queue, and sends the acknowledgements that come back from it. One worker takes
//! the queue's events to the gate, one after another, so that an event that comes by two sockets is acknowledged by
//! neither before it is taken. While the queue is full the sockets are not read; Slack keeps what is not acknowledged.

use std::time::Duration;

use dmgate::{ChannelError, InboundMessage, Inbox, escape};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::event::Reading;
use super::{Slack, api};
use crate::backoff::Backoff;
use crate::dedupe::{Again, Claim};
use crate::life::{End, stay_connected};
use crate::socket::{Frame, Socket, SocketAddress, SocketEnd};

/// Events that are received and not yet taken; more wait at Slack.
const WAITING: usize = 512;

/// How long Slack may take to say hello.
const HELLO: Duration = Duration::from_secs(20);

/// A socket that lasted so long was a good one. One that is sent away sooner is not replaced at once.
const GOOD: Duration = Duration::from_secs(10);

/// An event that waits for its turn.
struct Waiting {
    envelope: Envelope,
    /// Where its acknowledgement goes.
    taken: mpsc::Sender<String>,
}

/// What Slack says over a socket.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Word {
    Hello {},
    Disconnect {
        #[serde(default)]
        reason: String,
    },
    #[serde(untagged)]
    Envelope(Envelope),
}

/// Something that is to be acknowledged.
#[derive(Deserialize)]
struct Envelope {
    envelope_id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
}

impl Slack {
    /// Receives until `shutdown`.
    pub(super) async fn connect(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let (queue, waiting) = mpsc::channel(WAITING);
        let receive = async move {
            let connection = || self.connection(&queue, inbox, shutdown);
            stay_connected(&self.world, self.retry, &self.status, shutdown, connection).await
            // With it ends the queue, and then the worker.
        };
        let (outcome, ()) = tokio::join!(receive, self.work(waiting, inbox));
        outcome
    }

    /// Takes events to the gate, and has them acknowledged.
    async fn work(&self, mut waiting: mpsc::Receiver<Waiting>, inbox: &Inbox) {
        while let Some(Waiting { envelope, taken }) = waiting.recv().await {
            // What is not acknowledged Slack sends again.
            let Ok(read) = self.read(&envelope).await else { continue };
            if let Some((message, claim)) = read {
                if !inbox.deliver(message).await {
                    continue;
                }
                claim.taken();
            }
            // If its socket is gone it comes again by another one, and is acknowledged there.
            let _ = taken.send(envelope.envelope_id).await;
        }
    }

    async fn read(&self, envelope: &Envelope) -> Result<Option<(InboundMessage, Claim<String>)>, Again> {
        let identity = self.identity.get().ok_or(Again)?;
        let reading = Reading { account: &self.meta.account, identity };
        let payload = &envelope.payload;
        let said = match envelope.kind.as_str() {
            "events_api" => reading.event(payload),
            "interactive" => reading.interaction(payload),
            "slash_commands" => Deserialize::deserialize(payload)
                .map_err(|_| "it is malformed")
                .and_then(|it| reading.command(it)),
            _ => Err("it is of no known kind"),
        };
        self.settle(said).await
    }

    /// One socket after another, the next one open before the one before is left, until one breaks.
    async fn connection(
        &self,
        queue: &mpsc::Sender<Waiting>,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> End {
        if let Err(end) = self.recognise(shutdown).await {
            return end;
        }
        let mut backoff = Backoff::new(self.world.clone(), self.retry.0, self.retry.1);
        let (mut old, mut delay) = (None, Duration::ZERO);
        loop {
            let leaving = CancellationToken::new();
            let begun = Instant::now();
            let mut line = Box::pin(self.line(delay, leaving.clone(), queue, inbox, shutdown));
            loop {
                tokio::select! {
                    biased;
                    () = leaving.cancelled() => break,
                    () = over(&mut old) => old = None,
                    end = &mut line => {
                        // The one before may still bring something, and has to be told what was taken.
                        if let Some(old) = old {
                            old.await;
                        }
                        return end;
                    }
                }
            }
            delay = if begun.elapsed() < GOOD { backoff.next() } else { Duration::ZERO };
            if delay.is_zero() {
                backoff.reset();
            }
            old = Some(line);
        }
    }

    /// One socket, from its opening to its end. It says by `leaving` when Slack wants us to take another one, and goes on
    /// until it is closed.
    async fn line(
        &self,
        delay: Duration,
        leaving: CancellationToken,
        queue: &mpsc::Sender<Waiting>,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> End {
        let opened = async {
            sleep(delay).await;
            self.open_socket().await
        };
        let opened = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            opened = opened => opened,
        };
        let mut socket = match opened {
            Ok(socket) => socket,
            Err(end) => return end,
        };
        self.ready(inbox);
        let (taken, mut acknowledgements) = mpsc::channel::<String>(WAITING);
        // Once it is `None` nothing more is read, and what was read is still acknowledged.
        let mut taken = Some(taken);
        loop {
            // First the room: what is read must have a place.
            let came = async { (queue.reserve().await, socket.next().await) };
            tokio::select! {
                () = shutdown.cancelled(), if taken.is_some() => taken = None,
                id = acknowledgements.recv() => {
                    let Some(id) = id else {
                        socket.close(1000).await;
                        return End::Stopped;
                    };
                    if let Err(end) = socket.send(json!({ "envelope_id": id }).to_string()).await {
                        return lost(&end);
                    }
                }
                (room, frame) = came, if taken.is_some() => {
                    let word = match frame {
                        Ok(Frame::Text(text)) => serde_json::from_str(&text).ok(),
                        Ok(Frame::Binary(_)) => None,
                        Err(end) => return lost(&end),
                    };
                    match (word, &taken, room) {
                        (Some(Word::Envelope(envelope)), Some(taken), Ok(room)) => {
                            room.send(Waiting { envelope, taken: taken.clone() });
                        }
                        (Some(Word::Disconnect { reason }), ..) => match reason.as_str() {
                            "warning" | "refresh_requested" => leaving.cancel(),
                            reason => return sent_away(reason),
                        },
                        (Some(Word::Hello {}), ..) => {}
                        _ => {
                            let account = &self.meta.account;
                            tracing::debug!(%account, "a frame is dropped: it can't be read");
                        }
                    }
                }
            }
        }
    }

    /// A socket on which Slack has said hello.
    async fn open_socket(&self) -> Result<Socket, End> {
        let url = self.api.socket().await.map_err(|error| api::end(&error, "app_token"))?;
        if !self.leads_to_slack(url.reveal()) {
            return Err(End::Lost("Slack names a socket on a host that is not its own".to_owned()));
        }
        let address = SocketAddress::parse(url.reveal()).map_err(End::Lost)?;
        let socket = Socket::connect(&address, http::HeaderMap::new(), self.proxy.as_ref()).await;
        let mut socket = socket.map_err(|end| lost(&end))?;
        let hello = timeout(HELLO, async {
            loop {
                let Frame::Text(text) = socket.next().await.map_err(|end| lost(&end))? else { continue };
                match serde_json::from_str(&text) {
                    Ok(Word::Hello {}) => return Ok(()),
                    Ok(Word::Disconnect { reason }) => return Err(sent_away(&reason)),
                    _ => {}
                }
            }
        });
        match hello.await {
            Ok(Ok(())) => Ok(socket),
            Ok(Err(end)) => Err(end),
            Err(_) => Err(End::Lost("Slack does not say hello".to_owned())),
        }
    }

    /// Whether a socket's address is one of Slack's, or of where the Web API is.
    fn leads_to_slack(&self, address: &str) -> bool {
        // `wss` is over TLS what `https` is, and `ws` is `http`.
        let Some(rest) = address.strip_prefix("ws") else { return false };
        Url::parse(&format!("http{rest}")).is_ok_and(|url| self.hosts.allows(&url))
    }
}

/// Waits for the end of what is there; for ever where nothing is.
async fn over<T>(line: &mut Option<impl Future<Output = T> + Unpin>) {
    match line {
        Some(line) => drop(line.await),
        None => std::future::pending().await,
    }
}

fn lost(end: &SocketEnd) -> End {
    End::Lost(end.to_string())
}

fn sent_away(reason: &str) -> End {
    End::Lost(match reason {
        "link_disabled" => "Socket Mode is turned off in the app's settings".to_owned(),
        "too_many_websockets" => {
            "the app has as many sockets as it may have: other programs use its token too".to_owned()
        }
        reason => format!("Slack ends the connection: {}", escape(reason)),
    })
}
