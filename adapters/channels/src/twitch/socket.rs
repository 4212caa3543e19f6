//! Events over a WebSocket.

use std::pin::Pin;
use std::time::Duration;

use dmgate::{InboundMessage, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::api::As;
use super::auth::{Fault, HOUR, Me};
use super::{Twitch, event};
use crate::api::Trouble;
use crate::backoff::at;
use crate::life::End;
use crate::socket::{Frame, Socket, SocketAddress, SocketEnd};

/// How long Twitch may be silent before it must say that it is there. Shorter than what makes us ask: Twitch ends the
/// connection of whoever says anything.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How much later than promised it may be.
const LEEWAY: Duration = Duration::from_secs(6);

/// How long Twitch may take to its first word.
const WELCOME: Duration = Duration::from_secs(20);

/// Twitch ends a connection that subscribes to nothing for so long.
const SUBSCRIBE: Duration = Duration::from_secs(10);

/// How long a connection that was left is still read: what is on its way comes.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a whisper waits for room in the queue. Meanwhile nothing is read.
const ROOM: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Word {
    metadata: Metadata,
    #[serde(default)]
    payload: Value,
}

#[derive(Deserialize)]
struct Metadata {
    message_id: String,
    message_type: String,
    message_timestamp: String,
}

/// A connection that was welcomed.
struct Open {
    socket: Socket,
    session: String,
    patience: Duration,
}

/// The connection at work.
struct Line<'a> {
    twitch: &'a Twitch,
    own_id: &'a str,
    queue: &'a mpsc::Sender<InboundMessage>,
    /// The queue was full, and nobody waits for it any more.
    is_full: bool,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<Open, End>> + Send + 'a>>;

impl Twitch {
    /// Connects, subscribes, and reads until the end.
    pub(super) async fn listen(
        &self,
        me: &Me,
        queue: &mpsc::Sender<InboundMessage>,
        ready: &(impl Fn() + Sync),
        shutdown: &CancellationToken,
    ) -> End {
        let begun = async {
            let separator = if self.socket_url.contains('?') { '&' } else { '?' };
            let seconds = KEEPALIVE.as_secs();
            let open = self
                .connect(&format!("{}{separator}keepalive_timeout_seconds={seconds}", self.socket_url))
                .await?;
            let transport = json!({ "method": "websocket", "session_id": open.session });
            match timeout(SUBSCRIBE, self.helix.subscribe(As::User, &me.user_id, transport)).await {
                Ok(subscribed) => subscribed.map_err(unsubscribed)?,
                Err(_) => return Err(End::Lost("Twitch did not subscribe us in time".to_owned())),
            };
            Ok(open)
        };
        let begun = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            begun = begun => begun,
        };
        match begun {
            Ok(open) => {
                ready();
                let mut line = Line { twitch: self, own_id: &me.user_id, queue, is_full: false };
                line.serve(open, shutdown).await
            }
            Err(end) => end,
        }
    }

    /// Connects, and waits to be welcomed.
    async fn connect(&self, url: &str) -> Result<Open, End> {
        let address = SocketAddress::parse(url).map_err(End::Lost)?;
        let socket = Socket::connect(&address, http::HeaderMap::new(), self.proxy.as_ref()).await;
        let mut socket = socket.map_err(|end| End::from(&end))?;
        let welcome = async {
            loop {
                let Frame::Text(text) = socket.next().await.map_err(|end| End::from(&end))? else { continue };
                let Ok(word) = serde_json::from_str::<Word>(&text) else { continue };
                if word.metadata.message_type == "session_welcome" {
                    return Ok::<_, End>(word.payload);
                }
            }
        };
        let welcome =
            timeout(WELCOME, welcome).await.map_err(|_| End::Lost("Twitch says nothing".to_owned()))??;
        let session = welcome.pointer("/session/id").and_then(Value::as_str);
        let session =
            session.ok_or_else(|| End::Lost("Twitch does not say what the session is called".to_owned()))?;
        let seconds = welcome.pointer("/session/keepalive_timeout_seconds").and_then(Value::as_u64);
        let patience = seconds.map_or(KEEPALIVE, Duration::from_secs).min(KEEPALIVE) + LEEWAY;
        Ok(Open { session: session.to_owned(), patience, socket })
    }
}

impl<'a> Line<'a> {
    /// Reads until the end. Where Twitch moves us, the old connection is read until the new one is there, and for a
    /// moment more.
    async fn serve(&mut self, open: Open, shutdown: &CancellationToken) -> End {
        let Open { mut socket, mut patience, .. } = open;
        let mut before: Option<(Socket, Instant)> = None;
        let mut opening: Option<Opening<'a>> = None;
        let mut heard = Instant::now();
        let mut validate = Instant::now() + HOUR;
        loop {
            let drained = before.as_ref().map(|(_, until)| *until);
            let worked = tokio::select! {
                () = shutdown.cancelled() => Err(End::Stopped),
                frame = socket.next() => match frame {
                    Ok(frame) => {
                        heard = Instant::now();
                        self.take(&frame, &mut opening).await
                    }
                    // It may be over before the new one is there.
                    Err(end) if opening.is_none() => Err(End::from(&end)),
                    Err(_) => tokio::select! {
                        () = shutdown.cancelled() => Err(End::Stopped),
                        opened = opened(&mut opening) => opened.map(|open| {
                            opening = None;
                            (socket, patience, heard) = (open.socket, open.patience, Instant::now());
                        }),
                    },
                },
                frame = next_of(&mut before) => match frame {
                    Ok(frame) => self.take(&frame, &mut None).await,
                    Err(_) => {
                        before = None;
                        Ok(())
                    }
                },
                opened = opened(&mut opening) => {
                    opening = None;
                    match opened {
                        Ok(open) => {
                            before = Some((std::mem::replace(&mut socket, open.socket), Instant::now() + DRAIN));
                            (patience, heard) = (open.patience, Instant::now());
                        }
                        // The old one goes on as long as it does.
                        Err(end) => {
                            let account = &self.twitch.meta.account;
                            tracing::warn!(%account, "the connection that Twitch moves us to is none: {end:?}");
                        }
                    }
                    Ok(())
                }
                () = at(drained) => {
                    if let Some((before, _)) = before.take() {
                        before.close(1_000).await;
                    }
                    Ok(())
                }
                () = sleep_until(heard + patience) => Err(End::Lost("Twitch is silent".to_owned())),
                () = sleep_until(validate) => {
                    validate = Instant::now() + HOUR;
                    self.twitch.revalidate().await
                }
            };
            if let Err(end) = worked {
                socket.close(1_000).await;
                return end;
            }
        }
    }

    /// Takes one frame of Twitch's.
    async fn take(&mut self, frame: &Frame, opening: &mut Option<Opening<'a>>) -> Result<(), End> {
        let account = &self.twitch.meta.account;
        let Frame::Text(text) = frame else { return Ok(()) };
        let Ok(word) = serde_json::from_str::<Word>(text) else {
            tracing::debug!(%account, "a word of Twitch's can't be read");
            return Ok(());
        };
        match word.metadata.message_type.as_str() {
            "notification" => return self.notified(word).await,
            "session_reconnect" => {
                let url = word.payload.pointer("/session/reconnect_url").and_then(Value::as_str);
                match url.filter(|url| self.twitch.sockets.allows_socket(url)) {
                    Some(url) => {
                        let (twitch, url) = (self.twitch, url.to_owned());
                        *opening = Some(Box::pin(async move { twitch.connect(&url).await }));
                    }
                    None => {
                        tracing::warn!(%account, "Twitch is said to move us to a host that is not its own");
                    }
                }
            }
            "revocation" => {
                let status = word.payload.pointer("/subscription/status").and_then(Value::as_str);
                return Err(revoked(status.unwrap_or_default()));
            }
            _ => {}
        }
        Ok(())
    }

    async fn notified(&mut self, word: Word) -> Result<(), End> {
        let account = &self.twitch.meta.account;
        let stamp = Timestamp::parse(&word.metadata.message_timestamp);
        let message = match event::parse(account, self.own_id, &word.payload, stamp) {
            Ok(message) => message,
            Err(reason) => {
                tracing::debug!(%account, "an event is dropped: {reason}");
                return Ok(());
            }
        };
        if !self.twitch.seen.is_new(word.metadata.message_id) {
            return Ok(());
        }
        let room = if self.is_full { Duration::ZERO } else { ROOM };
        match self.queue.send_timeout(message, room).await {
            Ok(()) => self.is_full = false,
            Err(mpsc::error::SendTimeoutError::Closed(_)) => return Err(End::Stopped),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                if !self.is_full {
                    tracing::warn!(%account, "messages are lost: more come in than can be worked off");
                }
                self.is_full = true;
            }
        }
        Ok(())
    }
}

/// What the end of a subscription means.
pub(super) fn revoked(status: &str) -> End {
    match status {
        "user_removed" => {
            End::Refused("Twitch ended the subscription: the user does not exist any more".to_owned())
        }
        "version_removed" => End::Refused(
            "Twitch ended the subscription: this version of whispers' events is gone; update dmgate"
                .to_owned(),
        ),
        // Whether the token still does is seen when we connect again.
        status => End::Lost(format!("Twitch ended the subscription ({})", dmgate::escape(status))),
    }
}

/// Why we are not subscribed.
pub(super) fn unsubscribed(fault: Fault) -> End {
    match fault {
        Fault::Api(error) => match error.trouble {
            Trouble::Refused { status: 403, .. } => {
                End::NeedsLogin(format!("{error}; the user has to allow the application to manage whispers"))
            }
            _ => Fault::Api(error).end(),
        },
        fault => fault.end(),
    }
}

async fn next_of(before: &mut Option<(Socket, Instant)>) -> Result<Frame, SocketEnd> {
    match before {
        Some((socket, _)) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn opened(opening: &mut Option<Opening<'_>>) -> Result<Open, End> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}
