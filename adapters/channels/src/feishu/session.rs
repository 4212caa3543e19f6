//! Events by connection.
//!
//! The connection puts what it brings into a queue, and sends the answers that come back from it. One worker takes the
//! queue's events to the gate, one after another. While the queue is full the connection is not read; Feishu sends again
//! what it has no answer for.

use std::time::Duration;

use dmgate::{ChannelError, Inbox, escape};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::api::{Endpoint, ping_interval};
use super::frame::Frame;
use super::parts::Parts;
use super::{Feishu, api};
use crate::api::ApiError;
use crate::life::{End, stay_connected};
use crate::socket::{self, Socket, SocketAddress, SocketEnd};

/// Events that are received and not yet taken; more wait at Feishu.
const WAITING: usize = 512;

/// How often Feishu wants a sign of life where it does not say so, and the longest wait between two. Feishu says two
/// minutes; a connection that is quiet for so long is given up by whatever lies in between, and by us.
const PING: Duration = Duration::from_secs(30);

/// An event that waits for its turn.
struct Waiting {
    event: Vec<u8>,
    /// What is answered to.
    frame: Frame,
    answers: mpsc::Sender<Frame>,
}

impl Feishu {
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

    /// Takes events to the gate, and has them answered.
    async fn work(&self, mut waiting: mpsc::Receiver<Waiting>, inbox: &Inbox) {
        while let Some(Waiting { event, frame, answers }) = waiting.recv().await {
            let event: Value = serde_json::from_slice(&event).unwrap_or_default();
            let is_taken = match self.read(&event).await {
                Ok(None) => true,
                Ok(Some((message, claim))) => {
                    let is_taken = inbox.deliver(message).await;
                    if is_taken {
                        claim.taken();
                    }
                    is_taken
                }
                Err(_) => false,
            };
            // If its connection is gone it comes again by another one, and is answered there.
            let _ = answers.send(frame.answer(is_taken)).await;
        }
    }

    /// Who we are, asked for once.
    pub(super) async fn recognise(&self) -> Result<(), ApiError> {
        if self.own_id.get().is_none()
            && let Some(own_id) = self.api.own_id().await?
        {
            let _ = self.own_id.set(own_id);
        }
        Ok(())
    }

    /// One connection, from its opening to its end.
    async fn connection(
        &self,
        queue: &mpsc::Sender<Waiting>,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> End {
        let opened = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            opened = self.open_socket() => opened,
        };
        let (mut socket, service, mut interval) = match opened {
            Ok(opened) => opened,
            Err(end) => return end,
        };
        self.ready(inbox);
        let mut parts = Parts::default();
        let mut next_ping = Instant::now();
        let (answers, mut answered) = mpsc::channel::<Frame>(WAITING);
        // Once it is `None` nothing more is read, and what was read is still answered.
        let mut answers = Some(answers);
        loop {
            // First the room: what is read must have a place.
            let came = async { (queue.reserve().await, socket.next().await) };
            tokio::select! {
                () = shutdown.cancelled(), if answers.is_some() => answers = None,
                answer = answered.recv() => {
                    let Some(answer) = answer else {
                        socket.close(1000).await;
                        return End::Stopped;
                    };
                    if let Err(end) = socket.send_bytes(answer.encode()).await {
                        return lost(&end);
                    }
                }
                () = sleep_until(next_ping) => {
                    if let Err(end) = socket.send_bytes(Frame::ping(service).encode()).await {
                        return lost(&end);
                    }
                    next_ping = Instant::now() + interval;
                }
                (room, frame) = came, if answers.is_some() => {
                    let frame = match frame {
                        Ok(socket::Frame::Binary(bytes)) => Frame::decode(&bytes),
                        Ok(socket::Frame::Text(_)) => None,
                        Err(end) => return lost(&end),
                    };
                    match (self.sort(frame, &mut parts), &answers, room) {
                        (Sorted::Event(event, frame), Some(answers), Ok(room)) => {
                            room.send(Waiting { event, frame, answers: answers.clone() });
                        }
                        (Sorted::Interval(wanted), ..) => interval = wanted.min(PING),
                        _ => {}
                    }
                }
            }
        }
    }

    /// What a frame is about. What can't be read is dropped.
    fn sort(&self, frame: Option<Frame>, parts: &mut Parts) -> Sorted {
        let account = &self.meta.account;
        let Some(frame) = frame else {
            tracing::warn!(%account, "a frame is dropped: it can't be read");
            return Sorted::Nothing;
        };
        match (frame.is_data(), frame.header("type")) {
            (true, Some("event")) => match parts.add(&frame) {
                Ok(Some(event)) => Sorted::Event(event, frame),
                Ok(None) => Sorted::Nothing,
                Err(reason) => {
                    tracing::warn!(%account, "a frame is dropped: {reason}");
                    Sorted::Nothing
                }
            },
            (false, Some("pong")) => {
                let settings = serde_json::from_slice(&frame.payload).unwrap_or_default();
                ping_interval(&settings).map_or(Sorted::Nothing, Sorted::Interval)
            }
            _ => Sorted::Nothing,
        }
    }

    /// A connection, what it serves, and how often it wants a sign of life.
    async fn open_socket(&self) -> Result<(Socket, u64, Duration), End> {
        let end = |error: ApiError| api::end(&error);
        let Endpoint { url, ping } = self.api.endpoint().await.map_err(end)?;
        let address = self.hosts.allow_socket(url.reveal());
        let address =
            address.ok_or_else(|| End::Lost("Feishu names a host that is not its own".to_owned()))?;
        // Who we are is not needed to receive; an app may be refused that.
        if let Err(error) = self.recognise().await {
            tracing::debug!(account = %self.meta.account, "who we are is not known: {error}");
        }
        let service = address.query_pairs().find(|(name, _)| name == "service_id");
        let service = service.and_then(|(_, service)| service.parse().ok()).unwrap_or_default();
        let address = SocketAddress::parse(url.reveal()).map_err(End::Lost)?;
        let socket = Socket::connect(&address, http::HeaderMap::new(), self.proxy.as_ref()).await;
        Ok((socket.map_err(|end| lost(&end))?, service, ping.unwrap_or(PING).min(PING)))
    }
}

/// What a frame is about.
enum Sorted {
    Event(Vec<u8>, Frame),
    /// How often a sign of life is wanted.
    Interval(Duration),
    Nothing,
}

fn lost(end: &SocketEnd) -> End {
    match end {
        SocketEnd::Closed { code, reason } if !reason.is_empty() => {
            let code = code.map_or(String::new(), |code| format!(" ({code})"));
            End::Lost(format!("Feishu closed the connection{code}: {}", escape(reason)))
        }
        end => End::Lost(end.to_string()),
    }
}
