//! A flood of strangers against the whole program: by long poll, by web hook and through the web chat at once. Once all
//! slots are taken they cost neither memory nor a touch of the disk, and whom the owner let in is answered meanwhile.
//!
//! The short form asks for counts and memory. The long one, `tests/long.sh flood`, also shows how long answers take.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that can't go on must fail; the owner's files are written as the owner would"
)]

mod bot_api;
mod known;
mod program;
mod visitor;
mod wire;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bot_api::Bot;
use known::Known;
use program::Program;
use tokio_util::sync::CancellationToken;
use visitor::Visitor;
use wire::Connection;

/// Whom the owner let in, everywhere.
const KNOWN: i64 = 42;

/// The strangers who take the slots, on each channel.
const FIRST: [i64; 3] = [1_001, 1_002, 1_003];

/// The first of those who come after them.
const LATER: i64 = 1_000_000;

/// The part of loopback that everybody else comes from.
const FROM: u8 = 1;

/// Requests that follow each other closely on one connection.
const TOGETHER: usize = 32;

/// What the program may grow by, in KiB: it reads into buffers, and remembers a few thousand messages.
const GROWTH: u64 = 3 * 1_024;

/// Strangers' messages; the long form is `DMGATE_FLOOD=1000000`.
fn messages() -> i64 {
    std::env::var("DMGATE_FLOOD").map_or(20_000, |messages| messages.parse().unwrap())
}

/// Waits for what must come: an answer that is lost fails the test in place of holding it up.
async fn patiently<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), coming).await.expect("it comes within half a minute")
}

/// A thread for the peers, which must answer while the other one waits for the program.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i11_a_flood_of_strangers_leaves_nothing_behind() {
    let (mut polled, hooked) = (Bot::start().await, Bot::start().await);
    let program = Program::start(polled.address, hooked.address, KNOWN);
    let _pages = take_the_slots(&program, &mut polled).await;
    let (to, feed) = (program.address, polled.feed());
    let mut known = Known::arrive(to, polled, hooked).await;

    let quiet = known.ask(messages() / 100, &CancellationToken::new()).await;
    let (before, watch, over) = (program.memory(), program.watch(), CancellationToken::new());
    let asking = tokio::spawn({
        let over = over.clone();
        async move { known.ask(i64::MAX, &over).await }
    });
    let (each, begun, busy) = (messages() / 3, Instant::now(), program.busy());
    let strangers = LATER..LATER + each;
    tokio::join!(
        feed.flood(strangers.clone()),
        request(to, strangers.clone(), 200, |number| hook(number, number, to, "let me in")),
        request(to, strangers, 202, |number| visitor::message(number, to, "let me in", "m1")),
    );
    let (lasted, busy) = (begun.elapsed(), program.busy() - busy);
    over.cancel();
    let flooded = asking.await.unwrap();
    let after = program.memory();

    println!("{} messages in {lasted:.1?}, {busy:.1?} of a processor", 3 * each);
    println!("memory of its own: {before} KiB, then {after} KiB");
    quiet.print(flooded);
    assert_eq!(watch.seen(), [""; 0], "nobody touched the files");
    assert!(after <= before + GROWTH, "{before} KiB, then {after} KiB");
    assert_eq!((program.pending("telegram"), program.pending("webchat")), (3, 3));
}

/// Three strangers get a code on each channel. Their pages stay open.
async fn take_the_slots(program: &Program, polled: &mut Bot) -> Vec<Visitor> {
    let mut pages = Vec::new();
    for (number, from) in FIRST.into_iter().zip(FROM + 1..) {
        polled.feed().write(number, "let me in");
        let (to, text) = polled.sent().await;
        assert!(to == number && text.contains("pairing approve"), "{text}");
        // One network address gets one code.
        let mut page = Visitor::open(number, from, program.address).await;
        page.write("let me in").await;
        assert!(page.reads().await.contains("pairing approve"));
        pages.push(page);
    }
    // A code that arrived is on record a moment later.
    while (program.sent("telegram"), program.sent("webchat")) != (3, 3) {
        tokio::task::yield_now().await;
    }
    pages
}

/// Strangers' requests, on one connection, which must all be answered with this status.
async fn request(to: SocketAddr, strangers: std::ops::Range<i64>, status: u16, of: impl Fn(i64) -> String) {
    let mut connection = Connection::open(FROM, to).await;
    let mut strangers = strangers.peekable();
    while strangers.peek().is_some() {
        let requests: Vec<String> = strangers.by_ref().take(TOGETHER).map(&of).collect();
        connection.ask(&requests.concat(), requests.len(), status).await;
    }
}

/// A web hook's request with a message to the bot.
fn hook(from: i64, update: i64, to: SocketAddr, text: &str) -> String {
    let body = bot_api::update(update, from, text).to_string();
    let (secret, length) = (program::SECRET, body.len());
    format!(
        "POST /webhooks/telegram/hook HTTP/1.1\r\nHost: {to}\r\nX-Telegram-Bot-Api-Secret-Token: {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
