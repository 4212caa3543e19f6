//! A platform's WebSocket server in a test's hands.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// A server on a loopback port of its own.
pub(crate) struct FakeSocket(TcpListener);

/// The server's end of one connection. Dropping it cuts the connection.
pub(crate) struct FakePeer {
    /// The path and query that the client asked for.
    pub(crate) path: String,
    /// The client's head.
    pub(crate) headers: http::HeaderMap,
    stream: WebSocketStream<TcpStream>,
}

impl FakeSocket {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The address of a path on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.0.local_addr().unwrap())
    }

    /// The next connection, hands shaken.
    pub(crate) async fn accept(&self) -> FakePeer {
        let stream = self.accept_raw().await;
        let (mut path, mut headers) = Default::default();
        #[allow(clippy::result_large_err, reason = "the library's own type")]
        let look = |request: &Request, response: Response| {
            path = request.uri().to_string();
            headers = request.headers().clone();
            Ok(response)
        };
        let stream = tokio_tungstenite::accept_hdr_async(stream, look).await.unwrap();
        FakePeer { path, headers, stream }
    }

    /// A connection that waits to be accepted, if there is one.
    pub(crate) async fn accept_or_none(&self) -> Option<TcpStream> {
        tokio::select! {
            biased;
            accepted = self.0.accept() => Some(accepted.unwrap().0),
            () = tokio::task::yield_now() => None,
        }
    }

    /// The next connection, as it is.
    pub(crate) async fn accept_raw(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

impl FakePeer {
    pub(crate) async fn say(&mut self, text: &str) {
        // The other side may have hung up before.
        let _ = self.stream.send(Message::text(text)).await;
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.send(Message::binary(bytes.to_vec())).await;
    }

    /// The next text of the client's.
    pub(crate) async fn text(&mut self) -> String {
        self.next().await.into_text().unwrap().to_string()
    }

    /// The next text of the client's, as JSON; `None` when it has gone.
    pub(crate) async fn heard(&mut self) -> Option<serde_json::Value> {
        loop {
            match self.stream.next().await?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The next text of the client's, as JSON.
    pub(crate) async fn json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The next bytes of the client's.
    pub(crate) async fn bytes(&mut self) -> Vec<u8> {
        self.next().await.into_data().to_vec()
    }

    /// Waits for a ping and answers it.
    pub(crate) async fn answer_ping(&mut self) {
        // The library answers when it is read or written next.
        assert!(matches!(self.stream.next().await, Some(Ok(Message::Ping(_)))));
        self.stream.flush().await.unwrap();
    }

    /// Pings, and waits for the answer: by then the client has read all that was said before, and said nothing.
    pub(crate) async fn answered_ping(&mut self) {
        self.stream.send(Message::Ping(Default::default())).await.unwrap();
        assert!(matches!(self.stream.next().await, Some(Ok(Message::Pong(_)))));
    }

    /// Closes it.
    pub(crate) async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let _ = self.stream.close(Some(frame)).await;
    }

    /// What the client said at last; `None` if it only broke off.
    pub(crate) async fn closing(&mut self) -> Option<u16> {
        while let Some(Ok(message)) = self.stream.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|frame| frame.code.into());
            }
        }
        None
    }

    async fn next(&mut self) -> Message {
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }
}
