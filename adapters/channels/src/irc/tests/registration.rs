//! The first words, also with servers that say no.

use super::*;
use crate::irc::line::Line;
use crate::irc::registration::{Registration, Step};
use crate::secret::Secret;

/// Plays a server: what it says, one line after another, and what comes of it in the end.
struct Talk {
    said: Vec<String>,
    end: Option<Step>,
}

fn talk(change: impl FnOnce(&mut Config), server: &[&str]) -> Talk {
    let irc = irc(change);
    let mut registration = Registration::new(&irc.shared.settings);
    let mut talk = Talk { said: registration.begin(), end: None };
    for line in server {
        match registration.on(&Line::parse(line.as_bytes()).unwrap()) {
            Step::Send(lines) => talk.said.extend(lines),
            end => talk.end = Some(end),
        }
    }
    talk
}

fn with_login(config: &mut Config) {
    config.sasl_user = Some("botty".to_owned());
    config.sasl_password = Some(Secret::new("pässword"));
}

const HELLO: [&str; 3] = ["CAP LS 302", "NICK botty", "USER botty 0 * :dmgate"];

#[test]
fn only_what_is_offered_is_asked_for_each_by_itself() {
    let talk = talk(
        |_| {},
        &[
            ":s CAP * LS * :multi-prefix sasl=PLAIN echo-message",
            ":s CAP * LS :server-time message-tags=x",
            ":s CAP * ACK :message-tags",
            ":s CAP * NAK :server-time",
            ":s 001 Botty :Welcome",
        ],
    );
    assert_eq!(talk.said[..3], HELLO);
    assert_eq!(talk.said[3..], ["CAP REQ :message-tags", "CAP REQ :server-time", "CAP END"]);
    let Some(Step::Done(welcome)) = talk.end else { panic!("not in") };
    assert_eq!((welcome.nick.as_str(), welcome.server.as_str(), welcome.has_accounts), ("Botty", "s", false));
}

#[test]
fn accounts_are_there_when_they_were_granted() {
    let lines = [":s CAP * LS :account-tag", ":s CAP * ACK :account-tag", ":s 001 botty :Welcome"];
    let Some(Step::Done(welcome)) = talk(|_| {}, &lines).end else { panic!("not in") };
    assert!(welcome.has_accounts);
    let lines = [":s CAP * LS :account-tag", ":s CAP * NAK :account-tag", ":s 001 botty :Welcome"];
    let Some(Step::Done(welcome)) = talk(|_| {}, &lines).end else { panic!("not in") };
    assert!(!welcome.has_accounts);
}

#[test]
fn a_server_without_capabilities_or_with_few_lets_us_in() {
    for lines in
        [&[":s 421 * CAP :Unknown command", ":s 001 botty :x"][..], &[":s CAP * LS :", ":s 001 botty :x"]]
    {
        assert!(matches!(talk(|_| {}, lines).end, Some(Step::Done(_))));
    }
}

#[test]
fn passwords_are_said_first_and_we_log_in_before_the_end() {
    let talk = talk(
        |config| {
            with_login(config);
            config.password = Some(Secret::new("of the server"));
        },
        &[
            ":s CAP * LS :sasl=EXTERNAL,PLAIN account-tag",
            ":s CAP * ACK :account-tag",
            ":s CAP * ACK :sasl",
            "AUTHENTICATE +",
            ":s 900 * * botty :You are now logged in",
            ":s 903 * :done",
            ":s 001 botty :Welcome",
        ],
    );
    assert_eq!(talk.said[0], "PASS :of the server");
    assert_eq!(
        talk.said[4..],
        [
            "CAP REQ :account-tag",
            "CAP REQ :sasl",
            "AUTHENTICATE PLAIN",
            "AUTHENTICATE AGJvdHR5AHDDpHNzd29yZA==",
            "CAP END"
        ]
    );
    assert!(matches!(talk.end, Some(Step::Done(_))));
}

#[test]
fn a_long_password_is_said_in_pieces() {
    // With two zero bytes and the name, 300 bytes are 400 letters, which fill a piece.
    for (length, expected) in
        [(290, vec![396]), (293, vec![400, 1]), (294, vec![400, 4]), (593, vec![400, 400, 1])]
    {
        let talk = talk(
            |config| {
                with_login(config);
                config.sasl_password = Some(Secret::new("x".repeat(length)));
            },
            &[":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +"],
        );
        let pieces: Vec<usize> =
            talk.said[5..].iter().map(|line| line.len() - "AUTHENTICATE ".len()).collect();
        assert_eq!(pieces, expected, "{length}");
    }
}

#[test]
fn we_never_stay_without_the_login_that_was_asked_for() {
    let ask = [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +"];
    for refusal in ["902 * :locked", "904 * :failed", "905 * :too long", "908 * EXTERNAL :are available"] {
        let lines: Vec<&str> = ask.iter().copied().chain([refusal]).collect();
        let end = talk(with_login, &lines).end;
        assert!(matches!(end, Some(Step::End(End::NeedsLogin(_)))), "{refusal}");
    }
    for lines in [
        &[":s CAP * LS :account-tag"][..],
        &[":s CAP * LS :"],
        &[":s CAP * LS :sasl", ":s CAP * NAK :sasl"],
        &[":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 906 * :aborted"],
        &[":s 421 * CAP :Unknown command", ":s 001 botty :Welcome"],
        &[":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 001 botty :Welcome"],
    ] {
        let talk = talk(with_login, lines);
        assert!(matches!(talk.end, Some(Step::End(End::Lost(_)))), "{lines:?}");
        assert!(!talk.said.contains(&"CAP END".to_owned()), "{lines:?}");
    }
    let end = talk(with_login, &[":s CAP * LS :sasl=EXTERNAL"]).end;
    assert!(matches!(end, Some(Step::End(End::Refused(_)))));
}

#[test]
fn a_nick_in_use_is_lengthened_and_not_for_ever() {
    let taken = ":s 433 * botty :Nickname is already in use.";
    let talk_once = talk(|_| {}, &[taken, ":s 436 * botty_ :collision"]);
    assert_eq!(talk_once.said[3..], ["NICK botty_", "NICK botty__"]);
    let end = talk(|_| {}, &[taken; 8]).end;
    assert!(matches!(end, Some(Step::End(End::Lost(_)))));
    let end = talk(|_| {}, &[taken, ":s 432 * botty_ :Erroneous"]).end;
    assert!(matches!(end, Some(Step::End(End::Lost(_)))));
}

#[test]
fn refusals_that_last_say_what_to_do() {
    for (line, word) in [
        (":s 432 * botty :Erroneous", "`nick`"),
        (":s 464 * :Password incorrect", "`password`"),
        (":s 465 * :You are banned", "operators"),
    ] {
        let Some(Step::End(End::Refused(reason))) = talk(|_| {}, &[line]).end else { panic!("{line}") };
        assert!(reason.contains(word), "{reason}");
    }
    let Some(Step::End(End::Lost(reason))) = talk(|_| {}, &["ERROR :Closing link \u{2}x"]).end else {
        panic!()
    };
    assert_eq!(reason, "the server hangs up: Closing link \\u{2}x");
}

#[test]
fn what_would_become_another_line_or_makes_no_sense_is_no_configuration() {
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 12] = [
        ("nick", |config| config.nick = "a b".to_owned()),
        ("nick", |config| config.nick = "#a".to_owned()),
        ("nick", |config| config.nick = "a\r\nQUIT".to_owned()),
        ("user", |config| config.user = Some("a b".to_owned())),
        ("realname", |config| config.realname = "a\nQUIT".to_owned()),
        ("password", |config| config.password = Some(Secret::new("a\r\nQUIT"))),
        ("sasl_password", |config| config.sasl_password = Some(Secret::new("a\0b"))),
        ("sasl_password", |config| config.sasl_user = Some("a".to_owned())),
        ("sasl_user", |config| config.sasl_password = Some(Secret::new("a"))),
        ("ca_file", |config| config.ca_file = Some("/x".into())),
        ("ca_file", |config| (config.tls, config.ca_file) = (true, Some("/no/such/file".into()))),
        ("host", |config| (config.tls, config.host) = (true, "a b".to_owned())),
    ];
    for (name, change) in changes {
        let mut config = Config::new("irc.example".to_owned(), "botty".to_owned());
        config.tls = false;
        change(&mut config);
        let error = Settings::check(config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(&format!("`{name}`")), "{name}: {error}");
        assert!(!error.contains("QUIT"), "{error}");
    }
}
