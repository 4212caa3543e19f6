//! Lines that somebody wrote: who said what where.

use dmgate::{
    AccountKey, Authenticity, Conversation, EventKind, InboundMessage, Origin, Sender, SenderId, Strength,
    Timestamp,
};

use super::Identity;
use super::line::Line;
use super::route::Route;
use super::server::Server;

/// Services that answer to nobody but their network. They speak by NOTICE, which is never answered; this is for those
/// that don't.
const SERVICES: [&str; 9] =
    ["NickServ", "ChanServ", "MemoServ", "OperServ", "HostServ", "BotServ", "SaslServ", "Global", "AuthServ"];

/// What a line is read with.
pub(super) struct Reading<'a> {
    pub(super) account: &'a AccountKey,
    pub(super) identity: Identity,
    /// Our nick, now.
    pub(super) nick: &'a str,
    pub(super) server: &'a Server,
    /// Whether the server puts the sender's services account on each line.
    pub(super) has_accounts: bool,
}

impl Reading<'_> {
    /// The event in a line; the error is why there is none.
    pub(super) fn read(&self, line: &Line) -> Result<InboundMessage, &'static str> {
        if !matches!(line.command.as_str(), "PRIVMSG" | "NOTICE" | "TAGMSG") {
            return Err("nobody says anything in it");
        }
        let sender = self.sender(line)?;
        let target = line.param(0);
        let mut message = InboundMessage::new(self.account.clone(), sender);
        message.authenticity = Authenticity::Verified;
        message.conversation = if self.server.is_channel(target) {
            Conversation::Group
        } else if self.server.is_same(target, self.nick) {
            Conversation::Direct
        } else {
            // To a mask of servers, a list, or a nick that is not ours any more.
            Conversation::Unknown
        };
        message.origin = self.origin(line);
        (message.event, message.text) = said(line);
        message.sent_at = line.tag("time").and_then(Timestamp::parse);
        message.message_id = line.tag("msgid").filter(|id| !id.is_empty()).map(str::to_owned);
        if message.conversation == Conversation::Direct && message.sender.strength() != Strength::Mutable {
            let route = Route::new(line.nick(), message.sender.primary());
            message.route = route.map(|route| route.to_reply()).unwrap_or_default();
        }
        Ok(message)
    }

    /// Who wrote a line.
    // INVARIANT I15: a nick is nobody's. What counts is the services account that the server put on this very line, or,
    // where the owner chose it, the whole mask.
    fn sender(&self, line: &Line) -> Result<Sender, &'static str> {
        let source = line.source.as_deref().ok_or("it is the server's own")?;
        if !source.contains('!') {
            return Err("it is from a server");
        }
        let id = |text: &str| {
            let is_text = !text.contains(char::REPLACEMENT_CHARACTER);
            is_text.then(|| SenderId::parse(self.account.channel(), text).ok()).flatten()
        };
        let mask = || id(source).ok_or("its sender has no valid mask");
        let (primary, strength) = match self.identity {
            Identity::Hostmask => (mask()?, Strength::ServerAsserted),
            Identity::Account => {
                let account = line.tag("account").filter(|name| self.has_accounts && is_account(name));
                match account.and_then(|name| id(&format!("account:{name}"))) {
                    Some(account) => (account, Strength::Authenticated),
                    None => (mask()?, Strength::Mutable),
                }
            }
        };
        Ok(Sender::with_parts(primary, Vec::new(), strength, Some(line.nick())))
    }

    fn origin(&self, line: &Line) -> Origin {
        let nick = line.nick();
        let is_bot = ["bot", "draft/bot", "inspircd.org/bot"].iter().any(|tag| line.tag(tag).is_some());
        if self.server.is_same(nick, self.nick) {
            Origin::Own
        } else if is_bot || SERVICES.iter().any(|service| service.eq_ignore_ascii_case(nick)) {
            Origin::Bot
        } else {
            Origin::Person
        }
    }
}

/// Whether a text is the name of a services account: `*` and `0` stand for none in some places.
fn is_account(name: &str) -> bool {
    !matches!(name, "" | "*" | "0")
}

/// What kind of event a line is, and its text.
fn said(line: &Line) -> (EventKind, String) {
    let text = line.param(1);
    match line.command.as_str() {
        "PRIVMSG" => match text.strip_prefix('\u{1}') {
            None => (EventKind::Message, text.to_owned()),
            // A client-to-client request; of those only "/me …" is something that people say.
            Some(request) => match request.strip_prefix("ACTION ") {
                Some(action) => (EventKind::Message, format!("/me {}", action.trim_end_matches('\u{1}'))),
                None => (EventKind::Other, String::new()),
            },
        },
        "TAGMSG" if line.tag("+draft/react").or(line.tag("+react")).is_some() => {
            (EventKind::Reaction, String::new())
        }
        // A NOTICE is never answered: so says the protocol, lest two programs answer each other for ever.
        _ => (EventKind::Other, text.to_owned()),
    }
}
