//! Texts to a bridge, and files from it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::{AttachmentFile, FetchError, OutboundText, ReplyRoute, SendError};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::Speaker;
use super::route::Route;
use crate::rpc::{NO_METHOD, NO_PARAMS, RpcError};

/// How long a bridge may take to send a text, or to give a piece of a file.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take to hear that we are writing.
const TYPING: Duration = Duration::from_secs(3);

/// The longest piece of a file, in bytes.
const PIECE: u64 = 256 * 1024;

/// The text surely did not arrive; another try may help.
const NOT_SENT: i64 = -32_001;

/// It never will: the person blocked us, or is gone.
const HOPELESS: i64 = -32_002;

#[derive(Deserialize)]
struct Piece {
    data: String,
    #[serde(default)]
    end: bool,
}

pub(super) async fn text(
    speaker: Option<Speaker>,
    route: &ReplyRoute,
    text: &OutboundText,
) -> Result<(), SendError> {
    let Some(route) = Route::parse(route) else {
        return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
    };
    let Some(speaker) = speaker else {
        return Err(SendError::Failed { reason: "not connected".to_owned(), retry_after: None });
    };
    let mut params = route.to_params();
    params.insert("text".to_owned(), text.body.as_str().into());
    params.insert("key".to_owned(), text.idempotency_key.as_str().into());
    speaker.call("send", &params.into(), PATIENCE).await.map(drop).map_err(outcome)
}

/// What an error says about whether a text arrived.
// INVARIANT I6: only where the bridge says that it did not leave is it tried again as if nothing had been sent.
fn outcome(error: RpcError) -> SendError {
    let reason = format!("the bridge: {error}");
    match error {
        RpcError::NotSent => SendError::Failed { reason, retry_after: None },
        RpcError::Refused { code: NOT_SENT, data, .. } => {
            let wait = data.get("retry_after").and_then(Value::as_u64).map(Duration::from_secs);
            SendError::Failed { reason, retry_after: wait }
        }
        RpcError::Refused { code: HOPELESS | NO_METHOD | NO_PARAMS, .. } => SendError::Impossible { reason },
        // Whether a program that breaks down has done its work before is not known.
        RpcError::Lost | RpcError::Refused { .. } => SendError::Unknown { reason },
    }
}

/// Shows that we are writing; the answer itself does not wait for it for long.
pub(super) async fn typing(speaker: Option<Speaker>, route: &ReplyRoute) {
    if let (Some(speaker), Some(route)) = (speaker, Route::parse(route)) {
        let params = route.to_params().into();
        // Given up half-way, nothing could be said any more: it is done in a task of its own.
        let told = tokio::spawn(async move { speaker.notify("typing", &params).await });
        let _ = tokio::time::timeout(TYPING, told).await;
    }
}

/// Fetches a file piece by piece.
pub(super) async fn fetch(
    speaker: Option<Speaker>,
    reference: &str,
    limit: u64,
    file: &mut AttachmentFile,
) -> Result<u64, FetchError> {
    let failed = |reason: &str| FetchError::Failed(reason.to_owned());
    let speaker = speaker.ok_or_else(|| failed("not connected"))?;
    let mut written = 0_u64;
    loop {
        let params = json!({ "reference": reference, "offset": written, "length": PIECE });
        let piece = match speaker.call("fetch", &params, PATIENCE).await {
            Err(RpcError::Refused { code: NO_METHOD, .. }) => return Err(FetchError::Unsupported),
            piece => piece.map_err(|error| FetchError::Failed(format!("the bridge: {error}")))?,
        };
        let piece = Piece::deserialize(piece).map_err(|_| failed("the bridge gives no piece of it"))?;
        let bytes = STANDARD.decode(&piece.data).map_err(|_| failed("the bridge gives no base64"))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > PIECE || (length == 0 && !piece.end) {
            return Err(failed("the bridge gives more or less than it was asked for"));
        }
        written = written.saturating_add(length);
        if written > limit {
            return Err(FetchError::TooLarge(limit));
        }
        let unwritten = |error: std::io::Error| failed(&format!("what came can't be written: {error}"));
        file.write_all(&bytes).await.map_err(unwritten)?;
        if piece.end {
            file.flush().await.map_err(unwritten)?;
            return Ok(written);
        }
    }
}
