//! From an HTTP request to a WebSocket (RFC 6455 §4.2).

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::check::Origin;
use super::handshake::Stranger;
use super::{Gate, Network};
use crate::server::{Held, Peer};

/// What proxies write. Who comes with one of these comes from somewhere else than the socket says.
const FORWARDED: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_word(headers, &header::UPGRADE, "websocket")
}

/// Answers a request for a WebSocket; what is said on it goes on in a task of its own.
pub(crate) fn open(gate: &Arc<Gate>, mut request: Request) -> Response {
    let (peer, held) = (request.extensions_mut().remove::<Peer>(), request.extensions_mut().remove::<Held>());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (Some(Peer(from)), Some(held), Some(upgrade)) = (peer, held, upgrade) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Some(accept) = accept(&request) else { return StatusCode::BAD_REQUEST.into_response() };
    let ticket = match gate.strangers.take(from) {
        Ok(ticket) => ticket,
        Err(exhausted) => {
            tracing::debug!(%from, "a socket is turned away: too many are not let in yet");
            return exhausted.status().into_response();
        }
    };
    let stranger = Stranger {
        from,
        origin: origin(gate, &request),
        is_trusted_network: is_trusted(&gate.trusted, from, request.headers()),
        ticket,
    };
    let gate = Arc::clone(gate);
    tokio::spawn(async move {
        gate.serve(upgrade, stranger).await;
        // The connection takes up its place until here.
        drop(held);
    });
    let switching = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty());
    switching.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The answer to the key of a request that is as it has to be.
fn accept(request: &Request) -> Option<String> {
    let headers = request.headers();
    let is_version = only(headers, &header::SEC_WEBSOCKET_VERSION)? == "13";
    let key = only(headers, &header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24)?;
    let is_asked = has_word(headers, &header::CONNECTION, "upgrade") && request.version() == Version::HTTP_11;
    (is_version && is_asked).then(|| derive_accept_key(key.as_bytes()))
}

/// A browser shows where its page is from; nothing else does.
fn origin(gate: &Gate, request: &Request) -> Origin {
    if !request.headers().contains_key(header::ORIGIN) {
        return Origin::None;
    }
    let checked = gate.sites.check(request.method(), request.uri(), request.headers());
    if checked.is_ok() { Origin::Ours } else { Origin::Foreign }
}

/// Whether the socket's own address is one that the owner trusts. Who comes by a proxy has none that is known.
// INVARIANT I17: what a header says of an address opens nothing.
fn is_trusted(networks: &[Network], from: IpAddr, headers: &HeaderMap) -> bool {
    let is_direct = !FORWARDED.iter().any(|name| headers.contains_key(*name));
    is_direct && networks.iter().any(|network| network.contains(from))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_websocket_is_asked_for_in_full() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", key),
        ];
        let asked = request(&good);
        assert!(is_upgrade(asked.headers()));
        // The example of RFC 6455 §1.3.
        assert_eq!(accept(&asked).as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for bad in 0..good.len() {
            let without: Vec<_> =
                good.iter().enumerate().filter(|(at, _)| *at != bad).map(|(_, h)| *h).collect();
            let asked = request(&without);
            assert!(!is_upgrade(asked.headers()) || accept(&asked).is_none(), "{without:?}");
        }
        assert!(accept(&request(&[&good[..], &[("sec-websocket-key", key)]].concat())).is_none());
    }

    #[test]
    fn i17_no_header_makes_an_address_trusted() {
        let networks = ["10.0.0.0/8".parse().unwrap()];
        let (inside, outside) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 168, 0, 1]));
        let none = HeaderMap::new();
        assert!(is_trusted(&networks, inside, &none) && !is_trusted(&networks, outside, &none));
        assert!(!is_trusted(&[], inside, &none));
        for name in FORWARDED {
            let asked = request(&[(name, "10.0.0.1")]);
            assert!(!is_trusted(&networks, outside, asked.headers()), "{name}");
            assert!(!is_trusted(&networks, inside, asked.headers()), "a proxy is in between: {name}");
        }
    }
}
