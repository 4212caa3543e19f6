//! Texts by way of the Mac.

use std::time::Duration;

use dmgate::{ChannelId, ReplyRoute, SendError};
use serde_json::{Map, Value};

use super::route::Route;
use crate::bridge::Speaker;
use crate::rpc::{NO_METHOD, NO_PARAMS, RpcError};

/// How long Messages may take to take a text.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long `imsg` may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

pub(super) async fn text(
    speaker: Option<Speaker>,
    channel: &ChannelId,
    takes_sms: bool,
    route: &ReplyRoute,
    text: &str,
) -> Result<(), SendError> {
    let Some(route) = Route::parse(channel, route) else {
        return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
    };
    let Some(speaker) = speaker else {
        return Err(SendError::Failed { reason: "not connected".to_owned(), retry_after: None });
    };
    let mut params = params(&route, takes_sms);
    params.insert("text".to_owned(), text.into());
    speaker.call("send", &params.into(), PATIENCE).await.map(drop).map_err(|error| outcome(&error))
}

/// Where to. Who is known by a handle only is not written to by SMS, unless they may write by it.
fn params(route: &Route, takes_sms: bool) -> Map<String, Value> {
    let mut params = route.to_params();
    if let Route::Handle(_) = route {
        params.insert("service".to_owned(), if takes_sms { "auto" } else { "imessage" }.into());
    }
    params
}

/// What an error says about whether a text arrived. Messages is asked by AppleScript, and whether it has sent before it
/// failed is not known.
// INVARIANT I6: only what surely did not leave is tried again as if nothing had been sent.
fn outcome(error: &RpcError) -> SendError {
    let reason = told(error);
    match error {
        RpcError::NotSent => SendError::Failed { reason, retry_after: None },
        RpcError::Refused { code: NO_METHOD | NO_PARAMS, .. } => SendError::Impossible { reason },
        RpcError::Lost | RpcError::Refused { .. } => SendError::Unknown { reason },
    }
}

/// An error with what `imsg` says of it, which is in its `data`.
pub(super) fn told(error: &RpcError) -> String {
    let more = match error {
        RpcError::Refused { data: Value::String(more), .. } => format!(" ({})", dmgate::escape(more)),
        _ => String::new(),
    };
    format!("imsg: {error}{more}")
}

/// Shows that we are writing, where `imsg` can; the answer itself does not wait for it for long.
pub(super) async fn typing(speaker: Option<Speaker>, channel: &ChannelId, route: &ReplyRoute) {
    if let (Some(speaker), Some(route)) = (speaker, Route::parse(channel, route)) {
        let mut params = route.to_params();
        params.insert("typing".to_owned(), true.into());
        // Given up half-way, nothing could be said any more: it is done in a task of its own.
        let told = tokio::spawn(async move { speaker.call("typing", &params.into(), TYPING).await });
        let _ = tokio::time::timeout(TYPING, told).await;
    }
}
