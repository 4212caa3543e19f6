//! Texts by way of the daemon.

use std::time::Duration;

use dmgate::{AccountKey, ChannelId, ReplyRoute, SendError, SenderId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Daemon, DaemonError};
use crate::rpc::NO_PARAMS;

/// How long the daemon may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// The daemon's codes: it can't do that, Signal's servers are not reached, the recipient has new keys, it is too much.
const USER: i64 = -1;
const UNTRUSTED: i64 = -4;
const RATE_LIMIT: i64 = -5;

/// What became of a text.
#[derive(Deserialize)]
struct Sent {
    /// The text's id.
    timestamp: Option<i64>,
    #[serde(default)]
    results: Vec<Outcome>,
}

/// What became of it for one recipient.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    #[serde(rename = "type")]
    kind: String,
    retry_after_seconds: Option<u64>,
}

pub(super) async fn text(
    daemon: &Daemon,
    account: &AccountKey,
    route: &ReplyRoute,
    text: &str,
) -> Result<(), SendError> {
    let Some(mut params) = recipient(account.channel(), route) else {
        return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
    };
    params.insert("message".to_owned(), text.into());
    let sent = judge(daemon.call("send", params).await);
    if let Err(SendError::Impossible { reason }) = &sent
        && reason == NEW_KEYS
    {
        let (own, person) = (daemon.account(), route.as_str().trim_start_matches("uuid:"));
        tracing::warn!(
            %account,
            "{NEW_KEYS}; once you are sure that it is them: `signal-cli -a {own} trust -a {person}`"
        );
    }
    sent
}

const NEW_KEYS: &str =
    "the person's safety number has changed, and nothing is sent to them until the owner trusts it";

/// What became of a text, as the daemon says.
// INVARIANT I6: only what surely did not leave is tried again as if nothing had been sent.
fn judge(said: Result<Value, DaemonError>) -> Result<(), SendError> {
    let unknown = |reason: String| Err(SendError::Unknown { reason });
    match said {
        Ok(sent) => match Sent::deserialize(sent) {
            Ok(Sent { timestamp: Some(_), results }) => each(&results),
            _ => unknown("signal-cli does not say what became of it".to_owned()),
        },
        Err(DaemonError::Api(error)) => Err(error.outcome(|_, _| false)),
        Err(DaemonError::Refused { code, message, response }) => {
            let results = Sent::deserialize(response).map(|sent| sent.results).unwrap_or_default();
            // What it says of the one recipient is more than that it failed.
            each(&results)?;
            let reason = format!("signal-cli answers {code}: {message}");
            match code {
                UNTRUSTED => Err(SendError::Impossible { reason: NEW_KEYS.to_owned() }),
                USER => Err(SendError::Impossible { reason }),
                // The latter: there is no such account.
                RATE_LIMIT | NO_PARAMS => Err(SendError::Failed { reason, retry_after: None }),
                _ => unknown(reason),
            }
        }
    }
}

/// What became of it for the one recipient that there is.
fn each(results: &[Outcome]) -> Result<(), SendError> {
    let Some(outcome) = results.iter().find(|outcome| outcome.kind != "SUCCESS") else { return Ok(()) };
    let failed = |reason: &str, retry_after: Option<u64>| SendError::Failed {
        reason: reason.to_owned(),
        retry_after: retry_after.map(Duration::from_secs),
    };
    Err(match outcome.kind.as_str() {
        "IDENTITY_FAILURE" => SendError::Impossible { reason: NEW_KEYS.to_owned() },
        "UNREGISTERED_FAILURE" => {
            SendError::Impossible { reason: "the person is not on Signal any more".to_owned() }
        }
        "RATE_LIMIT_FAILURE" => failed(
            "Signal wants to know that we are no machine; see `signal-cli submitRateLimitChallenge`",
            outcome.retry_after_seconds,
        ),
        "INVALID_PRE_KEY_FAILURE" => failed("the person's keys can't be used now", None),
        // It may have left before the network broke.
        other => SendError::Unknown { reason: format!("Signal: {}", dmgate::escape(other)) },
    })
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(daemon: &Daemon, channel: &ChannelId, route: &ReplyRoute) {
    if let Some(params) = recipient(channel, route) {
        let _ = tokio::time::timeout(TYPING, daemon.call("sendTyping", params)).await;
    }
}

/// The person behind a route, as the daemon is told.
fn recipient(channel: &ChannelId, route: &ReplyRoute) -> Option<Map<String, Value>> {
    let id = SenderId::parse(channel, route.as_str()).ok().filter(|id| id.as_str() == route.as_str())?;
    let plain = id.as_str().strip_prefix("uuid:").unwrap_or(id.as_str());
    Some(Map::from_iter([("recipient".to_owned(), json!([plain]))]))
}
