//! A WebSocket (RFC 6455), the server's side: texts in, texts out, in bounded memory.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::frame::LONGEST;

/// An open WebSocket.
pub(crate) struct Socket(WebSocketStream<TokioIo<Upgraded>>);

/// What came.
pub(crate) enum Came {
    Text(Utf8Bytes),
    /// A sign of life.
    Sign,
}

/// How it ends: a code and a reason, if the other side is still there to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Close(Option<(u16, String)>);

/// What is read at once; each socket has as much memory.
const BUFFER: usize = 4 * 1_024;
/// What may wait to be written.
const MOST_UNWRITTEN: usize = 1_024 * 1_024;
/// How long the other side may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest reason of a close, in bytes; 123 fit (RFC 6455 §5.5).
const LONGEST_REASON: usize = 120;

impl Socket {
    /// The WebSocket on a connection that was upgraded.
    pub(crate) async fn on(upgraded: Upgraded) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MOST_UNWRITTEN)
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        Self(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await)
    }

    /// What comes next. It may be given up at any time, and loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Came, Close> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(Came::Text(text)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Came::Sign),
            Some(Ok(Message::Binary(_))) => Err(Close::because(1003, "frames are text")),
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                Err(Close::because(1009, "payload too large"))
            }
            Some(Err(Error::Utf8(_))) => Err(Close::because(1007, "frames are UTF-8")),
            Some(Err(Error::Protocol(_))) => Err(Close::because(1002, "not as RFC 6455 has it")),
            // The library has answered it.
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Close::GONE),
        }
    }

    pub(crate) async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), Close> {
        self.0.send(Message::Text(text.into())).await.map_err(|_| Close::GONE)
    }

    /// Asks for a sign of life.
    pub(crate) async fn ask(&mut self) -> Result<(), Close> {
        self.0.send(Message::Ping(Bytes::new())).await.map_err(|_| Close::GONE)
    }

    /// Ends. What was sent before arrives: a connection that is cut off while something of the other side is unread takes
    /// with it what that side has not read.
    pub(crate) async fn close(mut self, close: Close) {
        let _ = timeout(FAREWELL, async {
            if let Close(Some((code, reason))) = close {
                let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from(reason) };
                self.0.send(Message::Close(Some(frame))).await.ok()?;
            }
            while self.0.next().await?.is_ok() {}
            Some(())
        })
        .await;
    }
}

impl Close {
    /// There is nobody to be told.
    pub(crate) const GONE: Self = Self(None);

    pub(crate) fn because(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(LONGEST_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self(Some((code, reason.get(..end).unwrap_or_default().to_owned())))
    }
}
