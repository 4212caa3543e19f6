//! The adapter against its fixtures and against a server in the test's hands.

mod delivery;
mod life;
mod parse;
mod registration;

use dmgate::{InboundMessage, Inbox, TextKind};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::life::End;

fn irc(change: impl FnOnce(&mut Config)) -> Arc<Irc> {
    let mut config = Config::new("127.0.0.1".to_owned(), "botty".to_owned());
    config.tls = false;
    change(&mut config);
    let account = AccountKey::parse("irc", "default").unwrap();
    Arc::new(Irc::open(Setup::new(account), config).ok().unwrap())
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Reply, idempotency_key: "1".to_owned() }
}

/// The server's end of a connection.
struct Peer(BufReader<DuplexStream>);

impl Peer {
    /// The next line of the client's.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        assert!(line.ends_with("\r\n"), "{line:?}");
        line.trim_end_matches("\r\n").to_owned()
    }

    /// Whatever is left until the client hangs up.
    async fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        while self.0.read_line(&mut line).await.unwrap() > 0 {
            lines.push(line.trim_end().to_owned());
            line.clear();
        }
        lines
    }

    async fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    }

    /// Lets the client in as `nick`.
    async fn welcome(&mut self, nick: &str, capabilities: &str) {
        for expected in ["CAP LS 302", "NICK botty", "USER botty 0 * :dmgate"] {
            assert_eq!(self.line().await, expected);
        }
        self.say(&format!(":irc.test CAP * LS :{capabilities}")).await;
        while let Some(name) = self.line().await.strip_prefix("CAP REQ :") {
            self.say(&format!(":irc.test CAP * ACK :{name}")).await;
        }
        self.say(&format!(":irc.test 001 {nick} :Welcome")).await;
        self.say(&format!(":irc.test 005 {nick} CASEMAPPING=ascii CHANTYPES=# :are supported")).await;
    }

    /// Answers the question who has a nick.
    async fn whois(&mut self, nick: &str, mask: &str, account: Option<&str>) {
        assert_eq!(self.line().await, format!("WHOIS {}", nick.to_lowercase()));
        let (user, host) = mask.split_once('@').unwrap();
        self.say(&format!(":irc.test 311 botty {nick} {user} {host} * :Real")).await;
        if let Some(account) = account {
            self.say(&format!(":irc.test 330 botty {nick} {account} :is logged in as")).await;
        }
        self.say(&format!(":irc.test 318 botty {nick} :End of /WHOIS list.")).await;
    }

    /// Confirms what came before.
    async fn pong(&mut self) {
        let ping = self.line().await;
        let token = ping.strip_prefix("PING :").unwrap_or_else(|| panic!("{ping}"));
        self.say(&format!(":irc.test PONG irc.test :{token}")).await;
    }
}

/// A connection that is being attended to.
struct Attended {
    irc: Arc<Irc>,
    peer: Peer,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<End>,
}

fn attend(irc: &Arc<Irc>) -> Attended {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let (inbox, messages) = Inbox::collecting(512);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(irc), shutdown.clone());
    let ended = tokio::spawn(async move { task.attend(client, &inbox, &until).await });
    Attended { irc: Arc::clone(irc), peer: Peer(BufReader::new(server)), messages, shutdown, ended }
}

/// A connection on which we are in, to a server with accounts.
async fn welcomed(irc: &Arc<Irc>) -> Attended {
    let mut attended = attend(irc);
    attended.peer.welcome("botty", "account-tag message-tags server-time").await;
    irc.shared.status.reach(|status| *status == ChannelStatus::Ready).await;
    attended
}

/// Sends a text in a task of its own.
fn send(irc: &Arc<Irc>, route: &str, body: &str) -> JoinHandle<Result<(), SendError>> {
    let (irc, route, text) = (Arc::clone(irc), ReplyRoute::new(route), text(body));
    tokio::spawn(async move { irc.send_text(&route, &text).await })
}
