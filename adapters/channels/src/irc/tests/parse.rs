//! What is read from lines.

use async_trait::async_trait;
use dmgate::{Conversation, Strength};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::*;
use crate::conformance::{Case, Feed, Subject, Table, check};
use crate::irc::line::Line;
use crate::irc::message::Reading;
use crate::irc::server::Server;
use crate::recorded;

/// A server that lets the adapter in, however often it comes.
struct Network {
    listener: TcpListener,
    nick: String,
    casemapping: String,
    capabilities: &'static str,
    connection: Option<(BufReader<OwnedReadHalf>, OwnedWriteHalf)>,
}

impl Network {
    async fn of(setup: &Value) -> Self {
        let text = |key: &str, otherwise: &str| setup[key].as_str().unwrap_or(otherwise).to_owned();
        let tells_accounts = setup["has_accounts"] != Value::Bool(false);
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            nick: text("nick", "botty"),
            casemapping: text("casemapping", "rfc1459"),
            capabilities: if tells_accounts { "account-tag server-time" } else { "server-time" },
            connection: None,
        }
    }

    async fn welcome(&mut self) {
        let (stream, _) = self.listener.accept().await.unwrap();
        // The lines are short, and each is waited for.
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        self.connection = Some((BufReader::new(reader), writer));
        while !self.line().await.is_none_or(|line| line.starts_with("USER ")) {}
        self.say(&format!(":irc.test CAP * LS :{}", self.capabilities)).await;
        while let Some(line) = self.line().await {
            let Some(name) = line.strip_prefix("CAP REQ :") else { break };
            self.say(&format!(":irc.test CAP * ACK :{name}")).await;
        }
        let (nick, casemapping) = (self.nick.clone(), self.casemapping.clone());
        self.say(&format!(":irc.test 001 {nick} :Welcome")).await;
        let tokens = format!("CASEMAPPING={casemapping} CHANTYPES=#& STATUSMSG=@+");
        self.say(&format!(":irc.test 005 {nick} {tokens} :are supported")).await;
    }

    /// The adapter's next line; `None` when it hung up.
    async fn line(&mut self) -> Option<String> {
        let (reader, _) = self.connection.as_mut()?;
        let mut line = String::new();
        match reader.read_line(&mut line).await {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    async fn say(&mut self, line: &str) {
        if let Some((_, writer)) = &mut self.connection {
            // The adapter may have hung up before.
            let _ = writer.write_all(format!("{line}\r\n").as_bytes()).await;
        }
    }
}

#[async_trait]
impl Feed for Network {
    async fn send(&mut self, line: &Value) {
        if self.connection.is_none() {
            self.welcome().await;
        }
        self.say(line.as_str().unwrap()).await;
    }

    async fn mark(&mut self, text: &str) {
        let nick = self.nick.clone();
        self.say(&format!("@account=marker :marker!m@host PRIVMSG {nick} :{text}")).await;
    }

    async fn attend(&mut self) {
        while self.line().await.is_some() {}
        self.connection = None;
        self.welcome().await;
    }
}

#[tokio::test]
async fn i14_i15_i16_lines_conform() {
    // Far more than any server sends in a line.
    let text = include_str!("../../../tests/conformance/irc.json").replace("$ENDLESS", &"x".repeat(40_000));
    let open = async |case: &Case| {
        let network = Network::of(&case.setup).await;
        let mut config = Config::new("127.0.0.1".to_owned(), network.nick.clone());
        (config.tls, config.port) = (false, Some(network.listener.local_addr().unwrap().port()));
        config.password = Some(crate::Secret::new("s3cret"));
        if case.setup["identity"] == "hostmask" {
            config.identity = Identity::Hostmask;
        }
        let account = AccountKey::parse("irc", "default").unwrap();
        let mut irc = Irc::open(Setup::new(account), config).ok().unwrap();
        irc.retry = (Duration::from_millis(1), Duration::from_millis(1));
        Subject::stream(Arc::new(irc), network).hiding("s3cret")
    };
    check(&Table::parse(&text), "socket", open).await;
}

#[test]
fn i15_recorded_lines_count_only_with_the_account() {
    let account = AccountKey::parse("irc", "default").unwrap();
    let server = Server::default();
    for (name, lines) in recorded::payloads("irc-") {
        for text in lines.lines().filter(|line| line.contains(" PRIVMSG ")) {
            let reading = Reading {
                account: &account,
                identity: Identity::Account,
                nick: "botty",
                server: &server,
                has_accounts: true,
            };
            let message = reading.read(&Line::parse(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(message.conversation, Conversation::Direct, "{name}: {text}");
            let is_proven = text.contains("account=");
            let strength = if is_proven { Strength::Authenticated } else { Strength::Mutable };
            assert_eq!(message.sender.strength(), strength, "{name}: {text}");
            assert_eq!(message.sender.primary().as_str() == "account:alice", is_proven, "{name}: {text}");
            assert_eq!(message.sent_at.is_some(), text.starts_with('@'), "{name}: {text}");
        }
    }
}
