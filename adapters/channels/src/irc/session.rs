//! One connection, from its first word to its last.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use dmgate::{ChannelStatus, escape};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::Inbound;
use super::delivery::{Delivery, Outgoing, Progress};
use super::line::Line;
use super::message::Reading;
use super::pacing::Pacing;
use super::registration::{Registration, Step, Welcome};
use super::server::Server;
use super::{Identity, Settings, Shared};
use crate::backoff::at;
use crate::dial::Stream;
use crate::life::End;
use crate::lines::LineReader;

/// How long a server may take to let us in.
const REGISTER: Duration = Duration::from_secs(60);

/// How long a connection may be quiet before we ask whether it still is one, and how long the answer may take.
const QUIET: Duration = Duration::from_secs(60);

/// How long a server may take to answer a question or to take a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest line: 8 KiB of tags and as much of everything else, far more than any server sends.
const LINE_LIMIT: usize = 16 * 1024;

/// Texts that wait for their turn; who sends more waits.
const WAITING: usize = 64;

/// Both directions of a connection.
struct Wire<S> {
    reader: LineReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
}

/// A connection on which we are in.
struct Session<'a, S> {
    wire: Wire<S>,
    shared: &'a Shared,
    inbound: mpsc::Sender<Inbound>,
    outbox: mpsc::Receiver<Outgoing>,
    nick: String,
    server_name: String,
    server: Server,
    has_accounts: bool,
    pacing: Pacing,
    /// The text whose turn it is.
    delivery: Option<Delivery>,
    /// The question before it, until it is sent.
    question: Option<String>,
    /// When the server must have answered.
    overdue: Option<Instant>,
    deliveries: u64,
    heard: Instant,
    asked: bool,
    is_full: bool,
}

/// Serves a connection until it ends or `stop`.
pub(super) async fn serve(
    stream: impl Stream,
    shared: Arc<Shared>,
    inbound: mpsc::Sender<Inbound>,
    stop: CancellationToken,
) -> End {
    let (reader, writer) = tokio::io::split(stream);
    let mut wire = Wire { reader: LineReader::new(reader, LINE_LIMIT), writer };
    let welcome = tokio::select! {
        () = stop.cancelled() => Err(End::Stopped),
        welcome = timeout(REGISTER, register(&mut wire, &shared.settings)) => welcome
            .unwrap_or_else(|_| Err(End::Lost("the server does not let us in".to_owned()))),
    };
    let welcome = match welcome {
        Ok(welcome) => welcome,
        Err(end) => {
            let _ = wire.send("QUIT").await;
            return end;
        }
    };
    let (sender, outbox) = mpsc::channel(WAITING);
    *shared.outbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    let mut session = Session::new(wire, &shared, inbound, outbox, welcome);
    let end = session.run(&stop).await;
    // First nobody sends any more, then who waits learns what became of it.
    session.outbox.close();
    if let Some(delivery) = session.delivery.take() {
        delivery.give_up("the connection ended");
    }
    if let Err(End::Stopped) = &end {
        let _ = session.wire.send("QUIT").await;
        let _ = timeout(PATIENCE, session.wire.writer.shutdown()).await;
    }
    end.err().unwrap_or(End::Stopped)
}

async fn register<S: Stream>(wire: &mut Wire<S>, settings: &Settings) -> Result<Welcome, End> {
    let mut registration = Registration::new(settings);
    let mut step = Step::Send(registration.begin());
    loop {
        match step {
            Step::Done(welcome) => return Ok(welcome),
            Step::End(end) => return Err(end),
            Step::Send(lines) => {
                for line in lines {
                    wire.send(&line).await?;
                }
            }
        }
        let line = wire.next().await?;
        wire.answer(&line).await?;
        step = registration.on(&line);
    }
}

impl<S: Stream> Wire<S> {
    /// The next line. To give up waiting for it loses nothing.
    async fn next(&mut self) -> Result<Line, End> {
        loop {
            let line = self.reader.next().await.map_err(|error| lost(&error))?;
            let line = line.ok_or_else(|| End::Lost("the server hung up".to_owned()))?;
            if let Some(line) = Line::parse(&line) {
                return Ok(line);
            }
        }
    }

    /// Answers a PING.
    async fn answer(&mut self, line: &Line) -> Result<(), End> {
        match line.command.as_str() {
            "PING" => self.send(&format!("PONG :{}", line.last())).await,
            _ => Ok(()),
        }
    }

    /// Sends one line, whatever is in it: nothing makes two of it.
    async fn send(&mut self, line: &str) -> Result<(), End> {
        let mut line: String = line.chars().filter(|letter| !matches!(letter, '\r' | '\n' | '\0')).collect();
        line.push_str("\r\n");
        let sending = async {
            self.writer.write_all(line.as_bytes()).await?;
            self.writer.flush().await
        };
        match timeout(PATIENCE, sending).await {
            Ok(sent) => sent.map_err(|error| lost(&error)),
            Err(_) => Err(End::Lost("the server takes no more lines".to_owned())),
        }
    }
}

impl<'a, S: Stream> Session<'a, S> {
    fn new(
        wire: Wire<S>,
        shared: &'a Shared,
        inbound: mpsc::Sender<Inbound>,
        outbox: mpsc::Receiver<Outgoing>,
        welcome: Welcome,
    ) -> Self {
        Self {
            wire,
            shared,
            inbound,
            outbox,
            nick: welcome.nick,
            server_name: welcome.server,
            server: Server::default(),
            has_accounts: welcome.has_accounts,
            pacing: Pacing::new(),
            delivery: None,
            question: None,
            overdue: None,
            deliveries: 0,
            heard: Instant::now(),
            asked: false,
            is_full: false,
        }
    }

    /// Works until something ends it.
    async fn run(&mut self, stop: &CancellationToken) -> Result<(), End> {
        self.tell_status();
        let _ = self.inbound.try_send(Inbound::Ready);
        loop {
            let line_due = self.has_line().then(|| self.pacing.next());
            let quiet = self.heard + if self.asked { QUIET * 2 } else { QUIET };
            tokio::select! {
                () = stop.cancelled() => return Err(End::Stopped),
                line = self.wire.next() => {
                    let line = line?;
                    self.heard = Instant::now();
                    self.asked = false;
                    self.wire.answer(&line).await?;
                    self.take(&line).await?;
                }
                Some(outgoing) = self.outbox.recv(), if self.delivery.is_none() => self.begin(outgoing),
                () = at(line_due) => self.send_next().await?,
                () = at(self.overdue) => {
                    // Its answers would come amid those to the next question.
                    return Err(End::Lost("the server does not answer".to_owned()));
                }
                () = sleep_until(quiet) => {
                    if self.asked {
                        return Err(End::Lost("the server is silent".to_owned()));
                    }
                    self.asked = true;
                    self.wire.send("PING :dmgate").await?;
                }
            }
        }
    }

    /// Takes a line of the server's.
    async fn take(&mut self, line: &Line) -> Result<(), End> {
        if let Some(delivery) = &mut self.delivery {
            match delivery.on(line, &self.server, self.shared.account().channel()) {
                Progress::Waits => {}
                Progress::Proven => self.overdue = None,
                Progress::Over(outcome) => {
                    self.overdue = None;
                    self.question = None;
                    if let Some(delivery) = self.delivery.take() {
                        delivery.end(outcome);
                    }
                }
            }
        }
        match line.command.as_str() {
            "PRIVMSG" | "NOTICE" | "TAGMSG" => self.deliver(line),
            "NICK" if self.server.is_same(line.nick(), &self.nick) => self.nick = line.param(0).to_owned(),
            "005" => line.words().for_each(|word| self.server.learn(word)),
            "CAP" => self.capability(line).await?,
            "ERROR" => return Err(End::Lost(format!("the server hangs up: {}", escape(line.last())))),
            _ => {}
        }
        Ok(())
    }

    fn deliver(&mut self, line: &Line) {
        let reading = Reading {
            account: self.shared.account(),
            identity: self.shared.settings.identity,
            nick: &self.nick,
            server: &self.server,
            has_accounts: self.has_accounts,
        };
        let account = self.shared.account();
        match reading.read(line) {
            Err(reason) => tracing::debug!(%account, "a line is dropped: {reason}"),
            Ok(message) => match self.inbound.try_send(Inbound::Message(Box::new(message))) {
                Err(mpsc::error::TrySendError::Full(_)) => {
                    if !self.is_full {
                        tracing::warn!(%account, "messages are lost: more come in than can be worked off");
                    }
                    self.is_full = true;
                }
                // After the run has ended nothing more is received.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => self.is_full = false,
            },
        }
    }

    /// Capabilities may come and go with the network's services.
    async fn capability(&mut self, line: &Line) -> Result<(), End> {
        let is_about_accounts =
            line.last().split_whitespace().any(|name| name.split('=').next() == Some("account-tag"));
        match line.param(1) {
            _ if !is_about_accounts => return Ok(()),
            "NEW" => return self.wire.send("CAP REQ :account-tag").await,
            "ACK" => self.has_accounts = true,
            "DEL" | "NAK" => self.has_accounts = false,
            _ => return Ok(()),
        }
        self.tell_status();
        Ok(())
    }

    /// Ready, or connected in vain: without accounts nobody can be let in by theirs.
    fn tell_status(&self) {
        let is_blind = self.shared.settings.identity == Identity::Account && !self.has_accounts;
        self.shared.status.set(if is_blind {
            ChannelStatus::Refused(format!(
                "`{}` does not say who is logged in (it lacks `account-tag`), so nobody can be let in; take a network with \
                 services, or set `identity = \"hostmask\"` and trust its masks",
                escape(&self.server_name)
            ))
        } else {
            ChannelStatus::Ready
        });
    }

    fn begin(&mut self, outgoing: Outgoing) {
        if outgoing.done.is_closed() {
            return;
        }
        self.deliveries += 1;
        let (delivery, question) = Delivery::begin(outgoing, self.deliveries);
        self.delivery = Some(delivery);
        self.question = Some(question);
    }

    /// Whether a line waits to be sent.
    fn has_line(&self) -> bool {
        self.question.is_some() || self.delivery.as_ref().is_some_and(Delivery::has_next)
    }

    /// Sends the next line; the question and the last one are to be answered in time.
    async fn send_next(&mut self) -> Result<(), End> {
        let question = self.question.take();
        let Some(line) = question.or_else(|| self.delivery.as_mut().and_then(Delivery::next)) else {
            return Ok(());
        };
        if !self.has_line() {
            self.overdue = Some(Instant::now() + PATIENCE);
        }
        self.pacing.spend();
        self.wire.send(&line).await
    }
}

fn lost(error: &std::io::Error) -> End {
    End::Lost(format!("the connection broke: {error}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn nothing_makes_two_lines_of_one() {
        let (client, mut server) = tokio::io::duplex(1_024);
        let (reader, writer) = tokio::io::split(client);
        let mut wire = Wire { reader: LineReader::new(reader, LINE_LIMIT), writer };
        wire.send("PRIVMSG a :b\r\nQUIT\0\n").await.unwrap();
        drop(wire);
        let mut sent = String::new();
        server.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "PRIVMSG a :bQUIT\r\n");
    }
}
