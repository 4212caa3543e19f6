//! A conversation by JSON-RPC with a program beside us, or over a WebSocket with one elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Secret;
use crate::child::{Child, Pipes};
use crate::lines::LineReader;
use crate::programs::Programs;
use crate::rpc::{Caller, Incoming, Notification, RpcError, converse};
use crate::socket::{Frame, Socket, SocketAddress};

/// What the other side has said and nobody has looked at. The reader never waits: it also reads the answers that whoever
/// looks may be waiting for.
const WAITING: usize = 1_024;

/// The same, in bytes of their lines.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The longest line that goes to a WebSocket: an answer is a fraction of it.
const LINE_LIMIT: usize = 4 * 1024 * 1024;

/// How long what was being said may take when all is over.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How often the other side is asked whether it is there, and how long it may take to answer.
const PULSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(30));

/// Calls the other side.
pub(crate) type Speaker = Caller<Box<dyn AsyncWrite + Send + Unpin>>;

type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// How the other side is reached.
pub(crate) enum Means {
    /// It is a program of these words.
    Program(Vec<String>),
    /// It listens here, and may want to see a token.
    Socket(SocketAddress, Option<Secret>),
}

/// What becomes of what comes while nobody has time for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// It is lost, with a warning.
    Lose,
    /// It can be asked for again: nothing more is heard until somebody does.
    Stop,
}

/// A conversation. Dropped, or with its guard, it ends, and the program with everything that it started.
pub(crate) struct Link {
    pub(crate) speaker: Speaker,
    heard: mpsc::Receiver<Notification>,
    /// How many bytes of it wait.
    waiting: Arc<AtomicUsize>,
    /// Says how it ended, once.
    serving: JoinHandle<String>,
    ended: Option<String>,
    guard: Option<DropGuard>,
    /// Whether something was not heard.
    gap: Arc<AtomicBool>,
}

/// What is to be done at the end.
enum Other {
    Program(Child),
    Socket(JoinHandle<String>),
}

impl Means {
    /// Begins a conversation; the error says why there is none. The program's own log is ours under `name`.
    pub(crate) async fn open(
        &self,
        name: &str,
        overflow: Overflow,
        programs: &Programs,
    ) -> Result<Link, String> {
        let (reader, writer, other): (Reader, Box<dyn AsyncWrite + Send + Unpin>, _) = match self {
            Self::Program(words) => {
                let (child, Pipes { stdin, stdout }) = Child::start(name, words)?;
                (Box::new(stdout), Box::new(stdin), Other::Program(child))
            }
            Self::Socket(address, token) => {
                let socket = Socket::connect(address, bearer(token.as_ref())?, None).await;
                let socket = socket.map_err(|end| end.to_string())?;
                let (near, far) = tokio::io::duplex(64 * 1024);
                let (reader, writer) = tokio::io::split(near);
                (Box::new(reader), Box::new(writer), Other::Socket(tokio::spawn(carry(socket, far))))
            }
        };
        let (incoming, speaker) = converse(reader, writer);
        let (sender, heard) = mpsc::channel(WAITING);
        let (stop, gap) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let waiting = Arc::new(AtomicUsize::new(0));
        let ear = Ear {
            name: name.to_owned(),
            sender,
            waiting: Arc::clone(&waiting),
            overflow,
            gap: Arc::clone(&gap),
            is_full: false,
        };
        let serving = serve(incoming, speaker.clone(), ear, other, stop.clone());
        Ok(Link {
            speaker,
            heard,
            waiting,
            serving: tokio::spawn(programs.begin(serving)),
            ended: None,
            guard: Some(stop.drop_guard()),
            gap,
        })
    }
}

impl Link {
    /// What comes unasked; `None` at the end. It may be given up at any time.
    pub(crate) async fn hear(&mut self) -> Option<Notification> {
        let heard = self.heard.recv().await?;
        self.waiting.fetch_sub(heard.bytes, Ordering::AcqRel);
        Some(heard)
    }

    /// Hears nothing more than what waits already.
    pub(crate) fn close_ears(&mut self) {
        self.heard.close();
    }

    /// How it ended, once nothing more is heard.
    pub(crate) async fn ended(&mut self) -> String {
        if self.ended.is_none() {
            let ended = (&mut self.serving).await;
            self.ended = Some(ended.unwrap_or_else(|_| "broke down".to_owned()));
        }
        self.ended.clone().unwrap_or_default()
    }

    /// Whether everything that was heard is worked off, and something was not heard after it.
    pub(crate) fn has_gap(&self) -> bool {
        self.heard.is_empty() && self.gap.load(Ordering::Acquire)
    }

    /// From here on everything is heard again.
    pub(crate) fn hear_again(&self) {
        self.gap.store(false, Ordering::Release);
    }

    /// Ends it, and waits until everything has ended.
    pub(crate) async fn end(&mut self) {
        self.guard = None;
        self.ended().await;
    }

    /// Listens no more; it can be spoken to until the guard is dropped.
    pub(crate) fn into_guard(self) -> Option<DropGuard> {
        self.guard
    }
}

/// Asks again and again whether the other side is there; returns when it does not answer. Any answer will do.
pub(crate) async fn pulse(speaker: Speaker, method: &str, params: Value) {
    loop {
        tokio::time::sleep(PULSE.0).await;
        if let Err(RpcError::Lost | RpcError::NotSent) = speaker.call(method, &params, PULSE.1).await {
            return;
        }
    }
}

/// Where what comes unasked goes.
struct Ear {
    name: String,
    sender: mpsc::Sender<Notification>,
    waiting: Arc<AtomicUsize>,
    overflow: Overflow,
    gap: Arc<AtomicBool>,
    is_full: bool,
}

impl Ear {
    /// Hands something on without waiting.
    fn hear(&mut self, notification: Notification) {
        if self.gap.load(Ordering::Acquire) {
            return;
        }
        let bytes = notification.bytes;
        let has_room = self.waiting.fetch_add(bytes, Ordering::AcqRel) + bytes <= WAITING_BYTES;
        if has_room && self.sender.try_send(notification).is_ok() {
            self.is_full = false;
            return;
        }
        self.waiting.fetch_sub(bytes, Ordering::AcqRel);
        match self.overflow {
            // After the run has ended nothing more is received.
            _ if self.sender.is_closed() => {}
            Overflow::Stop => self.gap.store(true, Ordering::Release),
            Overflow::Lose => {
                if !std::mem::replace(&mut self.is_full, true) {
                    tracing::warn!("{}: messages are lost: more come in than can be worked off", self.name);
                }
            }
        }
    }
}

/// Reads until one side ends it, and says how it ended.
async fn serve(
    mut incoming: Incoming<Reader>,
    speaker: Speaker,
    mut ear: Ear,
    other: Other,
    stop: CancellationToken,
) -> String {
    let trouble = loop {
        let came = tokio::select! {
            () = stop.cancelled() => break None,
            came = incoming.next() => came,
        };
        match came {
            Ok(Some(notification)) => ear.hear(notification),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    drop(ear);
    // Whoever waits for an answer learns that none comes; the other side sees that its input ends.
    drop(incoming);
    let _ = timeout(LAST_WORD, speaker.close()).await;
    let ended = match other {
        Other::Program(child) => child.end().await,
        Other::Socket(carrying) => carrying.await.unwrap_or_default(),
    };
    trouble.map_or(ended, |trouble| format!("can't be understood: {trouble}"))
}

/// Carries lines to a WebSocket and its texts back as lines, until one side ends it; says how.
async fn carry(mut socket: Socket, far: DuplexStream) -> String {
    let (reader, mut writer) = tokio::io::split(far);
    let mut lines = LineReader::new(reader, LINE_LIMIT);
    let end = loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(line)) => {
                    if let Err(end) = socket.send(String::from_utf8_lossy(&line).trim_end()).await {
                        break end;
                    }
                }
                Ok(None) | Err(_) => {
                    socket.close(1000).await;
                    return "was left".to_owned();
                }
            },
            frame = socket.next() => match frame {
                // Within JSON a line's end is a blank.
                Ok(Frame::Text(text)) => {
                    let line = format!("{}\n", text.replace(['\r', '\n'], " "));
                    if writer.write_all(line.as_bytes()).await.is_err() {
                        return "was left".to_owned();
                    }
                }
                Ok(Frame::Binary(_)) => {}
                Err(end) => break end,
            },
        }
    };
    format!("is lost: {end}")
}

fn bearer(token: Option<&Secret>) -> Result<http::HeaderMap, String> {
    let mut headers = http::HeaderMap::new();
    if let Some(token) = token {
        let value = http::HeaderValue::try_from(format!("Bearer {}", token.reveal()));
        let mut value = value.map_err(|_| "the token is none that a header can hold".to_owned())?;
        value.set_sensitive(true);
        headers.insert(http::header::AUTHORIZATION, value);
    }
    Ok(headers)
}
