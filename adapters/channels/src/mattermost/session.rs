//! One connection after another: log in, catch up, then read.

use std::time::Duration;

use dmgate::{ChannelError, ChannelStatus, InboundMessage, Inbox, escape};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::post::{Event, Reading};
use super::{Mattermost, api};
use crate::life::{End, stay_connected};
use crate::socket::{Frame, Socket};

/// Events that are received and not yet taken.
const WAITING: usize = 256;

/// How long the server may take to let us in.
const HELLO: Duration = Duration::from_secs(30);

/// What the worker is to do.
pub(super) enum Step {
    /// Hand a message on.
    Take(Taken),
    /// Note that everything up to a moment was handed on.
    Until(i64),
}

/// A message on its way.
pub(super) struct Taken {
    pub(super) message: Box<InboundMessage>,
    /// Of a new post.
    pub(super) id: Option<String>,
    /// How far we are when it is taken, in milliseconds.
    pub(super) until: Option<i64>,
}

/// What the server answers to something that we said.
#[derive(Deserialize)]
struct Answer {
    seq_reply: i64,
    status: Option<String>,
    error: Option<Value>,
}

/// What the server says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Answer(Answer),
    Event(Event),
}

impl Mattermost {
    /// Receives until `shutdown`.
    pub(super) async fn connect(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let (steps, taken) = mpsc::channel(WAITING);
        let receive = async move {
            let connection = || self.connection(&steps, inbox, shutdown);
            stay_connected(&self.world, self.retry, &self.status, shutdown, connection).await
            // With it ends the queue; the worker takes what is in it.
        };
        let (outcome, ()) = tokio::join!(receive, self.work(taken, inbox));
        outcome
    }

    async fn connection(
        &self,
        steps: &mpsc::Sender<Step>,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> End {
        let entered = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            entered = self.enter(steps) => entered,
        };
        let (own_id, mut socket) = match entered {
            Ok(entered) => entered,
            Err(end) => return end,
        };
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
        let reading = Reading { account: &self.meta.account, own_id };
        // The hello was number zero.
        let mut number = 1;
        loop {
            // First the room: what is read must have a place.
            let came = async { (steps.reserve().await, socket.next().await) };
            let (room, frame) = tokio::select! {
                () = shutdown.cancelled() => break,
                came = came => came,
            };
            let (Ok(room), Ok(frame)) = (room, &frame) else {
                return frame.err().map_or(End::Stopped, |end| End::from(&end));
            };
            let Some(Word::Event(event)) = word(frame) else { continue };
            if event.seq != number {
                // What is missing is asked for when we are back.
                socket.close(1000).await;
                return End::Lost(format!(
                    "the server left events out: {} came after {}",
                    event.seq,
                    number - 1
                ));
            }
            number += 1;
            match read(reading, &event) {
                Ok(taken) => room.send(Step::Take(taken)),
                Err(reason) => {
                    tracing::debug!(account = %self.meta.account, "an event is dropped: {reason}");
                }
            }
        }
        socket.close(1000).await;
        End::Stopped
    }

    /// Connects, logs in, and catches up.
    async fn enter(&self, steps: &mpsc::Sender<Step>) -> Result<(&str, Socket), End> {
        let own_id = self.api.own_id().await.map_err(|error| api::end(&error))?;
        // A token's user is the same for ever.
        let own_id = self.own_id.get_or_init(|| own_id);
        let socket = Socket::connect(&self.socket, http::HeaderMap::new(), self.proxy.as_ref()).await;
        let mut socket = socket.map_err(|end| End::from(&end))?;
        socket.send(self.api.challenge()).await.map_err(|end| End::from(&end))?;
        match timeout(HELLO, hello(&mut socket)).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(End::Lost("the server does not let us in".to_owned())),
        }
        // What is posted from now on comes by the socket.
        self.catch_up(own_id, steps).await?;
        Ok((own_id, socket))
    }
}

/// Waits until the server lets us in.
async fn hello(socket: &mut Socket) -> Result<(), End> {
    loop {
        let frame = socket.next().await.map_err(|end| End::from(&end))?;
        match word(&frame) {
            Some(Word::Answer(Answer { seq_reply: 1, status, error })) if status.as_deref() != Some("OK") => {
                let said = error.as_ref().and_then(|error| error.get("message")).and_then(Value::as_str);
                let said = escape(said.unwrap_or("no reason is given"));
                return Err(End::Lost(format!("the server does not let us in: {said}")));
            }
            Some(Word::Event(event)) if event.event == "hello" => return Ok(()),
            _ => {}
        }
    }
}

fn word(frame: &Frame) -> Option<Word> {
    match frame {
        Frame::Text(text) => serde_json::from_str(text).ok(),
        Frame::Binary(_) => None,
    }
}

fn read(reading: Reading<'_>, event: &Event) -> Result<Taken, &'static str> {
    match event.posted() {
        Some((post, place, name)) => {
            let (id, created) = (post.id.clone(), post.create_at);
            let message = reading.post(post, place, name)?;
            // Only what would be asked for says how far we are.
            let until = (place.kind == "D").then_some(created);
            Ok(Taken { message: Box::new(message), id: Some(id), until })
        }
        None => Ok(Taken { message: Box::new(reading.event(event)?), id: None, until: None }),
    }
}
