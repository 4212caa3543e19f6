//! Texts to Google Chat.

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::Value;

use super::api::ChatApi;
use super::event::{is_direct, is_space};
use crate::api::unsent;

/// Sends one text. There is no plain one: `*`, `_`, `~` and backticks around words are shown as they ask for.
pub(super) async fn text(api: &ChatApi, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
    let outcome = |error: crate::api::ApiError| error.outcome(is_hopeless);
    let space = match route.as_str() {
        space if is_space(space) => space.to_owned(),
        user if is_user(user) => {
            let found = api.direct_message(user).await.map_err(|error| unsent(outcome(error)))?;
            direct_space(&found).ok_or_else(|| nowhere("there is no direct message with them"))?
        }
        _ => return Err(nowhere("this is no way to a direct message")),
    };
    api.write(&space, &text.body, &text.idempotency_key).await.map_err(outcome)
}

/// The space that was found, if it is between one user and us.
// INVARIANT I16: what is found is looked at like what comes in.
fn direct_space(found: &Value) -> Option<String> {
    let name = found.get("name").and_then(Value::as_str).filter(|name| is_space(name))?;
    is_direct(found).then(|| name.to_owned())
}

fn is_user(text: &str) -> bool {
    let number = text.strip_prefix("users/");
    number.is_some_and(|number| {
        (1..=21).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn nowhere(reason: &str) -> SendError {
    SendError::Impossible { reason: reason.to_owned() }
}

/// Whether a refusal is for good: the user removed the app, the space is gone, the text is not one. An API that is not
/// switched on can be.
fn is_hopeless(code: i64, description: &str) -> bool {
    matches!(code, 400 | 404) || (code == 403 && !description.contains("is disabled"))
}
