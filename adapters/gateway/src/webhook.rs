//! Web hooks: found by their path, handed on as they are. Their adapters prove and answer them.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use dmgate::{AccountKey, Pipeline};
use http::{StatusCode, header};

use crate::body::{Bodies, Whole};
use crate::quota::{AddressQuota, Exhausted, Quota};
use crate::server::Peer;

#[derive(Clone)]
pub(crate) struct Webhooks {
    pub(crate) pipeline: Pipeline,
    pub(crate) deliveries: AddressQuota,
    /// One account's share: its messages may wait until a conversation has room for them.
    pub(crate) accounts: Arc<Quota<AccountKey>>,
    pub(crate) bodies: Arc<Bodies>,
    /// The largest body, in bytes.
    pub(crate) largest: usize,
}

pub(crate) fn routes(webhooks: Webhooks) -> Router {
    // Platforms verify by `GET` and deliver by `POST`.
    Router::new().route("/webhooks/{channel}/{account}", post(deliver).get(deliver)).with_state(webhooks)
}

async fn deliver(
    State(webhooks): State<Webhooks>,
    Extension(Peer(from)): Extension<Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let account = path.ok().and_then(|Path((channel, account))| account_of(&channel, &account));
    let Some(account) = account else { return StatusCode::NOT_FOUND.into_response() };
    let (mut head, body) = request.into_parts();
    // Cookies are the web chat's, whoever sent them here; our own notes on the request are nobody else's business.
    head.headers.remove(header::COOKIE);
    head.extensions.clear();
    if let Some(status) = webhooks.pipeline.refuses(&account, &head) {
        tracing::debug!(%account, %status, "a web hook is refused by its head");
        return status.into_response();
    }
    let Whole { bytes, room } = match webhooks.bodies.read(body, webhooks.largest).await {
        Ok(whole) => whole,
        Err(status) => {
            tracing::debug!(%account, %status, "a web hook's body is refused");
            return status.into_response();
        }
    };
    // Not before the body is here: who sends one slowly must not take the place of who does not.
    let tickets = webhooks.deliveries.take(from).map_err(Exhausted::status).and_then(|ticket| {
        let share = webhooks.accounts.take(Some(account.clone()));
        // It is not the caller who calls too often.
        share.map(|share| (ticket, share)).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    });
    let tickets = match tickets {
        Ok(tickets) => tickets,
        Err(status) => {
            // Whoever it was: a flood of strangers must not become a flood of lines.
            tracing::debug!(%account, "a web hook is turned away: too many at once");
            return status.into_response();
        }
    };
    let request = http::Request::from_parts(head, bytes);
    // A task of its own: a platform that hangs up early must not cut a message off half-way.
    let answer = tokio::spawn(async move {
        let _under_way = (tickets, room);
        webhooks.pipeline.webhook(&account, request).await
    });
    match answer.await {
        Ok(response) => response.map(Into::into),
        Err(error) => {
            tracing::error!("a web hook broke down: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The account of a path, in its one spelling.
fn account_of(channel: &str, account: &str) -> Option<AccountKey> {
    let key = AccountKey::parse(channel, account).ok()?;
    (key.channel().as_str() == channel && key.account().as_str() == account).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_account_in_one_spelling_only() {
        assert_eq!(account_of("telegram", "work"), AccountKey::parse("telegram", "work").ok());
        for (channel, account) in
            [("Telegram", "work"), ("telegram", "Work"), (" telegram", "work"), ("telegram", ".."), ("", "x")]
        {
            assert_eq!(account_of(channel, account), None, "{channel}/{account}");
        }
    }
}
