//! What an IRC server says, whatever it says: the adapter ends when the server does, and whoever is let in is on a line
//! to us on which the server put that person's services account.

use dmgate::{AccountKey, AccountPolicy, Decision, DmGate, DmPolicy, InboundMessage, Inbox, Limits};
use dmgate_channels::{Channel, Options, Setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::scene::wait;

const WELCOME: &[u8] = b":irc.test CAP * LS :account-tag message-tags server-time\r\n\
    :irc.test CAP * ACK :account-tag\r\n:irc.test CAP * ACK :message-tags\r\n:irc.test CAP * ACK :server-time\r\n\
    :irc.test 001 botty :Welcome\r\n";

/// `data` is what the server says after its welcome.
pub fn check(data: &[u8]) {
    let messages = wait(listen(data));
    let text = String::from_utf8_lossy(data).into_owned();
    let account = account();
    let policy =
        AccountPolicy::new(account.channel(), DmPolicy::Allowlist, ["account:owner"], Limits::default());
    let gate = DmGate::builder().account(account.clone(), policy.unwrap()).build();
    for message in messages {
        assert_eq!(message.account, account);
        assert!(message.sender.aliases().is_empty(), "a nick is nobody's");
        let decision = wait(gate.admit(&message));
        let is_theirs = |line: &str| account_of(line).as_deref() == Some("owner") && is_to_us(line);
        if let Decision::Admit(_) = decision {
            assert!(text.split('\n').any(is_theirs), "let in: {message:?}");
        }
    }
}

/// Everything that comes of it until the server hangs up.
async fn listen(data: &[u8]) -> Vec<InboundMessage> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let options = Options::new()
        .with("host", "127.0.0.1")
        .with("port", port)
        .with("tls", "false")
        .with("nick", "botty");
    let irc = Channel::of(account().channel()).unwrap().open(Setup::new(account()), &options).unwrap();
    let (inbox, mut inbound) = Inbox::collecting(512);
    let shutdown = CancellationToken::new();
    let until = shutdown.clone();
    let run = tokio::spawn(async move { irc.run(inbox, until).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    // A client that hangs up first need not hear the rest.
    let _ = stream.write_all(&[WELCOME, data, b"\r\n"].concat()).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    shutdown.cancel();
    let _ = run.await.expect("the adapter broke down");
    let mut messages = Vec::new();
    while let Ok(message) = inbound.try_recv() {
        messages.push(message);
    }
    messages
}

fn account() -> AccountKey {
    AccountKey::parse("irc", "default").unwrap()
}

/// The account that the server put on a line: of two tags the last.
fn account_of(line: &str) -> Option<String> {
    let (tags, _) = line.strip_prefix('@')?.split_once(' ')?;
    let value = tags.split(';').filter_map(|tag| tag.strip_prefix("account=")).next_back()?;
    Some(value.replace('\\', "").to_ascii_lowercase())
}

/// Whether the line says something, and not to a channel.
fn is_to_us(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| word.eq_ignore_ascii_case("PRIVMSG"));
    at.is_some_and(|at| {
        !words.get(at + 1).is_some_and(|to| to.trim_start_matches(':').starts_with(['#', '&']))
    })
}
