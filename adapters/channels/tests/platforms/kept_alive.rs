//! A web server whose connections stay: each call is shown to the test, which says what is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::running::soon;

/// A server on a loopback port of its own.
pub(crate) struct KeptAlive {
    base: String,
    calls: mpsc::UnboundedReceiver<Call>,
    connections: Arc<AtomicUsize>,
}

/// One call that waits for its answer.
pub(crate) struct Call {
    pub(crate) path: String,
    answer: oneshot::Sender<Value>,
}

impl KeptAlive {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (show, calls) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(BufReader::new(stream), show.clone()));
            }
        });
        Self { base, calls, connections }
    }

    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    /// The next call.
    pub(crate) async fn call(&mut self) -> Call {
        soon(self.calls.recv()).await.unwrap()
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Call {
    pub(crate) fn answer(self, body: Value) {
        // The other side may have hung up before.
        let _ = self.answer.send(body);
    }
}

async fn serve(mut stream: BufReader<TcpStream>, show: mpsc::UnboundedSender<Call>) -> std::io::Result<()> {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        stream.read_exact(&mut vec![0; length.unwrap().parse().unwrap()]).await?;
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let (answer, answered) = oneshot::channel();
        let Ok(()) = show.send(Call { path, answer }) else { return Ok(()) };
        let Ok(body) = answered.await else { return Ok(()) };
        let body = body.to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
    }
}
