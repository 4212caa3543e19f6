//! An agent that is a program: one line of JSON to its standard input a turn, one line back. It is kept running; when it
//! dies, breaks the rules or takes too long, it is started again after a pause.

mod child;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use child::Child;
use dmgate::{Agent, AgentError, Turn};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Bounds, wire};

/// The first pause before a program is started again; each one in a row is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A program that ran this long has not failed at once: the pauses begin anew.
const SETTLED: Duration = Duration::from_secs(60);

/// An agent that is a program.
pub(super) struct Command {
    turns: mpsc::Sender<Asked>,
}

/// One turn, and where its answer goes.
struct Asked {
    line: String,
    id: String,
    answer: oneshot::Sender<Result<Vec<String>, AgentError>>,
}

/// What keeps the program running.
struct Keeper {
    words: Arc<[String]>,
    /// Variables that it does not see.
    hidden: Vec<String>,
    bounds: Bounds,
    turns: mpsc::Receiver<Asked>,
    stop: CancellationToken,
    pause: Duration,
}

/// Why the program is not kept any longer.
enum End {
    /// We are told to end.
    Stopped,
    /// It died, or had to be killed.
    Failed(String),
}

impl Command {
    /// An agent, and what keeps its program running until `stop`.
    pub(super) fn new(
        words: Vec<String>,
        hidden: Vec<String>,
        bounds: Bounds,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()>) {
        let (sender, turns) = mpsc::channel(1);
        let keeper = Keeper { words: words.into(), hidden, bounds, turns, stop, pause: FIRST_PAUSE };
        (Self { turns: sender }, keeper.keep())
    }
}

#[async_trait]
impl Agent for Command {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        let (line, id) = wire::question(&turn)?;
        let (answer, answered) = oneshot::channel();
        let ended = || AgentError("the agent's program has ended".to_owned());
        self.turns.send(Asked { line, id, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            let started = Instant::now();
            let why = match Child::start(&self.words, &self.hidden, self.bounds.max_reply) {
                Err(error) => error,
                Ok(mut child) => match self.attend(&mut child).await {
                    End::Stopped => return child.end().await,
                    End::Failed(why) => {
                        child.kill().await;
                        why
                    }
                },
            };
            if started.elapsed() >= SETTLED {
                self.pause = FIRST_PAUSE;
            }
            tracing::error!(
                "the agent's program {why}; it is started again in {} ms",
                self.pause.as_millis()
            );
            if !self.rest(&why).await {
                return;
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Hands turns to a running program, one after another.
    async fn attend(&mut self, child: &mut Child) -> End {
        loop {
            let asked = tokio::select! {
                // What was written without being asked is read before the next turn is begun: it is nobody's, and would be
                // taken for that turn's answer.
                biased;
                () = self.stop.cancelled() => return End::Stopped,
                why = child.idle() => return End::Failed(why),
                asked = self.turns.recv() => asked,
            };
            let Some(Asked { line, id, answer }) = asked else { return End::Stopped };
            let timeout = self.bounds.timeout;
            let said = tokio::select! {
                () = self.stop.cancelled() => return End::Stopped,
                said = tokio::time::timeout(timeout, child.exchange(&line)) => said,
            };
            let said =
                said.unwrap_or_else(|_| Err(format!("did not answer within {} s", timeout.as_secs_f32())));
            match said {
                Ok(said) => {
                    let said = wire::answer(&said, &id);
                    let broken = said.as_ref().err().map(ToString::to_string);
                    // Nobody waits for it any more if the pipeline gave the turn up.
                    let _ = answer.send(said);
                    if let Some(why) = broken {
                        return End::Failed(format!("wrote what can't be used: {why}"));
                    }
                    self.pause = FIRST_PAUSE;
                }
                Err(why) => {
                    let _ = answer.send(Err(AgentError(format!("the agent's program {why}"))));
                    return End::Failed(why);
                }
            }
        }
    }

    /// Waits before the next start; turns that come meanwhile fail at once. Whether there is a next start.
    async fn rest(&mut self, why: &str) -> bool {
        let until = Instant::now() + self.pause;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = tokio::time::sleep_until(until) => return true,
                asked = self.turns.recv() => match asked {
                    None => return false,
                    Some(asked) => {
                        let error = AgentError(format!("the agent's program {why}, and is not running yet"));
                        let _ = asked.answer.send(Err(error));
                    }
                }
            }
        }
    }
}
