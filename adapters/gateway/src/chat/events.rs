//! The stream of what a visitor is sent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use dmgate::{ChannelAdapter as _, TextKind};
use dmgate_channels::webchat::{Event, Line, Text};
use futures_util::stream::{self, StreamExt as _};
use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use super::{Chat, Refused};
use crate::quota::Ticket;
use crate::server::Peer;
use crate::site::Site;

/// How often a page that is sent nothing else is sent a comment: the connections of pages that are gone are noticed.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// When a page that lost its connection comes back.
const COME_BACK: Duration = Duration::from_secs(1);

/// An open page.
struct Page {
    line: Line,
    closing: CancellationToken,
    _ticket: Ticket,
}

pub(super) async fn open(
    State(chat): State<Arc<Chat>>,
    Extension(site): Extension<Site>,
    Extension(Peer(from)): Extension<Peer>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    let visitor = chat.visitor(&headers, &site)?;
    let ticket = chat.pages.take(from).map_err(|exhausted| {
        tracing::debug!(%from, "a web-chat page is turned away: too many are open");
        exhausted.status()
    })?;
    let line = chat.webchat.open(visitor);
    if line.is_awaited() {
        chat.inbox.reachable(&chat.webchat.meta().account);
    }
    let page = Page { line, closing: chat.closing.clone(), _ticket: ticket };
    let ready = Sent::default().event("ready").retry(COME_BACK).data("{}");
    let events = stream::iter([ready]).chain(stream::unfold(page, next)).map(Ok::<_, Infallible>);
    // Proxies hold answers back unless they are told not to.
    let headers = [("x-accel-buffering", "no")];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))))
}

async fn next(mut page: Page) -> Option<(Sent, Page)> {
    let event = tokio::select! {
        // What is there already goes out before the end.
        biased;
        event = page.line.next() => event?,
        () = page.closing.cancelled() => return None,
    };
    let sent = match event {
        Event::Typing => Sent::default().event("typing").data("{}"),
        Event::Elsewhere => Sent::default().event("elsewhere").data("{}"),
        Event::Text(text) => Sent::default().event("text").data(json(&text)),
    };
    Some((sent, page))
}

fn json(text: &Text) -> String {
    let kind = match text.kind {
        TextKind::Challenge => "challenge",
        TextKind::Notice => "notice",
        TextKind::Reply => "reply",
    };
    serde_json::json!({ "id": text.id, "kind": kind, "text": text.body }).to_string()
}
