//! A WebSocket: frames in, frames out, and the certainty that the other side is still there.
//!
//! It knows nothing of what is said. The platform's own heartbeats, where it has some, are the adapter's business; the
//! pings here find a connection that is dead where nobody would notice otherwise.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Uri;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};

use crate::dial::{Address, NoTls, Proxy, Stream, Tls};
use crate::life::End;

/// The longest message.
const LIMIT: usize = 4 * 1024 * 1024;

/// How long a connection may be quiet before we ask whether it still is one, and how long the answer may take.
const QUIET: Duration = Duration::from_secs(45);

/// How long the other side may take to shake hands, or to take a frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a WebSocket leads: a `ws` or `wss` URL. It may hold a ticket, so it is never shown.
pub struct SocketAddress {
    uri: Uri,
    address: Address,
}

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    heard: Instant,
    is_asked: bool,
}

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// Why a WebSocket is none, or no more. No text in it holds the URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SocketEnd {
    /// The server refuses the handshake.
    #[error("the server answers {0} in place of a handshake")]
    Refused(u16),
    /// The server closed it; codes from 4000 on are the platform's own.
    #[error("the server closed the connection ({}{})", code.map_or("no code".to_owned(), |code| code.to_string()), if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Closed {
        /// The code, if it gave one.
        code: Option<u16>,
        /// What it says about it, escaped.
        reason: String,
    },
    /// It broke, or was never there.
    #[error("{0}")]
    Lost(String),
}

impl From<&SocketEnd> for End {
    fn from(end: &SocketEnd) -> Self {
        Self::Lost(end.to_string())
    }
}

impl SocketAddress {
    /// A `ws` or `wss` URL; the error says what is expected.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(url: &str) -> Result<Self, String> {
        Self::trusting(url, None)
    }

    /// The same, for a server that proves itself by the certificates in a PEM file.
    pub(crate) fn trusting(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let expected = || "a WebSocket's address is expected, as `wss://example.org/path`".to_owned();
        let uri: Uri = url.trim().parse().map_err(|_| expected())?;
        let host = uri.host().ok_or_else(expected)?.trim_matches(['[', ']']).to_owned();
        let (tls, port) = match uri.scheme_str() {
            Some("ws") => (None, 80),
            Some("wss") => {
                let tls = Tls::new(&host, ca_file).map_err(|error| match error {
                    NoTls::Name => expected(),
                    NoTls::Roots(reason) => reason,
                })?;
                (Some(tls), 443)
            }
            _ => return Err(expected()),
        };
        let address = Address { port: uri.port_u16().unwrap_or(port), host, tls };
        Ok(Self { uri, address })
    }

    /// The host and the port, to look at them before anything is sent there.
    pub(crate) fn place(&self) -> (&str, u16) {
        (&self.address.host, self.address.port)
    }

    /// The same at one address of its host, whatever the name leads to later; the server has to prove the name all the
    /// same.
    pub(crate) fn at(mut self, address: std::net::IpAddr) -> Self {
        self.address.host = address.to_string();
        self
    }
}

impl Socket {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// [`SocketEnd`].
    pub async fn open(address: &SocketAddress) -> Result<Self, SocketEnd> {
        Self::connect(address, http::HeaderMap::new(), None).await
    }

    /// The same with these headers, perhaps through a proxy.
    pub(crate) async fn connect(
        address: &SocketAddress,
        headers: http::HeaderMap,
        proxy: Option<&Proxy>,
    ) -> Result<Self, SocketEnd> {
        let lost = |reason: String| SocketEnd::Lost(reason);
        let stream = address.address.connect(proxy).await.map_err(|error| lost(error.to_string()))?;
        let mut request = address.uri.clone().into_client_request().map_err(|error| ended(&error))?;
        request.headers_mut().extend(headers);
        let limits = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
        let shaking = tokio_tungstenite::client_async_with_config(request, stream, Some(limits));
        match timeout(PATIENCE, shaking).await {
            Ok(Ok((stream, _))) => Ok(Self { stream, heard: Instant::now(), is_asked: false }),
            Ok(Err(error)) => Err(ended(&error)),
            Err(_) => Err(lost("the server does not shake hands".to_owned())),
        }
    }

    /// The next frame. It may be given up at any time, and loses nothing. While nothing comes the other side is asked
    /// whether it is there; if it does not answer, the connection is lost.
    ///
    /// # Errors
    /// [`SocketEnd`]; nothing comes after that.
    pub async fn next(&mut self) -> Result<Frame, SocketEnd> {
        loop {
            let quiet = if self.is_asked { QUIET * 2 } else { QUIET };
            let came = match timeout_at(self.heard + quiet, self.stream.next()).await {
                Ok(came) => came,
                Err(_) if self.is_asked => {
                    return Err(SocketEnd::Lost("the connection is silent".to_owned()));
                }
                Err(_) => {
                    self.is_asked = true;
                    self.put(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            (self.heard, self.is_asked) = (Instant::now(), false);
            match came {
                Some(Ok(Message::Text(text))) => return Ok(Frame::Text(text.to_string())),
                Some(Ok(Message::Binary(bytes))) => return Ok(Frame::Binary(bytes)),
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                // The library answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(ended(&error)),
                None => return Err(SocketEnd::Lost("the connection broke".to_owned())),
            }
        }
    }

    /// Sends a text; `Ok` says that it left, not that it arrived.
    ///
    /// # Errors
    /// [`SocketEnd`].
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), SocketEnd> {
        self.put(Message::Text(text.into().into())).await
    }

    /// Sends bytes.
    pub(crate) async fn send_bytes(&mut self, bytes: impl Into<Bytes>) -> Result<(), SocketEnd> {
        self.put(Message::Binary(bytes.into())).await
    }

    /// Says goodbye with this code: 1000 ends a session that a platform could resume, 4000 and others don't.
    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        let _ = timeout(PATIENCE, self.stream.close(Some(frame))).await;
    }

    async fn put(&mut self, message: Message) -> Result<(), SocketEnd> {
        match timeout(PATIENCE, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ended(&error)),
            Err(_) => Err(SocketEnd::Lost("the server takes nothing".to_owned())),
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> SocketEnd {
    match frame {
        Some(frame) => {
            SocketEnd::Closed { code: Some(frame.code.into()), reason: dmgate::escape(&frame.reason) }
        }
        None => SocketEnd::Closed { code: None, reason: String::new() },
    }
}

/// An error without the URL, which some hold.
fn ended(error: &Error) -> SocketEnd {
    match error {
        Error::Http(response) => SocketEnd::Refused(response.status().as_u16()),
        Error::ConnectionClosed | Error::AlreadyClosed => {
            SocketEnd::Closed { code: None, reason: String::new() }
        }
        Error::Url(_) => SocketEnd::Lost("the address is none of a WebSocket".to_owned()),
        error => SocketEnd::Lost(format!("the connection broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::fake_socket::{FakePeer, FakeSocket};

    async fn connected(server: &FakeSocket) -> (Socket, FakePeer) {
        let address = SocketAddress::parse(&server.url("/ws?ticket=s3cret")).unwrap();
        let (socket, peer) =
            tokio::join!(Socket::connect(&address, http::HeaderMap::new(), None), server.accept());
        (socket.unwrap(), peer)
    }

    #[tokio::test]
    async fn frames_go_both_ways_and_the_end_has_its_code() {
        let server = FakeSocket::start().await;
        let (mut socket, mut peer) = connected(&server).await;
        assert_eq!(peer.path, "/ws?ticket=s3cret");
        peer.say(r#"{"op":10}"#).await;
        peer.say_bytes(&[1, 2]).await;
        assert_eq!(socket.next().await, Ok(Frame::Text(r#"{"op":10}"#.to_owned())));
        assert_eq!(socket.next().await, Ok(Frame::Binary(vec![1, 2].into())));
        socket.send("hello").await.unwrap();
        socket.send_bytes(vec![3]).await.unwrap();
        assert_eq!((peer.text().await, peer.bytes().await), ("hello".to_owned(), vec![3]));
        peer.close(4004, "Authentication failed.").await;
        let end = socket.next().await.unwrap_err();
        assert_eq!(end, SocketEnd::Closed { code: Some(4004), reason: "Authentication failed.".to_owned() });
        assert_eq!(end.to_string(), "the server closed the connection (4004: Authentication failed.)");
    }

    #[tokio::test]
    async fn a_silent_connection_is_asked_and_then_lost() {
        let server = FakeSocket::start().await;
        let (mut socket, mut peer) = connected(&server).await;
        tokio::time::pause();
        let before = Instant::now();
        // It answers the first ping, and no other.
        let (end, ()) = tokio::join!(socket.next(), async {
            peer.answer_ping().await;
            std::future::ready(()).await;
        });
        assert_eq!(end, Err(SocketEnd::Lost("the connection is silent".to_owned())));
        assert!(before.elapsed() >= QUIET * 3, "{:?}", before.elapsed());
    }

    #[tokio::test]
    async fn what_is_too_long_ends_it() {
        let server = FakeSocket::start().await;
        let (mut socket, mut peer) = connected(&server).await;
        let long = "x".repeat(LIMIT + 1);
        let end = tokio::select! {
            end = socket.next() => end,
            () = peer.say(&long) => socket.next().await,
        };
        assert!(matches!(end, Err(SocketEnd::Lost(_))), "{end:?}");
    }

    #[tokio::test]
    async fn no_error_shows_the_address() {
        let server = FakeSocket::start().await;
        let address = SocketAddress::parse(&server.url("/ws?ticket=s3cret")).unwrap();
        let (end, ()) = tokio::join!(Socket::connect(&address, http::HeaderMap::new(), None), async {
            let mut stream = server.accept_raw().await;
            stream.write_all(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        });
        assert_eq!(end.err(), Some(SocketEnd::Refused(401)));
        let (end, ()) = tokio::join!(Socket::connect(&address, http::HeaderMap::new(), None), async {
            drop(server.accept_raw().await);
        });
        let end = end.err().unwrap();
        assert!(matches!(&end, SocketEnd::Lost(_)) && !end.to_string().contains("s3cret"), "{end}");
        for wrong in ["", "https://x/", "ws:", "wss://", "x"] {
            assert!(SocketAddress::parse(wrong).is_err(), "{wrong}");
        }
    }
}
