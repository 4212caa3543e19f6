//! A program beside us in a test's hands: a shell that carries its lines to the test and back.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::lines::LineReader;

/// The longest line that it is told.
const LIMIT: usize = 16 * 1024 * 1024;

/// Both ways at once. Whichever side ends first, the program ends, with everything it started.
const SCRIPT: &str = "exec 3<>/dev/tcp/127.0.0.1/$0; cat <&3 & cat <&0 >&3 & wait -n; exec 3>&-; kill 0";

/// The program, before it is started.
pub(crate) struct FakeProgram(TcpListener);

/// One run of it. Dropping it ends the program.
pub(crate) struct FakeRun {
    lines: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl FakeProgram {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// What it is started by.
    pub(crate) fn words(&self) -> Vec<String> {
        let port = self.0.local_addr().unwrap().port().to_string();
        ["bash", "-c", SCRIPT, &port].map(str::to_owned).to_vec()
    }

    /// Waits until it is started.
    pub(crate) async fn started(&self) -> FakeRun {
        let (reader, writer) = self.0.accept().await.unwrap().0.into_split();
        FakeRun { lines: LineReader::new(reader, LIMIT), writer }
    }
}

impl FakeRun {
    /// The next line that it is told, without its end; `None` when its input is closed. Given up, it loses nothing.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let line = self.lines.next().await.ok().flatten()?;
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    /// The next line, as JSON.
    pub(crate) async fn json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.line().await.unwrap()).unwrap()
    }

    /// Says a line.
    pub(crate) async fn say(&mut self, line: &str) {
        // It may have been ended before.
        self.say_raw(format!("{line}\n").as_bytes()).await;
    }

    /// Says bytes as they are; whether anybody still listens.
    pub(crate) async fn say_raw(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).await.is_ok()
    }
}
