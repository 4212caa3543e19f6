//! A platform's web server for tests: it shows each call to the test, and does with it what the test says.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server on a loopback port of its own.
pub(crate) struct FakeServer(TcpListener);

/// One call that waits for its answer. Dropping it cuts the connection.
pub(crate) struct Call {
    /// The method and path, as `POST /bot1:t/getMe`.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    stream: TcpStream,
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// What stands for the platform's address.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The next call; one that breaks off is none.
    pub(crate) async fn call(&self) -> Call {
        loop {
            if let Some(call) = read(self.accept().await).await {
                return call;
            }
        }
    }

    /// The next connection. To give up waiting for it loses nothing.
    pub(crate) async fn accept(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

/// The call on a connection; `None` if it breaks off.
pub(crate) async fn read(mut stream: TcpStream) -> Option<Call> {
    let mut read = Vec::new();
    loop {
        let head = read.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = head {
            let head = String::from_utf8(read[..end].to_vec()).unwrap();
            let headers = head.lines().filter_map(|line| line.split_once(": "));
            let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.map_or(0, |(_, length)| length.parse::<usize>().unwrap());
            if read.len() >= end + 4 + length {
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                return Some(Call { line, headers, body: read.split_off(end + 4).into(), stream });
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

impl Call {
    /// The last part of the path.
    pub(crate) fn method(&self) -> &str {
        self.line.rsplit('/').next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Answers, and hangs up.
    pub(crate) async fn answer(self, status: u16, body: impl AsRef<[u8]>) {
        let length = body.as_ref().len();
        self.raw(
            &format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"),
            body,
        )
        .await;
    }

    /// Answers with JSON, and hangs up.
    pub(crate) async fn json_answer(self, status: u16, body: Value) {
        self.answer(status, body.to_string()).await;
    }

    /// Sends these bytes, and hangs up.
    pub(crate) async fn raw(mut self, head: &str, body: impl AsRef<[u8]>) {
        // The other side may have hung up before.
        let _ = self.stream.write_all(head.as_bytes()).await;
        let _ = self.stream.write_all(body.as_ref()).await;
        let _ = self.stream.shutdown().await;
    }

    /// Sends a piece of an answer that goes on; whether anybody still reads it.
    pub(crate) async fn say(&mut self, piece: &str) -> bool {
        self.stream.write_all(piece.as_bytes()).await.is_ok()
    }

    /// Never answers: from here on only the clock moves, so that the next deadline is over at once.
    pub(crate) fn stall(self) -> TcpStream {
        tokio::time::pause();
        self.stream
    }
}

/// Lets the clock go on as usual after a stall.
pub(crate) fn unstall(stalled: TcpStream) {
    drop(stalled);
    tokio::time::resume();
}

/// Deadlines and waits for tests against a fake server: none is ever waited for.
pub(crate) const NO_WAIT: Duration = Duration::from_millis(1);
