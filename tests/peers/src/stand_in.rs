//! A web server that stands in for a platform: HTTP and WebSockets, on a loopback port of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame as BodyFrame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// What a platform does with the calls and connections that reach it.
#[async_trait]
pub trait Site: Send + Sync + 'static {
    /// Answers a call. It may take its time, as a long poll does.
    async fn answer(&self, call: Call) -> Answer;

    /// Whether a WebSocket is let in; the status for one that is not.
    fn refuses(&self, _call: &Call) -> Option<StatusCode> {
        Some(StatusCode::NOT_FOUND)
    }

    /// Speaks over a WebSocket until one side ends it.
    async fn converse(&self, _call: Call, _socket: Socket) {}
}

/// A call of the bot's.
#[derive(Debug)]
pub struct Call {
    /// GET, POST and so on.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// What follows the question mark, as it was sent.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What the platform answers.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: AnswerBody,
}

#[derive(Debug)]
enum AnswerBody {
    Whole(Bytes),
    Endless(mpsc::Receiver<Bytes>),
}

/// The platform's end of a WebSocket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    ended_with: Option<u16>,
}

/// What the bot says over a WebSocket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// A running server. Dropping it ends all its connections.
#[derive(Debug)]
pub struct StandIn<S> {
    site: Arc<S>,
    addr: SocketAddr,
    runtime: Option<Runtime>,
}

impl<S: Site> StandIn<S> {
    /// Starts it.
    pub fn start(site: S) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        // It may be started in a test that is asynchronous itself, which must not block on a runtime.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let addr = listener.local_addr().expect("the address of a bound listener");
        let inside = runtime.enter();
        let listener = TcpListener::from_std(listener).expect("a listener");
        drop(inside);
        let site = Arc::new(site);
        runtime.spawn(accept(listener, Arc::clone(&site)));
        Self { site, addr, runtime: Some(runtime) }
    }

    /// What it does.
    pub fn site(&self) -> &S {
        &self.site
    }

    /// Its address over HTTP: `http://127.0.0.1:4711`.
    pub fn base(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its address for WebSockets: `ws://127.0.0.1:4711`.
    pub fn socket_base(&self) -> String {
        format!("ws://{}", self.addr)
    }
}

impl<S> Drop for StandIn<S> {
    fn drop(&mut self) {
        // Long polls are not waited for. It may be dropped in a test that is asynchronous itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Call {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What follows `Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A field of a body that is a form.
    pub fn field(&self, name: &str) -> Option<String> {
        named(&self.body, name)
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        named(self.query.as_bytes(), name)
    }
}

impl Answer {
    /// A status and nothing else.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self { status, headers: Vec::new(), body: AnswerBody::Whole(Bytes::new()) }
    }

    /// JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::status(status).with("content-type", "application/json").body(value.to_string())
    }

    /// What goes on until the sender is dropped, as server-sent events do.
    pub fn endless(media_type: &str, chunks: mpsc::Receiver<Bytes>) -> Self {
        let answer = Self::status(200).with("content-type", media_type);
        Self { body: AnswerBody::Endless(chunks), ..answer }
    }

    /// The same, with a header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, with this body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: AnswerBody::Whole(body.into()), ..self }
    }
}

impl Socket {
    /// The next frame of the bot's, pings answered; `None` at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.stream.next().await?.ok()? {
                Message::Text(text) => return Some(Frame::Text(text.to_string())),
                Message::Binary(bytes) => return Some(Frame::Binary(bytes)),
                Message::Close(frame) => {
                    self.ended_with = frame.map(|frame| frame.code.into());
                    return None;
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next frame as JSON; null for what is none.
    pub async fn json(&mut self) -> Option<Value> {
        match self.next().await? {
            Frame::Text(text) => Some(serde_json::from_str(&text).unwrap_or_default()),
            Frame::Binary(_) => Some(Value::Null),
        }
    }

    /// The code with which the bot ended it; `None` if it only broke off.
    pub fn ended_with(&self) -> Option<u16> {
        self.ended_with
    }

    /// Sends a text; says whether the bot is still there.
    pub async fn send(&mut self, text: impl Into<String>) -> bool {
        self.stream.send(Message::text(text.into())).await.is_ok()
    }

    /// Sends bytes; says whether the bot is still there.
    pub async fn send_bytes(&mut self, bytes: impl Into<Bytes>) -> bool {
        self.stream.send(Message::binary(bytes.into())).await.is_ok()
    }

    /// Ends it with this code.
    pub async fn close(mut self, code: u16, reason: &'static str) {
        let _ = self.stream.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await;
    }
}

fn named(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn accept<S: Site>(listener: TcpListener, site: Arc<S>) {
    while let Ok((stream, _)) = listener.accept().await {
        let site = Arc::clone(&site);
        let service = service_fn(move |request| {
            let site = Arc::clone(&site);
            async move { Ok::<_, Infallible>(serve(site, request).await) }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection.with_upgrades());
    }
}

async fn serve<S: Site>(
    site: Arc<S>,
    mut request: Request<Incoming>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let key = request.headers().get("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()));
    let upgrade = key.is_some().then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return respond(Answer::status(400)) };
    let call = Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
    };
    let (Some(key), Some(upgrade)) = (key, upgrade) else { return respond(site.answer(call).await) };
    if let Some(status) = site.refuses(&call) {
        return respond(Answer::status(status.as_u16()));
    }
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            site.converse(call, Socket { stream, ended_with: None }).await;
        }
    });
    let switching = Answer::status(101).with("connection", "Upgrade").with("upgrade", "websocket");
    respond(switching.with("sec-websocket-accept", key))
}

fn respond(answer: Answer) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = match answer.body {
        AnswerBody::Whole(bytes) => Full::new(bytes).boxed(),
        AnswerBody::Endless(chunks) => {
            let frames = futures_util::stream::unfold(chunks, |mut chunks| async {
                chunks.recv().await.map(|chunk| (Ok(BodyFrame::data(chunk)), chunks))
            });
            BodyExt::boxed(StreamBody::new(frames))
        }
    };
    response.body(body).expect("an answer that was built here")
}
