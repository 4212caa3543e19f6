//! A client that is let in: what it asks is answered, what happens it is told, until it goes or has to.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Gate;
use super::frame::{self, Failure, Request};
use super::handshake::Welcome;
use super::live::{REMOVED, Who};
use super::method::Answer;
use super::refusal::{POLICY, Refusal};
use super::socket::{Came, Close, Socket};

/// How often a client is told that we are here.
pub(crate) const TICK: Duration = Duration::from_secs(30);
/// How long a client may give no sign of life.
const SILENCE: Duration = Duration::from_secs(95);
/// The gateway ends; it comes back, perhaps (RFC 6455 §11.7).
pub(crate) const RESTART: u16 = 1012;
/// How many requests in turn may be none of the client's business.
const MOST_UNAUTHORIZED: u32 = 10;

impl Gate {
    /// Serves a client to its end.
    pub(crate) async fn attend(&self, mut socket: Socket, welcome: Welcome) {
        let Welcome { who, request, hello } = welcome;
        let Some(mut seat) = self.live.join(who.clone()) else {
            let Refusal { failure, close } = Refusal::full();
            let close = Close::because(close, &failure.message);
            let told = socket.send(frame::answer(&request, Err(failure))).await;
            return socket.close(told.err().unwrap_or(close)).await;
        };
        // What was decided about it between its admission and now is not missed.
        self.poke.notify_one();
        let close = {
            let conversation = pin!(async {
                socket.send(frame::answer(&request, Ok(hello))).await?;
                self.converse(&mut socket, &who, &mut seat.post).await
            });
            tokio::select! {
                biased;
                end = &mut seat.end => end.unwrap_or(Close::GONE),
                () = self.closing.cancelled() => Close::because(RESTART, "service restart"),
                ended = conversation => ended.err().unwrap_or(Close::GONE),
            }
        };
        drop(seat);
        socket.close(close).await;
    }

    /// Until it ends, which is an error.
    async fn converse(
        &self,
        socket: &mut Socket,
        who: &Who,
        post: &mut mpsc::Receiver<Utf8Bytes>,
    ) -> Result<(), Close> {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        let (mut heard, mut unauthorized) = (Instant::now(), 0);
        loop {
            let came = tokio::select! {
                biased;
                Some(event) = post.recv() => {
                    socket.send(event).await?;
                    continue;
                }
                _ = ticks.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(Close::because(POLICY, "no sign of life"));
                    }
                    let now = self.world.clock.now().as_millis();
                    socket.send(frame::event("tick", &json!({ "ts": now }))).await?;
                    socket.ask().await?;
                    continue;
                }
                came = socket.next() => came?,
            };
            heard = Instant::now();
            let Came::Text(text) = came else { continue };
            let (id, answer) = match Request::parse(&text) {
                Ok(request) => (request.id.clone(), self.answer(who, request).await),
                Err(no_request) => {
                    ("invalid".to_owned(), Answer::Forbidden(Failure::invalid(no_request.to_string())))
                }
            };
            let answer = match answer {
                Answer::Over => return Err(Close::because(REMOVED, "device removed")),
                Answer::Forbidden(failure) => {
                    unauthorized += 1;
                    Err(failure)
                }
                Answer::Done(answer) => {
                    unauthorized = 0;
                    answer
                }
            };
            socket.send(frame::answer(&id, answer)).await?;
            if unauthorized > MOST_UNAUTHORIZED {
                return Err(Close::because(POLICY, "repeated unauthorized calls"));
            }
        }
    }
}
