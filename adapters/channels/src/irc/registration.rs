//! The first words with a server: capabilities, login, nick.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::escape;

use super::Settings;
use super::line::Line;
use crate::life::End;

/// What we ask for, where it is offered: the sender's account and the time on each line, and tags at all.
const WANTED: [&str; 3] = ["account-tag", "message-tags", "server-time"];

/// The longest piece of a login.
const CHUNK: usize = 400;

/// Nicks that are tried before the connection is given up.
const NICKS: usize = 8;

/// The state of the first words.
pub(super) struct Registration<'a> {
    settings: &'a Settings,
    nick: String,
    nicks: usize,
    offered: Vec<String>,
    asked: usize,
    /// Capabilities that the server granted.
    granted: Vec<String>,
    logged_in: bool,
}

/// What comes of a line.
pub(super) enum Step {
    /// These lines are to be sent; possibly none.
    Send(Vec<String>),
    /// We are in.
    Done(Welcome),
    /// We are not.
    End(End),
}

/// How we are in.
#[derive(Debug)]
pub(super) struct Welcome {
    /// Our nick.
    pub(super) nick: String,
    /// The server's name.
    pub(super) server: String,
    /// Whether each line carries its sender's account.
    pub(super) has_accounts: bool,
}

impl<'a> Registration<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        let nick = settings.nick.clone();
        let (offered, granted) = Default::default();
        Self { settings, nick, nicks: 1, offered, asked: 0, granted, logged_in: false }
    }

    /// What we say first.
    pub(super) fn begin(&self) -> Vec<String> {
        let pass = self.settings.password.as_ref().map(|password| format!("PASS :{}", password.reveal()));
        let Settings { user, realname, .. } = self.settings;
        let rest =
            ["CAP LS 302".to_owned(), format!("NICK {}", self.nick), format!("USER {user} 0 * :{realname}")];
        pass.into_iter().chain(rest).collect()
    }

    /// Takes a line.
    pub(super) fn on(&mut self, line: &Line) -> Step {
        match line.command.as_str() {
            "CAP" => self.capabilities(line),
            "AUTHENTICATE" if line.param(0) == "+" => Step::Send(self.login()),
            "ERROR" => lost(format!("the server hangs up: {}", escape(line.last()))),
            _ => self.numeric(line),
        }
    }

    fn capabilities(&mut self, line: &Line) -> Step {
        match line.param(1) {
            "LS" => {
                self.offered.extend(line.last().split_whitespace().map(str::to_owned));
                // A star says that there are more to come.
                if line.param(2) == "*" { Step::Send(Vec::new()) } else { self.ask() }
            }
            "ACK" => {
                self.granted.extend(line.last().split_whitespace().map(str::to_owned));
                self.answered()
            }
            "NAK" => self.answered(),
            _ => Step::Send(Vec::new()),
        }
    }

    /// Asks for what is offered, one by one: a server refuses a whole list for one that it does not like.
    fn ask(&mut self) -> Step {
        if self.asked > 0 {
            return Step::Send(Vec::new());
        }
        let names: Vec<&str> = self.offered.iter().filter_map(|offer| offer.split('=').next()).collect();
        let sasl = self.settings.sasl.as_ref().map(|_| "sasl");
        let lines: Vec<String> = WANTED
            .into_iter()
            .chain(sasl)
            .filter(|wanted| names.contains(wanted))
            .map(|wanted| format!("CAP REQ :{wanted}"))
            .collect();
        if sasl.is_some() && !names.contains(&"sasl") {
            // Services may be away for a moment: worth another try, but never without having logged in.
            return lost(
                "the server offers no login (SASL) now, and we don't stay without; its services may be away",
            );
        }
        let mechanisms = self.offered.iter().find_map(|offer| offer.strip_prefix("sasl="));
        if sasl.is_some() && mechanisms.is_some_and(|names| !names.split(',').any(|name| name == "PLAIN")) {
            let reason =
                "the server takes no passwords for a login (SASL PLAIN); leave out `sasl_user`".to_owned();
            return Step::End(End::Refused(reason));
        }
        self.asked = lines.len();
        if lines.is_empty() { end_of_capabilities() } else { Step::Send(lines) }
    }

    fn answered(&mut self) -> Step {
        self.asked = self.asked.saturating_sub(1);
        if self.asked > 0 {
            return Step::Send(Vec::new());
        }
        match (&self.settings.sasl, self.has("sasl")) {
            (None, _) => end_of_capabilities(),
            (Some(_), true) => Step::Send(vec!["AUTHENTICATE PLAIN".to_owned()]),
            (Some(_), false) => lost("the server refuses the login (SASL), and we don't stay without"),
        }
    }

    /// The password, in pieces; a last one that is full is followed by an empty one.
    fn login(&self) -> Vec<String> {
        let Some((user, password)) = &self.settings.sasl else { return vec!["AUTHENTICATE *".to_owned()] };
        let login = STANDARD.encode(format!("\0{user}\0{}", password.reveal()));
        let mut lines: Vec<String> = Vec::new();
        let mut rest = login.as_str();
        while let Some((chunk, after)) =
            rest.split_at_checked(CHUNK.min(rest.len())).filter(|_| !rest.is_empty())
        {
            lines.push(format!("AUTHENTICATE {chunk}"));
            rest = after;
        }
        if login.len().is_multiple_of(CHUNK) {
            lines.push("AUTHENTICATE +".to_owned());
        }
        lines
    }

    fn numeric(&mut self, line: &Line) -> Step {
        let said = escape(line.last());
        match line.numeric() {
            Some(1) if self.settings.sasl.is_some() && !self.logged_in => {
                lost("the server lets us in without a login, and we don't stay so; does it know SASL?")
            }
            Some(1) => Step::Done(Welcome {
                nick: line.param(0).to_owned(),
                server: line.nick().to_owned(),
                has_accounts: self.has("account-tag"),
            }),
            Some(903 | 907) => {
                self.logged_in = true;
                end_of_capabilities()
            }
            // Never on without a login: under our nick would be somebody whom nobody can tell from us.
            Some(902 | 904 | 905 | 908) => Step::End(End::NeedsLogin(format!(
                "the login is refused: {said}; check `sasl_user` and `sasl_password`"
            ))),
            Some(906) => lost("the login broke off"),
            Some(433 | 436 | 437) if self.nicks < NICKS => {
                self.nicks += 1;
                self.nick.push('_');
                Step::Send(vec![format!("NICK {}", self.nick)])
            }
            Some(433 | 436 | 437) => lost("our nick is in use, and so are those like it"),
            Some(432) if self.nicks == 1 => Step::End(End::Refused(format!(
                "the server takes no nick like `{}`: {said}; choose another `nick`",
                self.nick
            ))),
            Some(432) => lost("our nick is in use, and a longer one is none"),
            Some(464) => {
                Step::End(End::Refused(format!("the server's password is wrong: {said}; check `password`")))
            }
            Some(465) => Step::End(End::Refused(format!("the server bans us: {said}; ask its operators"))),
            _ => Step::Send(Vec::new()),
        }
    }

    fn has(&self, capability: &str) -> bool {
        self.granted.iter().any(|granted| granted == capability)
    }
}

fn end_of_capabilities() -> Step {
    Step::Send(vec!["CAP END".to_owned()])
}

fn lost(reason: impl Into<String>) -> Step {
    Step::End(End::Lost(reason.into()))
}
