//! A request to the web chat, whatever is in it: an outsider gets a bare answer; only a browser with the owner's cookie,
//! on our own page, reaches the agent; only a proper message makes a stranger one who waits.
//!
//! The input is a request as people write one: `POST /chat/messages`, header lines, an empty line, the body.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dmgate::pairing::Surface;
use dmgate::store::Actor;
use dmgate::{AccountKey, Agent, AgentError, ChannelAdapter, DmGate, Pipeline, Turn, World};
use dmgate_channels::webchat::{Session, WebChat};
use dmgate_gateway::Gateway;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::scene::wait;

/// The owner's session.
const OWNER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What an outsider may be told.
const STATUSES: [u16; 17] =
    [200, 202, 204, 302, 400, 401, 403, 404, 405, 408, 413, 414, 415, 421, 429, 431, 503];

/// `data` is the request.
pub fn check(data: &[u8]) {
    let Some(request) = Request::read(data) else { return };
    let Outcome { status, turns, waiting } = wait(ask(&request));
    assert!(STATUSES.contains(&status), "{status}");
    if turns > 0 || !waiting.is_empty() {
        assert_eq!(status, 202);
        assert!(request.line.starts_with("POST /chat/messages"), "{}", request.line);
        assert_eq!(request.values("host").len(), 1, "one of our hosts");
        let origins = request.values("origin");
        let is_own = origins.is_empty()
            || matches!(origins[..], [origin] if origin.eq_ignore_ascii_case("http://chat.test"));
        assert!(is_own, "another site's page: {origins:?}");
        let cookies = request.values("cookie");
        // Of a header, a line that is not of plain characters is none.
        let is_plain = |line: &&&str| line.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        let pairs = cookies.iter().filter(is_plain).flat_map(|line| line.split(';'));
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        let ours = pairs.filter(|(name, _)| name.trim() == "dmgate-chat");
        let ours: Vec<&str> = ours.map(|(_, value)| value.trim()).collect();
        let [session] = ours[..] else { panic!("not one session: {}", ours.len()) };
        assert_eq!(turns > 0, session == OWNER, "the owner's cookie");
        let hash = hex::encode(Sha256::digest(session));
        assert!(waiting.iter().all(|visitor| *visitor == hash), "somebody else waits");
        assert!(waiting.len() + turns == 1);
    }
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

struct Outcome {
    status: u16,
    turns: usize,
    waiting: Vec<String>,
}

impl Request {
    fn read(data: &[u8]) -> Option<Self> {
        let end = data.windows(2).position(|two| two == b"\n\n");
        let (head, body) = end.map_or((data, &b""[..]), |end| (&data[..end], &data[end + 2..]));
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let line = lines.next()?.to_owned();
        // How a request is framed is hyper's affair, and ours here.
        let framing = ["content-length", "transfer-encoding", "connection", "upgrade", "expect"];
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.filter(|(name, _)| !framing.contains(&name.to_ascii_lowercase().trim()));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let is_plain = line.split(' ').count() == 2 && !line.contains(char::is_control);
        is_plain.then(|| Self { line, headers, body: body.to_vec() })
    }

    fn values(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = self.body.len();
        let head = format!(
            "{} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n",
            self.line
        );
        [head.as_bytes(), &self.body].concat()
    }
}

struct Counting(AtomicUsize);

#[async_trait]
impl Agent for Counting {
    async fn respond(&self, _turn: Turn) -> Result<Vec<String>, AgentError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Vec::new())
    }
}

/// Asks a whole gateway, and ends it.
async fn ask(request: &Request) -> Outcome {
    let account = AccountKey::parse("webchat", "default").unwrap();
    let gate = DmGate::builder().build();
    let chat = WebChat::new(account.clone(), World::default());
    let owner = chat.visitor(&Session::parse(OWNER).unwrap()).unwrap();
    let actor = Actor { name: "fuzz".into(), surface: Surface::Local };
    gate.store().allow(&account, &owner, &actor).await.unwrap();
    let agent = Arc::new(Counting(AtomicUsize::new(0)));
    let channels = vec![Arc::clone(&chat) as Arc<dyn ChannelAdapter>];
    let pipeline = Pipeline::new(gate.clone(), Arc::clone(&agent) as Arc<dyn Agent>, channels);
    let gateway =
        Gateway::new(pipeline.clone()).webchat(chat).public_url("http://chat.test".parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ending, serving) = (CancellationToken::new(), CancellationToken::new());
    let (receives, serves) = (ending.clone(), serving.clone());
    let received = tokio::spawn(async move { pipeline.run(receives).await });
    let served = tokio::spawn(gateway.serve(listener, serves));

    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who refuses a head need not read the body.
    let _ = stream.write_all(&request.bytes()).await;
    let mut answer = Vec::new();
    let is_stream = |answer: &[u8]| answer.windows(17).any(|part| part == b"text/event-stream");
    while !is_stream(&answer) && stream.read_buf(&mut answer).await.is_ok_and(|read| read > 0) {}
    drop(stream);
    ending.cancel();
    received.await.expect("the pipeline broke down");
    serving.cancel();
    served.await.expect("the gateway broke down").unwrap();

    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let waiting = gate.store().pending(account.channel()).await.unwrap();
    Outcome {
        status: status.unwrap_or_else(|| panic!("no answer: {answer:?}")),
        turns: agent.0.load(Ordering::SeqCst),
        waiting: waiting.iter().map(|request| request.id.to_string()).collect(),
    }
}
