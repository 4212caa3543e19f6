//! One conversation, from its first word to its last.

use std::pin::pin;
use std::time::Duration;

use dmgate::{AccountKey, ChannelStatus, Inbox, escape};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Bridge, Link, Overflow, Speaker, message, pulse};
use crate::life::End;
use crate::login;
use crate::rpc::{NO_METHOD, Notification, RpcError};

/// What we speak.
const PROTOCOL: u64 = 1;

/// How long a program may take to say hello; some load much before.
const HELLO: Duration = Duration::from_secs(60);

/// The longest cursor, in bytes.
const CURSOR_LIMIT: usize = 16 * 1024;

/// How the bridge is doing.
#[derive(Deserialize)]
struct Said {
    state: State,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Connecting,
    Ready,
    Login,
    Refused,
}

/// What a bridge is greeted by.
pub(super) fn greeting(account: &AccountKey, purpose: &str, cursor: Option<&str>) -> Value {
    json!({
        "protocol": PROTOCOL,
        "channel": account.channel().as_str(),
        "account": account.account().as_str(),
        "purpose": purpose,
        "cursor": cursor,
    })
}

/// Begins a conversation: the bridge must speak as we do. What it says of itself.
pub(super) async fn hello(speaker: &Speaker, params: &Value) -> Result<Value, End> {
    match speaker.call("hello", params, HELLO).await {
        Ok(said) if said.get("protocol").and_then(Value::as_u64) == Some(PROTOCOL) => Ok(said),
        Ok(_) => Err(End::Refused(format!(
            "the bridge does not speak version {PROTOCOL} of the protocol (docs/channels/BRIDGE.md)"
        ))),
        Err(RpcError::Refused { code, message, .. }) => {
            Err(End::Lost(format!("the bridge does not say hello: {code}: {message}")))
        }
        Err(RpcError::Lost | RpcError::NotSent) => Err(End::Lost("the bridge does not say hello".to_owned())),
    }
}

impl Bridge {
    /// One conversation, until it ends or `shutdown`.
    pub(super) async fn converse(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let account = &self.meta.account;
        let opened = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            opened = self.means.open(account.channel().as_str(), Overflow::Lose, &self.programs) => opened,
        };
        let mut link = match opened {
            Ok(link) => link,
            Err(reason) => return End::Lost(format!("no bridge: {reason}")),
        };
        let params = greeting(account, "run", self.kept.get().await.cursor.as_deref());
        let said = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            said = hello(&link.speaker, &params) => said,
        };
        let end = match said {
            Ok(said) => {
                self.line.lead_to(Some(link.speaker.clone()));
                self.note(&said, inbox);
                self.listen(&mut link, inbox, shutdown).await
            }
            Err(end) => end,
        };
        match end {
            End::Stopped => self.line.keep(link.into_guard()),
            _ => {
                self.line.lead_to(None);
                // One that hangs is still there: two of one account would be in each other's way.
                link.end().await;
            }
        }
        end
    }

    /// Hands on what the bridge says, until it ends or `shutdown`. At a shutdown the conversation stays, for the answers
    /// that are still to be given.
    async fn listen(&self, link: &mut Link, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let mut pulse = pin!(pulse(link.speaker.clone(), "ping", json!({})));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = &mut pulse => return End::Lost("the bridge does not answer".to_owned()),
                said = link.hear() => match said {
                    Some(said) => self.hear(said, &link.speaker, inbox).await,
                    None => return End::Lost(format!("the bridge {}", link.ended().await)),
                },
            }
        }
        // What waits for no answer is not said again.
        link.close_ears();
        while let Some(said) = link.hear().await {
            self.hear(said, &link.speaker, inbox).await;
        }
        End::Stopped
    }

    async fn hear(&self, said: Notification, speaker: &Speaker, inbox: &Inbox) {
        let Notification { method, params, id, .. } = said;
        match method.as_str() {
            "message" => {
                if !self.take(&params, inbox).await {
                    // It is not confirmed, so that it comes again in the next run.
                    return;
                }
            }
            "status" => self.note(&params, inbox),
            _ => {
                if let Some(id) = id {
                    let _ = speaker.refuse(&id, NO_METHOD, "there is no such method").await;
                }
                return;
            }
        }
        if let Some(id) = id {
            let _ = speaker.answer(&id, &json!({})).await;
        }
    }

    /// Takes a message; `false` if nobody takes messages any more.
    async fn take(&self, said: &Value, inbox: &Inbox) -> bool {
        let account = &self.meta.account;
        match message::read(account, said) {
            Err(reason) => tracing::debug!(%account, "a message is dropped: {reason}"),
            Ok((message, key)) => {
                let is_new = key.is_none_or(|key| self.seen.is_new(key));
                if is_new && !inbox.deliver(message).await {
                    return false;
                }
            }
        }
        // Only now: what lies before the cursor never comes again.
        let cursor = said.get("cursor").and_then(Value::as_str);
        if let Some(cursor) = cursor.filter(|cursor| cursor.len() <= CURSOR_LIMIT) {
            self.kept.change(|place| place.cursor = Some(cursor.to_owned())).await;
        }
        true
    }

    /// Notes how the bridge says that it is doing.
    fn note(&self, said: &Value, inbox: &Inbox) {
        let Ok(Said { state, reason }) = Said::deserialize(said) else { return };
        let reason = escape(&reason);
        let or = |or: &str| if reason.is_empty() { or.to_owned() } else { reason.clone() };
        self.status.set(match state {
            State::Connecting => ChannelStatus::Connecting(Some(or("the bridge connects"))),
            State::Ready => ChannelStatus::Ready,
            State::Login => {
                let command = login::command(&self.meta.account);
                ChannelStatus::NeedsLogin(format!("{}; run `{command}`", or("nobody is logged in")))
            }
            // The conversation goes on: the bridge may find that it is let in after all.
            State::Refused => ChannelStatus::Refused(or("the platform refuses the bridge")),
        });
        if matches!(state, State::Ready) {
            inbox.reachable(&self.meta.account);
        }
    }
}
