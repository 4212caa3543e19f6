//! Somebody whom the owner let in, on every channel: each question is answered, and how long that takes is noted, beside
//! an echo that does nothing else. What the machine does to everybody under load is in that one too.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::bot_api::{Bot, Feed};
use crate::visitor::Visitor;
use crate::wire::Connection;
use crate::{FROM, KNOWN, hook};

/// The known sender, with a bot that polls, one with a web hook, and an open page.
pub(crate) struct Known {
    to: SocketAddr,
    polled: Bot,
    feed: Arc<Feed>,
    hooked: Bot,
    hook: Connection,
    page: Visitor,
    bare: Connection,
    asked: i64,
}

/// How long answers took, by channel.
#[derive(Default)]
pub(crate) struct Waits([Vec<Duration>; CHANNELS.len()]);

const CHANNELS: [&str; 4] = ["bare echo", "long poll", "web hook", "web chat"];

impl Known {
    pub(crate) async fn arrive(to: SocketAddr, polled: Bot, hooked: Bot) -> Self {
        let (feed, hook) = (polled.feed(), Connection::open(FROM, to).await);
        let (page, bare) = (Visitor::open(KNOWN, FROM, to).await, Connection::open(FROM, echo()).await);
        Self { to, polled, feed, hooked, hook, page, bare, asked: 0 }
    }

    /// Asks on every channel in turn, so many times or until it is over.
    pub(crate) async fn ask(&mut self, times: i64, over: &CancellationToken) -> Waits {
        let mut waits = Waits::default();
        for _ in 0..times {
            if over.is_cancelled() {
                break;
            }
            for (channel, waits) in waits.0.iter_mut().enumerate() {
                self.asked += 1;
                let question = format!("question-{}", self.asked);
                let begun = Instant::now();
                let answer = self.ask_on(channel, &question).await;
                waits.push(begun.elapsed());
                assert_eq!(answer, (KNOWN, question), "nobody else is sent anything");
            }
        }
        waits
    }

    async fn ask_on(&mut self, channel: usize, question: &str) -> (i64, String) {
        match CHANNELS[channel] {
            "bare echo" => {
                self.bare.send(&format!("{question}\n")).await.unwrap();
                (KNOWN, crate::patiently(self.bare.line()).await.unwrap())
            }
            "long poll" => {
                self.feed.write(KNOWN, question);
                self.polled.sent().await
            }
            "web hook" => {
                self.hook.ask(&hook(KNOWN, self.asked, self.to, question), 1, 200).await;
                self.hooked.sent().await
            }
            _ => {
                self.page.write(question).await;
                (KNOWN, self.page.reads().await)
            }
        }
    }
}

impl Waits {
    /// Both beside each other.
    pub(crate) fn print(self, flooded: Self) {
        println!("{:>32} {:>20}", "quiet, p50 and p99 in ms", "flooded");
        for (channel, waits) in CHANNELS.iter().zip(self.0.into_iter().zip(flooded.0)) {
            let [quiet, flooded] = [waits.0, waits.1].map(|mut waits| {
                waits.sort_unstable();
                [50, 99].map(|percent| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3)
            });
            let ratio = flooded[1] / quiet[1];
            println!(
                "{channel:12} {:>9.2} {:>9.2} {:>10.2} {:>9.2}   p99 × {ratio:.1}",
                quiet[0], quiet[1], flooded[0], flooded[1]
            );
        }
    }
}

/// A program's least: a thread that sends back what it receives.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut space = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut space) {
            stream.write_all(&space[..length]).unwrap();
        }
    });
    address
}
