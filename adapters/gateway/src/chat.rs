//! The web chat's interface, as the page uses it.
//!
//! | request | what | answers |
//! |---|---|---|
//! | `GET /chat` | the page; `/chat/chat.css`, `/chat/chat.js`, `/chat/icon.svg` belong to it | 200 |
//! | `GET /chat/session` | whether this browser has written before: `{"session":true}` | 200 |
//! | `POST /chat/session` | makes a session, or keeps the one there is for another year; no body | 204 with the cookie |
//! | `GET /chat/events` | what the visitor is sent (server-sent events) | 200, 401 without a session |
//! | `POST /chat/messages` | `{"text":…, "id":…}`: 1 to 4,000 characters; the same `id` counts once | 202, whatever the gate says |
//! | `POST /chat/received` | `{"ids":[…]}`: the page has these texts | 204 |
//!
//! Events: `text` with `{"id":…, "kind":"challenge"|"notice"|"reply", "text":…}`, which comes again until it is said to
//! be received; `typing` with `{}` while an answer is worked on; `ready` with `{}` at the start; `elsewhere` with `{}` at
//! the end, when the visitor opened too many pages and this is the oldest.
//!
//! The page asks for a session when the first message is sent, opens its events, and sends the message then: so a
//! visitor is somebody from their first message on, and a code never finds the page closed.
//!
//! Every request names one of our hosts (else 421) and, where it changes something, comes from our own page (else 403):
//! see `site.rs`. 400, 408, 413, 415: a body that is not as above, too slow, too large, no JSON. 429, 503: an address,
//! or everybody, has too much under way. The time of a 202 tells whether the store was written to; what a stranger could
//! learn from that is what the code in their hand tells them anyway.

mod cookie;
mod events;
mod page;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use dmgate::{Inbox, SenderId};
use dmgate_channels::webchat::{Session, TEXT_LIMIT, WebChat, Written};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::body::{Bodies, SMALL};
use crate::quota::{AddressQuota, Exhausted};
use crate::server::Peer;
use crate::site::{Site, Sites};

pub(crate) struct Chat {
    pub(crate) webchat: Arc<WebChat>,
    pub(crate) inbox: Inbox,
    pub(crate) sites: Sites,
    /// Behind a reverse proxy everybody comes from loopback.
    pub(crate) is_proxied: bool,
    pub(crate) pages: AddressQuota,
    pub(crate) deliveries: AddressQuota,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) closing: CancellationToken,
}

/// What a handler refuses with: a bare status.
type Refused = StatusCode;

/// The largest body, in bytes: 4,000 characters of four bytes and what JSON adds.
const BODY_BYTES: usize = SMALL;
/// The longest id of a message.
const ID_BYTES: usize = 64;

pub(crate) fn routes(chat: Arc<Chat>) -> Router {
    let files = Router::new()
        .route("/chat", get(page::html))
        .route("/chat/chat.css", get(page::style))
        .route("/chat/chat.js", get(page::script))
        .route("/chat/icon.svg", get(page::icon));
    let interface = Router::new()
        .route("/chat/session", get(has_session).post(begin_session))
        .route("/chat/events", get(events::open))
        .route("/chat/messages", post(message))
        .route("/chat/received", post(received))
        .route_layer(middleware::map_response(never_stored));
    files.merge(interface).route_layer(from_fn_with_state(Arc::clone(&chat), at_home)).with_state(chat)
}

/// Lets in what is meant for us and comes from our own page; puts the headers of every answer.
async fn at_home(State(chat): State<Arc<Chat>>, mut request: Request, next: Next) -> Response {
    let checked = chat.sites.check(request.method(), request.uri(), request.headers());
    let mut response = match checked {
        Err(status) => status.into_response(),
        Ok(site) => {
            request.extensions_mut().insert(site);
            next.run(request).await
        }
    };
    for (name, value) in page::HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

async fn never_stored(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn has_session(Extension(site): Extension<Site>, headers: HeaderMap) -> impl IntoResponse {
    let answer = if cookie::session_of(&headers, &site).is_some() {
        r#"{"session":true}"#
    } else {
        r#"{"session":false}"#
    };
    ([(header::CONTENT_TYPE, "application/json")], answer)
}

async fn begin_session(
    State(chat): State<Arc<Chat>>,
    Extension(site): Extension<Site>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    let session = match cookie::session_of(&headers, &site) {
        Some(session) => session,
        None => chat.webchat.new_session().map_err(|error| {
            tracing::error!("a visitor gets no session: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        })?,
    };
    let cookie = cookie::of(&session, &site).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageBody {
    text: String,
    id: Option<String>,
}

async fn message(
    State(chat): State<Arc<Chat>>,
    Extension(site): Extension<Site>,
    Extension(Peer(from)): Extension<Peer>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let visitor = chat.visitor(request.headers(), &site)?;
    let MessageBody { text, id } = chat.read(request).await?;
    // Not before the body is here: who sends one slowly must not take the place of who does not.
    let ticket = chat.deliveries.take(from).map_err(Exhausted::status)?;
    // INVARIANT I11: one address has one request; but a proxy's is nobody's, or the first stranger would keep all others out.
    let from = (!chat.is_proxied || !from.to_canonical().is_loopback()).then_some(from);
    let written = written(visitor, from, &text, id).ok_or(StatusCode::BAD_REQUEST)?;
    // A task of its own: a page that closes at once must not cut its message off half-way.
    let delivery = tokio::spawn(async move {
        let _ticket = ticket;
        chat.webchat.receive(&chat.inbox, written).await
    });
    match delivery.await {
        Ok(Ok(())) => Ok(StatusCode::ACCEPTED),
        Ok(Err(_closing)) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Err(error) => {
            tracing::error!("a web-chat message broke down: {error}");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A message of a length that we take, with an id that is a plain word.
fn written(visitor: SenderId, from: Option<IpAddr>, text: &str, id: Option<String>) -> Option<Written> {
    let text = text.trim();
    let length = text.chars().count();
    let is_word = |id: &str| {
        (1..=ID_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_good = (1..=TEXT_LIMIT).contains(&length) && id.as_deref().is_none_or(is_word);
    is_good.then(|| Written { visitor, from, text: text.to_owned(), id })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceivedBody {
    ids: Vec<String>,
}

async fn received(
    State(chat): State<Arc<Chat>>,
    Extension(site): Extension<Site>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let visitor = chat.visitor(request.headers(), &site)?;
    let ReceivedBody { ids } = chat.read(request).await?;
    for id in &ids {
        chat.webchat.received(&visitor, id);
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Chat {
    /// Who asks.
    fn visitor(&self, headers: &HeaderMap, site: &Site) -> Result<SenderId, Refused> {
        let session: Session = cookie::session_of(headers, site).ok_or(StatusCode::UNAUTHORIZED)?;
        self.webchat.visitor(&session).map_err(|error| {
            tracing::error!("the web chat has no visitors: {error}");
            StatusCode::INTERNAL_SERVER_ERROR
        })
    }

    async fn read<T: DeserializeOwned>(&self, request: Request<Body>) -> Result<T, Refused> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|value| value.split(';').next()).map(str::trim);
        // Forms, which other sites' pages can send without asking, are no JSON.
        if !media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json")) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let body = self.bodies.read(request.into_body(), BODY_BYTES).await?;
        serde_json::from_slice(&body.bytes).map_err(|_| StatusCode::BAD_REQUEST)
    }
}

#[cfg(test)]
mod tests {
    use dmgate::ChannelId;

    use super::*;

    #[test]
    fn a_message_has_a_text_and_a_plain_id() {
        let visitor = || SenderId::parse(&ChannelId::parse("test").unwrap(), "ann").unwrap();
        let check = |text: &str, id: Option<&str>| {
            let from = Some(IpAddr::from([127, 0, 0, 1]));
            written(visitor(), from, text, id.map(Into::into)).map(|written| written.text)
        };
        assert_eq!(check(" hi\n", Some("a-B_1")).as_deref(), Some("hi"));
        assert!(check(&"😀".repeat(TEXT_LIMIT), None).is_some());
        assert!(check(&"x".repeat(TEXT_LIMIT + 1), None).is_none());
        assert!(check(" \n ", None).is_none());
        for bad in ["", "a b", "a:1", "ä", &"x".repeat(65)] {
            assert!(check("hi", Some(bad)).is_none(), "{bad}");
        }
    }
}
