//! One connection after another.

use std::sync::Arc;

use dmgate::{ChannelError, InboundMessage, Inbox};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connect::connect;
use super::{Irc, session};
use crate::dial::Stream;
use crate::life::{self, End};

/// Messages that wait for the gate. It waits for nobody for long; when there are more, they are lost, since a server
/// can't be asked to say anything again, and a connection that is not read dies.
const WAITING: usize = 256;

/// What a connection has for the gate.
pub(super) enum Inbound {
    /// We are in: senders can be reached.
    Ready,
    /// Somebody wrote.
    Message(Box<InboundMessage>),
}

impl Irc {
    /// Connects, and connects again, until `shutdown`.
    pub(super) async fn stay_connected(
        &self,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let connection = || async {
            let connected = tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                connected = connect(&self.shared.settings) => connected,
            };
            match connected {
                Ok(stream) => self.attend(stream, inbox, shutdown).await,
                Err(reason) => End::Lost(reason),
            }
        };
        life::stay_connected(&self.world, self.retry, &self.shared.status, shutdown, connection).await
    }

    /// Hands on what comes in on one connection, until it ends or `shutdown`. At a shutdown the connection stays, for the
    /// answers that are still to be given.
    pub(super) async fn attend(
        &self,
        stream: impl Stream + 'static,
        inbox: &Inbox,
        shutdown: &CancellationToken,
    ) -> End {
        let stop = CancellationToken::new();
        let (sender, mut inbound) = mpsc::channel(WAITING);
        let connection = tokio::spawn(session::serve(stream, Arc::clone(&self.shared), sender, stop.clone()));
        // Whoever drops the run, or the adapter, ends the connection.
        let guard = stop.drop_guard();
        let deliver = async |inbound| match inbound {
            Inbound::Ready => inbox.reachable(self.shared.account()),
            // Within a run nothing is refused, and IRC has nothing to confirm.
            Inbound::Message(message) => drop(inbox.deliver(*message).await),
        };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                came = inbound.recv() => match came {
                    Some(came) => deliver(came).await,
                    None => return connection.await.unwrap_or_else(|_| End::Lost("the connection broke down".to_owned())),
                }
            }
        }
        // The server does not say again what is here already.
        inbound.close();
        while let Some(came) = inbound.recv().await {
            deliver(came).await;
        }
        if self.shared.is_open() {
            self.keep(Some(guard));
        }
        End::Stopped
    }
}
