//! What the owner types: `/pair`, and a word or two.

use crate::device::{DeviceRequest, DeviceRequestId};

/// A command of the owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// A setup code, as text.
    Code,
    /// A setup code, as a picture.
    Qr,
    /// Who waits.
    Pending,
    Approve(Which),
    Reject(Which),
    /// Setup codes that were given out are dead.
    Cleanup,
    Notify(Notify),
    /// What there is, and what else was typed.
    Help,
}

/// Which request is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Which {
    /// The only one.
    Only,
    /// The one that was asked last.
    Latest,
    /// The one whose id begins so.
    Of(String),
}

/// Whether the owner wants to be told of new requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Notify {
    On,
    Off,
    Once,
    Status,
}

/// The shortest beginning of an id that stands for it: that many digits are not met by chance.
const SHORTEST: usize = 8;

impl Command {
    /// The command in a text; `None` if there is none. Words may be in any case, and have any blanks between them; the
    /// name of a bot may follow the first (`/pair@bot`), as apps write it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (name, bot) = words.next().map(|first| first.split_once('@').unwrap_or((first, "bot")))?;
        let is_name = |bot: &str| bot.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !name.eq_ignore_ascii_case("/pair") || bot.is_empty() || !is_name(bot) {
            return None;
        }
        let words: Vec<String> = words.map(str::to_ascii_lowercase).take(3).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Some(match words[..] {
            [] => Self::Code,
            ["qr"] => Self::Qr,
            ["pending" | "status"] => Self::Pending,
            ["approve"] => Self::Approve(Which::Only),
            ["approve", which] => Self::Approve(Which::parse(which)),
            ["reject"] => Self::Reject(Which::Only),
            ["reject", which] => Self::Reject(Which::parse(which)),
            ["cleanup" | "clear" | "revoke"] => Self::Cleanup,
            ["notify"] | ["notify", "status"] => Self::Notify(Notify::Status),
            ["notify", "on"] => Self::Notify(Notify::On),
            ["notify", "off"] => Self::Notify(Notify::Off),
            ["notify", "once"] => Self::Notify(Notify::Once),
            _ => Self::Help,
        })
    }
}

impl Which {
    fn parse(word: &str) -> Self {
        if word == "latest" { Self::Latest } else { Self::Of(word.to_owned()) }
    }
}

/// The one request whose id is `typed`, or begins so.
pub(super) fn find<'a>(waiting: &[&'a DeviceRequest], typed: &str) -> Option<&'a DeviceRequest> {
    let text = |id: &DeviceRequestId| id.as_str().to_ascii_lowercase();
    let begins = |request: &&&DeviceRequest| typed.len() >= SHORTEST && text(&request.id).starts_with(typed);
    let exact = waiting.iter().find(|request| text(&request.id) == typed);
    let mut found = waiting.iter().filter(begins);
    exact.or_else(|| found.next().filter(|_| found.next().is_none())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_people_type_them() {
        let of = |word: &str| Which::Of(word.to_owned());
        for (typed, read) in [
            ("/pair", Command::Code),
            ("  /PAIR@My_Bot2 \n", Command::Code),
            ("/pair\u{a0}qr", Command::Qr),
            ("/Pair  Pending", Command::Pending),
            ("/pair status", Command::Pending),
            ("/pair approve", Command::Approve(Which::Only)),
            ("/pair\tAPPROVE   Latest ", Command::Approve(Which::Latest)),
            ("/pair approve AB12", Command::Approve(of("ab12"))),
            ("/pair reject", Command::Reject(Which::Only)),
            ("/pair reject x", Command::Reject(of("x"))),
            ("/pair cleanup", Command::Cleanup),
            ("/pair clear", Command::Cleanup),
            ("/pair revoke", Command::Cleanup),
            ("/pair notify", Command::Notify(Notify::Status)),
            ("/pair notify status", Command::Notify(Notify::Status)),
            ("/pair notify ON", Command::Notify(Notify::On)),
            ("/pair notify off", Command::Notify(Notify::Off)),
            ("/pair notify once", Command::Notify(Notify::Once)),
        ] {
            assert_eq!(Command::parse(typed), Some(read), "{typed:?}");
        }
    }

    #[test]
    fn what_is_not_understood_does_nothing() {
        for typed in [
            "/pair approve a b",
            "/pair approveall",
            "/pair pending now",
            "/pair notify maybe",
            "/pair notify on on",
            "/pair cleanup all",
            "/pair help",
            "/pair\napprove\nlatest\nplease",
        ] {
            assert_eq!(Command::parse(typed), Some(Command::Help), "{typed:?}");
        }
        for typed in [
            "",
            "pair",
            "/pairing",
            "/pair@",
            "/pair@a-b",
            "/pair@a@b",
            "\u{200b}/pair",
            "x /pair",
            "/pa ir",
            "/раir",
        ] {
            assert_eq!(Command::parse(typed), None, "{typed:?}");
        }
    }
}
