//! Events as the daemon sends them.

use std::pin::pin;

use dmgate::{ChannelStatus, Inbox};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Signal;
use super::envelope::{self, Parts};
use crate::api::ApiError;
use crate::backoff::wait;
use crate::client::Endless;
use crate::life::End;
use crate::login;
use crate::sse::{Event, Events};

impl Signal {
    /// One connection, until it ends or `shutdown`.
    pub(super) async fn receive(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        if let Err(end) = self.await_account(shutdown).await {
            return end;
        }
        let answer = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            answer = self.connect(inbox) => answer,
        };
        match answer {
            Ok(answer) => self.listen(answer, inbox, shutdown).await,
            Err(error) => End::Lost(error.to_string()),
        }
    }

    /// Waits until the daemon has our account: the owner may link it at any time.
    async fn await_account(&self, shutdown: &CancellationToken) -> Result<(), End> {
        loop {
            let has_account = tokio::select! {
                () = shutdown.cancelled() => return Err(End::Stopped),
                has_account = self.daemon.has_account() => has_account,
            };
            match has_account {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let command = login::command(&self.meta.account);
                    self.status.set(ChannelStatus::NeedsLogin(format!(
                        "signal-cli has no account {}; run `{command}`, or `signal-cli register`",
                        self.own.as_str()
                    )));
                }
                Err(error) => return Err(End::Lost(error.to_string())),
            }
            if !wait(self.pace.login, shutdown).await {
                return Err(End::Stopped);
            }
        }
    }

    /// Begins to listen. The daemon's answer may take 15 seconds; it has our request when it answers another one, and
    /// from then on nothing is missed.
    async fn connect(&self, inbox: &Inbox) -> Result<Endless, ApiError> {
        let after = self.kept.get().await.event;
        let mut answer = pin!(self.daemon.listen(after.as_deref(), self.pace.quiet));
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer?,
            checked = self.daemon.check() => {
                checked?;
                self.ready(inbox);
                return answer.await;
            }
        };
        self.ready(inbox);
        Ok(answer)
    }

    fn ready(&self, inbox: &Inbox) {
        self.status.set(ChannelStatus::Ready);
        inbox.reachable(&self.meta.account);
    }

    /// Hands events on. While nobody has time for them they wait with the daemon.
    async fn listen(&self, mut answer: Endless, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let mut events = Events::default();
        loop {
            let chunk = tokio::select! {
                () = shutdown.cancelled() => return End::Stopped,
                chunk = timeout(self.pace.quiet, answer.chunk()) => chunk,
            };
            let chunk = match chunk {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None) | Err(_)) => return End::Lost("signal-cli hung up".to_owned()),
                Err(_) => return End::Lost("signal-cli is silent".to_owned()),
            };
            if events.feed(&chunk).is_err() {
                return End::Lost("signal-cli sends an event that never ends".to_owned());
            }
            loop {
                match events.next() {
                    Ok(None) => break,
                    Ok(Some(event)) => {
                        if !self.take(&event, inbox).await {
                            return End::Stopped;
                        }
                    }
                    Err(_) => return End::Lost("signal-cli sends an event that never ends".to_owned()),
                }
            }
            // What was noted is kept, once for all that came together.
            self.kept.change(|_| ()).await;
        }
    }

    /// Takes an event; `false` if nobody takes messages any more.
    async fn take(&self, event: &Event, inbox: &Inbox) -> bool {
        let account = &self.meta.account;
        match self.read(event) {
            Err(reason) => tracing::debug!(%account, "an event is dropped: {reason}"),
            Ok(message) => {
                let stamp = message.message_id.as_deref().and_then(|id| id.parse().ok()).unwrap_or_default();
                // What can't be read at first comes again with the same stamp.
                let is_new =
                    !message.event.acts() || self.seen.is_new((message.sender.primary().clone(), stamp));
                if is_new && !inbox.deliver(message).await {
                    return false;
                }
            }
        }
        if event.id.is_some() {
            self.kept.note(|place| place.event.clone_from(&event.id)).await;
        }
        true
    }

    fn read(&self, event: &Event) -> Result<dmgate::InboundMessage, &'static str> {
        let account = &self.meta.account;
        let said: Value = serde_json::from_str(&event.data).map_err(|_| "it is no JSON")?;
        let parts = Parts::of(&said).ok_or("there is no envelope in it")?;
        // A daemon for a single account does not look at what it is asked for.
        // INVARIANT I8: what another account got is not ours.
        if parts.account.is_some_and(|whose| whose.starts_with('+') && whose != self.own.as_str()) {
            return Err("it is for another account");
        }
        if parts.trouble.is_some_and(|trouble| trouble.contains("UntrustedIdentity")) {
            tracing::warn!(
                %account,
                "somebody's safety number has changed, and what they write can't be read until `signal-cli trust`"
            );
        }
        envelope::read(account, &self.own, parts.envelope)
    }
}
