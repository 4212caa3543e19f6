//! A gateway with everything behind it, and a client that sends what it is told to, well-formed or not.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use dmgate::store::Actor;
use dmgate::{
    AccountKey, Agent, AgentError, ChannelAdapter, ChannelId, DmGate, Pipeline, SenderId, Turn, World,
    pairing,
};
use dmgate_channels::webchat::{Session, WebChat};
use dmgate_gateway::{Gateway, Limits, PublicUrl};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Says everything again.
struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        Ok(vec![format!("You said: {}", turn.message().text)])
    }
}

/// A running gateway.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) gate: DmGate,
    pub(crate) webchat: Arc<WebChat>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) ended: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default(), Vec::new()).await
    }

    pub(crate) async fn limited(limits: Limits) -> Self {
        Self::with(limits, Vec::new()).await
    }

    pub(crate) async fn with(limits: Limits, more: Vec<Arc<dyn ChannelAdapter>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, DmGate::builder().build(), limits, more, None)
    }

    /// One that people reach by a reverse proxy on the same machine.
    pub(crate) async fn proxied() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public_url = Some("https://gate.example.org".parse().unwrap());
        Self::on(listener, DmGate::builder().build(), Limits::default(), Vec::new(), public_url)
    }

    /// Ends, and starts again at the same address with what the store has.
    pub(crate) async fn restart(self) -> Self {
        self.shutdown.cancel();
        self.ended.await.unwrap();
        let listener = TcpListener::bind(self.addr).await.unwrap();
        Self::on(listener, self.gate, Limits::default(), Vec::new(), None)
    }

    fn on(
        listener: TcpListener,
        gate: DmGate,
        limits: Limits,
        mut channels: Vec<Arc<dyn ChannelAdapter>>,
        public_url: Option<PublicUrl>,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let webchat = WebChat::new(account(), World::default());
        channels.push(Arc::clone(&webchat) as Arc<dyn ChannelAdapter>);
        let pipeline = Pipeline::new(gate.clone(), Arc::new(Echo), channels);
        let mut gateway = Gateway::new(pipeline.clone()).webchat(Arc::clone(&webchat)).limits(limits);
        if let Some(url) = public_url {
            gateway = gateway.public_url(url);
        }
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let ended = tokio::spawn(async move {
            let serving = CancellationToken::new();
            let pipeline_ends = async {
                pipeline.run(token).await;
                serving.cancel();
            };
            let (served, ()) = tokio::join!(gateway.serve(listener, serving.clone()), pipeline_ends);
            served.unwrap();
        });
        Self { addr, gate, webchat, shutdown, ended }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The owner approves the only request there is.
    pub(crate) async fn approve(&self, code: &str) {
        let approval = pairing::Approval {
            account: None,
            target: pairing::Target::Code(pairing::PairingCode::parse(code).unwrap()),
            notify: true,
        };
        self.gate.store().approve(&channel(), approval, &owner()).await.unwrap();
    }

    pub(crate) async fn allow(&self, visitor: &SenderId) {
        self.gate.store().allow(&account(), visitor, &owner()).await.unwrap();
    }

    pub(crate) async fn pending(&self) -> usize {
        self.gate.store().pending(&channel()).await.unwrap().len()
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::parse(&String::from_utf8(answer).unwrap())
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.addr))
            .await
    }

    /// As the page does it.
    pub(crate) async fn post(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let headers = format!("Origin: {}\r\nContent-Type: application/json\r\n{cookie}", self.origin());
        self.post_with(path, &headers, body).await
    }

    pub(crate) async fn post_with(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.addr,
            body.len()
        ))
        .await
    }

    /// A new visitor, and the line of their cookie.
    pub(crate) async fn visitor(&self) -> Visitor {
        let answer = self.post("/chat/session", "", "").await;
        assert_eq!(answer.status, 204);
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let session = Session::parse(cookie.split_once('=').unwrap().1).unwrap();
        Visitor { id: self.webchat.visitor(&session).unwrap(), cookie: format!("Cookie: {cookie}\r\n") }
    }

    pub(crate) async fn write(&self, visitor: &Visitor, text: &str) -> Answer {
        let body = format!(r#"{{"text":"{text}"}}"#);
        self.post("/chat/messages", &visitor.cookie, &body).await
    }

    pub(crate) async fn events(&self, visitor: &Visitor) -> Events {
        self.try_events(visitor).await.unwrap_or_else(|answer| panic!("{answer:?}"))
    }

    pub(crate) async fn try_events(&self, visitor: &Visitor) -> Result<Events, Answer> {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let request = format!("GET /chat/events HTTP/1.1\r\nHost: {}\r\n{}\r\n", self.addr, visitor.cookie);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Events(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(events.0.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        let answer = Answer::parse(&head);
        if answer.status != 200 {
            return Err(answer);
        }
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(events.next().await.unwrap(), ("ready".into(), "{}".into()));
        Ok(events)
    }
}

#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) id: SenderId,
    pub(crate) cookie: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {text:?}"));
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// An open stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    /// The next event and its data; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        let (mut event, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return None;
            }
            if line == "0\r\n" {
                // The last chunk; the connection goes on.
                return None;
            }
            // Lines that are neither are the sizes of chunks, blanks, comments.
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.trim().to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                data = text.trim().to_owned();
            } else if line.trim().is_empty() && !event.is_empty() {
                return Some((event, data));
            }
        }
    }

    /// The next text: id, kind and body. Events of other kinds are passed over.
    pub(crate) async fn text(&mut self) -> (String, String, String) {
        loop {
            let (event, data) = self.next().await.expect("another text");
            if event == "text" {
                let text: serde_json::Value = serde_json::from_str(&data).unwrap();
                let part = |name: &str| text[name].as_str().unwrap().to_owned();
                return (part("id"), part("kind"), part("text"));
            }
        }
    }
}

/// The code of a pairing message.
pub(crate) fn code_of(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("Pairing code: ")).unwrap()
}

pub(crate) fn channel() -> ChannelId {
    ChannelId::parse("webchat").unwrap()
}

pub(crate) fn account() -> AccountKey {
    AccountKey::default_of(channel())
}

pub(crate) fn owner() -> Actor {
    Actor { name: "test".into(), surface: pairing::Surface::Local }
}
