//! A raw IRC client: lines out, lines in.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::process::PATIENCE;

/// One connection to an IRC server. A line that does not come within half a minute fails the test.
#[derive(Debug)]
pub struct IrcClient {
    stream: BufReader<TcpStream>,
    negotiating: bool,
    /// What came in so far, for the message when a test fails.
    seen: Vec<String>,
}

impl IrcClient {
    /// Connects, and says nothing yet.
    pub fn connect(addr: SocketAddr) -> Self {
        let stream =
            TcpStream::connect(addr).unwrap_or_else(|error| panic!("no IRC server at {addr}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        Self { stream: BufReader::new(stream), negotiating: false, seen: Vec::new() }
    }

    /// Connects and registers as `nick`, without an account.
    pub fn join(addr: SocketAddr, nick: &str) -> Self {
        let mut client = Self::connect(addr);
        client.register(nick, nick);
        client
    }

    /// Asks for a capability; says whether the server grants it.
    pub fn capability(&mut self, name: &str) -> bool {
        self.negotiating = true;
        self.send(&format!("CAP REQ :{name}"));
        self.expect(|line| line.contains(" ACK ") || line.contains(" NAK ")).contains(" ACK ")
    }

    /// Logs in to an account by SASL PLAIN, before [`register`](Self::register); says whether that worked.
    pub fn authenticate(&mut self, account: &str, password: &str) -> bool {
        assert!(self.capability("sasl"), "the server has no SASL");
        self.send("AUTHENTICATE PLAIN");
        // InspIRCd writes the plus sign with a colon before it, other servers without.
        self.expect(|line| line.starts_with("AUTHENTICATE ") && line.ends_with('+'));
        self.send(&format!("AUTHENTICATE {}", STANDARD.encode(format!("\0{account}\0{password}"))));
        let answer = self.expect(|line| matches!(numeric(line), Some("903" | "904" | "906")));
        numeric(&answer) == Some("903")
    }

    /// Takes a nick and waits for the welcome.
    pub fn register(&mut self, nick: &str, user: &str) {
        self.send(&format!("NICK {nick}"));
        self.send(&format!("USER {user} 0 * :{user}"));
        if self.negotiating {
            self.send("CAP END");
        }
        let answer = self.expect(|line| matches!(numeric(line), Some("001" | "432" | "433")));
        assert_eq!(numeric(&answer), Some("001"), "the server refuses `{nick}`: {answer}");
    }

    /// Sends a message to a nick or channel.
    pub fn privmsg(&mut self, target: &str, text: &str) {
        self.send(&format!("PRIVMSG {target} :{text}"));
    }

    /// Sends a raw line.
    pub fn send(&mut self, line: &str) {
        let written = self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes());
        if let Err(error) = written {
            self.fail(&format!("the server hung up on `{line}` ({error})"));
        }
    }

    /// Reads until a line is `wanted`, answering pings on the way.
    pub fn expect(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = Vec::new();
            match self.stream.read_until(b'\n', &mut line) {
                Ok(0) => self.fail("the server hung up"),
                Ok(_) => {}
                Err(error) => self.fail(&format!("the expected line did not come ({error})")),
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(token) = line.strip_prefix("PING ") {
                self.send(&format!("PONG {token}"));
            }
            self.seen.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Everything the server sent so far.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    fn fail(&self, trouble: &str) -> ! {
        panic!("{trouble}; so far the server said:\n{}", self.seen.join("\n"))
    }
}

/// The command of a line from a server, such as `001` in `:irc.example 001 nick :Welcome`.
fn numeric(line: &str) -> Option<&str> {
    line.split(' ').nth(1)
}
