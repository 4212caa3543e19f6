//! A web server that hands the calls of a platform to the test.

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::running::soon;

/// A server on a loopback port of its own.
pub(crate) struct WebServer(TcpListener);

/// One call that waits for its answer.
pub(crate) struct Call {
    pub(crate) request: Request<Bytes>,
    stream: TcpStream,
}

impl WebServer {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    pub(crate) async fn call(&self) -> Call {
        let (mut stream, _) = soon(self.0.accept()).await.unwrap();
        let mut read = Vec::new();
        loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(read[..end].to_vec()).unwrap();
                let mut lines = head.lines();
                let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
                let mut request = Request::builder().method(method).uri(rest.split(' ').next().unwrap());
                for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
                    request = request.header(name, value);
                }
                let length = request.headers_ref().unwrap().get("content-length");
                let length: usize = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
                if read.len() >= end + 4 + length {
                    let body = Bytes::from(read.split_off(end + 4));
                    return Call { request: request.body(body).unwrap(), stream };
                }
            }
            assert!(stream.read_buf(&mut read).await.unwrap() > 0, "a call that breaks off");
        }
    }
}

impl Call {
    pub(crate) async fn answer(mut self, response: Response<Bytes>) {
        let (status, body) = (response.status().as_u16(), response.into_body());
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.stream.write_all(&body).await.unwrap();
        self.stream.shutdown().await.unwrap();
    }
}
