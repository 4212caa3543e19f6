//! The gateway against peers that are slow, large, many, or rude; and web hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on must fail"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, Inbox, OutboundText, ReplyRoute,
    SendError, Webhook,
};
use dmgate_gateway::Limits;
use support::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Keeps what came in.
struct Hooked {
    meta: ChannelMeta,
    requests: Mutex<Vec<http::Request<Bytes>>>,
    /// So many are answered, and the others wait.
    room: Semaphore,
}

#[async_trait]
impl ChannelAdapter for Hooked {
    fn meta(&self) -> &ChannelMeta {
        &self.meta
    }

    async fn run(&self, _inbox: Inbox, shutdown: CancellationToken) -> Result<(), ChannelError> {
        shutdown.cancelled().await;
        Ok(())
    }

    fn refuses(&self, head: &http::request::Parts) -> Option<http::StatusCode> {
        head.headers.contains_key("x-forged").then_some(http::StatusCode::UNAUTHORIZED)
    }

    async fn webhook(&self, request: http::Request<Bytes>) -> Webhook {
        self.requests.lock().unwrap().push(request);
        self.room.acquire().await.unwrap().forget();
        let mut hook = Webhook::status(http::StatusCode::MULTI_STATUS);
        hook.response.headers_mut().insert("x-proof", http::HeaderValue::from_static("1"));
        *hook.response.body_mut() = "seen".into();
        hook
    }

    async fn send_text(&self, _route: &ReplyRoute, _text: &OutboundText) -> Result<(), SendError> {
        Ok(())
    }

    fn status(&self) -> ChannelStatus {
        ChannelStatus::Ready
    }
}

fn hooked() -> Arc<Hooked> {
    hooked_with("work", Semaphore::MAX_PERMITS)
}

fn hooked_with(account: &str, room: usize) -> Arc<Hooked> {
    let account = AccountKey::parse("hooked", account).unwrap();
    let meta = ChannelMeta { account, id_line: "id".into(), text_limit: 100, idempotent_sends: false };
    Arc::new(Hooked { meta, requests: Mutex::default(), room: Semaphore::new(room) })
}

/// Short times, so that running out of them is quick.
fn hasty() -> Limits {
    let soon = Duration::from_millis(100);
    Limits { head_within: soon, body_within: soon, ..Limits::default() }
}

async fn connect(server: &Server, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A peer that we are rude to may reset the connection: what came before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn paths_lead_somewhere_or_nowhere() {
    let server = Server::start().await;
    let home = server.get("/", "").await;
    assert_eq!((home.status, home.header("location")), (302, Some("/chat")));
    let health = server.get("/healthz", "Host: x\r\n").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));
    for path in ["/nothing", "/chat/", "/chat/../x", "/webhooks/", "/webhooks/webchat", "/chat/chat.html"] {
        let answer = server.get(path, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn a_web_hook_is_handed_on_as_it_is() {
    let adapter = hooked();
    let server = Server::with(Limits::default(), vec![Arc::clone(&adapter) as Arc<dyn ChannelAdapter>]).await;
    let headers = "X-Signature: s\r\nX-Signature: t\r\nCookie: dmgate-chat=secret\r\n";
    let answer = server.post_with("/webhooks/hooked/work?a=b%20c", headers, "\u{0}{ raw").await;
    assert_eq!((answer.status, answer.header("x-proof"), answer.body.as_str()), (207, Some("1"), "seen"));
    assert_eq!(server.get("/webhooks/hooked/work?hub=1", "").await.status, 207);
    {
        let requests = adapter.requests.lock().unwrap();
        let (posted, got) = (&requests[0], &requests[1]);
        assert_eq!((posted.method().as_str(), got.method().as_str()), ("POST", "GET"));
        assert_eq!(posted.uri(), "/webhooks/hooked/work?a=b%20c");
        assert_eq!(&posted.body()[..], b"\0{ raw");
        assert_eq!(posted.headers().get_all("x-signature").iter().count(), 2);
        assert!(posted.headers().get("cookie").is_none());
    }
    for path in [
        "/webhooks/hooked/other",
        "/webhooks/other/work",
        "/webhooks/Hooked/work",
        "/webhooks/hooked/..%2Fwork",
        "/webhooks/hooked/%FF",
        "/webhooks/webchat/default",
    ] {
        let answer = server.post_with(path, "", "{}").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{path}");
    }
    let put =
        format!("PUT /webhooks/hooked/work HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.addr);
    assert_eq!(server.ask(&put).await.status, 405);
    assert_eq!(adapter.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_web_hook_has_a_largest_size() {
    let adapter = hooked();
    let limits = Limits { webhook_bytes: 1_000, ..Limits::default() };
    let server = Server::with(limits, vec![Arc::clone(&adapter) as Arc<dyn ChannelAdapter>]).await;
    let post =
        |more: &str| format!("POST /webhooks/hooked/work HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}");
    // Said to be too large: refused before it is sent.
    let large = connect(&server, post("Content-Length: 99999999999\r\n\r\n")).await;
    assert!(rest(large).await.starts_with("HTTP/1.1 413 "));
    let chunked =
        post("Transfer-Encoding: chunked\r\n\r\n") + &format!("3e8\r\n{}\r\n", "x".repeat(1_000)).repeat(2);
    assert!(rest(connect(&server, chunked).await).await.starts_with("HTTP/1.1 413 "));
    let fits = post("Transfer-Encoding: chunked\r\n\r\n") + "3\r\nabc\r\n0\r\n\r\n";
    assert!(rest(connect(&server, fits).await).await.starts_with("HTTP/1.1 207 "));
    // Two lengths, or one beside chunks: the classic of smuggling.
    for twice in
        ["Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: -1\r\n", "Content-Length: 3,4\r\n"]
    {
        let answer = rest(connect(&server, post(twice) + "\r\nabcd").await).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{twice}: {answer}");
    }
    assert_eq!(adapter.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_web_hook_that_its_head_condemns_is_not_read() {
    let adapter = hooked();
    let server = Server::with(Limits::default(), vec![Arc::clone(&adapter) as Arc<dyn ChannelAdapter>]).await;
    // The web chat has no web hooks at all: nobody takes the room of large bodies there.
    for (path, status) in [("hooked/work", 401), ("webchat/default", 404)] {
        let head = format!(
            "POST /webhooks/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forged: 1\r\n\
             Expect: 100-continue\r\nContent-Length: 20\r\n\r\n"
        );
        let answer = rest(connect(&server, head).await).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    assert!(adapter.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_sends_slowly_takes_nobodys_place() {
    let limits = Limits { deliveries: 1, deliveries_per_address: 1, ..Limits::default() };
    let server = Server::with(limits, vec![hooked() as Arc<dyn ChannelAdapter>]).await;
    let ann = server.visitor().await;
    let to_chat = format!("Origin: {}\r\nContent-Type: application/json\r\n{}", server.origin(), ann.cookie);
    let mut slow = Vec::new();
    for (path, headers) in [("/webhooks/hooked/work", ""), ("/chat/messages", &to_chat)] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Expect: 100-continue\r\nContent-Length: 20\r\n\r\n",
            server.addr
        );
        let mut half = connect(&server, head).await;
        // From here on its body is waited for.
        let mut answer = [0; 12];
        half.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100");
        slow.push(half);
    }
    assert_eq!(server.post_with("/webhooks/hooked/work", "", "{}").await.status, 207);
    assert_eq!(server.write(&ann, "hello").await.status, 202);
}

#[tokio::test]
async fn an_account_whose_messages_wait_leaves_the_others_their_place() {
    let (full, free) = (hooked_with("full", 0), hooked());
    let limits = Limits { deliveries: 8, ..Limits::default() };
    let adapters = [&full, &free].map(|adapter| Arc::clone(adapter) as Arc<dyn ChannelAdapter>);
    let server = Server::with(limits, adapters.into()).await;
    let post =
        "POST /webhooks/hooked/full HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    let waiting = [connect(&server, post).await, connect(&server, post).await];
    while full.requests.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        assert_eq!(server.post_with("/webhooks/hooked/full", "", "{}").await.status, 503, "come again");
        assert_eq!(server.post_with("/webhooks/hooked/work", "", "{}").await.status, 207);
    }
    full.room.add_permits(9);
    for stream in waiting {
        assert!(rest(stream).await.starts_with("HTTP/1.1 207 "));
    }
    assert_eq!(server.post_with("/webhooks/hooked/full", "", "{}").await.status, 207);
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() {
    let server = Server::limited(hasty()).await;
    // Nothing at all, half a head, nothing after an answer: the connection ends.
    assert_eq!(rest(connect(&server, "").await).await, "");
    let half = rest(connect(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await).await;
    assert!(!half.contains("200 OK"), "{half}");
    let idle = rest(connect(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(idle.starts_with("HTTP/1.1 200 OK"), "{idle}");
    // Half a body, and one that comes in drops.
    let ann = server.visitor().await;
    let post = format!(
        "POST /chat/messages HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nContent-Type: application/json\r\n{}",
        server.addr,
        server.origin(),
        ann.cookie
    );
    let half = rest(connect(&server, format!("{post}Content-Length: 20\r\n\r\n{{")).await).await;
    assert!(half.starts_with("HTTP/1.1 408 "), "{half}");
}

#[tokio::test]
async fn a_body_that_comes_in_drops_has_no_longer_than_another() {
    let adapter = hooked();
    let server = Server::with(hasty(), vec![Arc::clone(&adapter) as Arc<dyn ChannelAdapter>]).await;
    let post = "POST /webhooks/hooked/work HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut dripping = connect(&server, post).await;
    let mut drops = 0;
    while dripping.write_all(b"1\r\n \r\n").await.is_ok() {
        drops += 1;
    }
    assert!(drops < hasty().webhook_bytes, "it ended before the size did");
    assert!(adapter.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_takes_nothing_is_given_up() {
    let limits = Limits { stalled_for: Duration::from_millis(100), ..Limits::default() };
    let server = Server::limited(limits).await;
    let ask = format!("GET /chat/chat.js HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr);
    let mut deaf = connect(&server, &ask).await;
    // The answers are never read: after a while there is no room for them, and then the connection ends.
    while deaf.write_all(ask.as_bytes()).await.is_ok() {}
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let server = Server::start().await;
    let many = "X: y\r\n".repeat(200);
    let large = format!("X: {}\r\n", "y".repeat(100_000));
    for headers in [many, large] {
        let answer =
            rest(connect(&server, format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    }
    for rubbish in ["\0\0\0\0", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02"] {
        let answer = rest(connect(&server, format!("{rubbish}\r\n\r\n")).await).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.is_empty(), "{answer}");
    }
    assert_eq!(server.get("/healthz", "").await.status, 200);
}

#[tokio::test]
async fn pages_have_bounds_and_give_their_place_back() {
    let limits = Limits { pages: 3, pages_per_address: 2, ..Limits::default() };
    let server = Server::limited(limits).await;
    let (ann, ben) = (server.visitor().await, server.visitor().await);
    let first = server.events(&ann).await;
    let _second = server.events(&ben).await;
    let refused = server.try_events(&ben).await.err().unwrap();
    assert_eq!((refused.status, refused.body.as_str()), (429, ""));
    drop(first);
    // That the page is gone is seen when the connection's end is: ask until it is.
    while server.try_events(&ben).await.is_err() {}

    let limits = Limits { pages: 1, ..Limits::default() };
    let server = Server::limited(limits).await;
    let ann = server.visitor().await;
    let _page = server.events(&ann).await;
    assert_eq!(server.try_events(&ann).await.err().unwrap().status, 503);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_their_turn() {
    let server = Server::limited(Limits { connections: 2, ..Limits::default() }).await;
    let (first, second) = (connect(&server, "").await, connect(&server, "").await);
    let mut third = connect(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut answer = [0; 12];
    tokio::select! {
        biased;
        read = third.read_exact(&mut answer) => panic!("{read:?}"),
        () = async { for _ in 0..1_000 { tokio::task::yield_now().await } } => {}
    }
    drop(first);
    third.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(second);
}

#[tokio::test]
async fn the_end_closes_pages_and_takes_nothing_new() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    server.allow(&ann.id).await;
    let mut events = server.events(&ann).await;
    let idle = connect(&server, "").await;
    server.write(&ann, "hello").await;
    server.shutdown.cancel();
    assert_eq!(events.text().await.2, "You said: hello", "what was let in is answered");
    assert_eq!(events.next().await, None);
    assert_eq!(rest(idle).await, "");
    let addr = server.addr;
    server.ended.await.unwrap();
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_request_that_hangs_is_cut_off_at_the_end() {
    let limits = Limits { end_within: Duration::from_millis(50), ..Limits::default() };
    let server = Server::limited(limits).await;
    let ann = server.visitor().await;
    let hanging = connect(
        &server,
        format!(
            "POST /chat/messages HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nContent-Type: application/json\r\n{}\
             Content-Length: 10\r\n\r\n{{",
            server.addr,
            server.origin(),
            ann.cookie
        ),
    )
    .await;
    let _page = server.events(&ann).await;
    server.shutdown.cancel();
    server.ended.await.unwrap();
    assert_eq!(rest(hanging).await, "");
}
