//! HTTP/1.1 as plain as it gets, so that making a flood costs less than taking it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpSocket, TcpStream};

/// A connection that stays open.
pub(crate) struct Connection(BufStream<TcpStream>);

impl Connection {
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self(BufStream::new(stream))
    }

    /// A connection from one of loopback's many addresses.
    pub(crate) async fn open(from: u8, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
        Self::of(socket.connect(to).await.unwrap())
    }

    /// Sends requests that follow each other closely, and takes as many answers, which must all have this status.
    pub(crate) async fn ask(&mut self, requests: &str, count: usize, status: u16) {
        self.send(requests).await.unwrap();
        for _ in 0..count {
            let (line, _) = crate::patiently(self.receive()).await.expect("an answer");
            assert_eq!(line.split(' ').nth(1), Some(status.to_string().as_str()), "{line}");
        }
    }

    pub(crate) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes()).await?;
        self.0.flush().await
    }

    /// The first line and the body of what comes next; `None` at the end.
    pub(crate) async fn receive(&mut self) -> Option<(String, Vec<u8>)> {
        let first = self.line().await?;
        let mut length = 0;
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap();
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }

    /// The next line; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.0.read_line(&mut line).await.ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    }
}
