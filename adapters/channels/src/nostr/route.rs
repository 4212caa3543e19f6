//! Where an answer goes: a key, and how it is written to.

use ::nostr::prelude::PublicKey;
use dmgate::ReplyRoute;

/// How a message is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// Encrypted, signed by its sender, and public in everything else.
    Nip04,
    /// In a seal, in a wrap.
    Nip17,
}

/// A way to a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) format: Format,
    pub(super) key: PublicKey,
}

impl Route {
    /// The way to who has this key, in hex.
    pub(super) fn new(format: Format, key: &str) -> Option<Self> {
        let is_written = key.len() == 64 && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let key = PublicKey::from_hex(key).ok().filter(|key| is_written && key.xonly().is_ok())?;
        Some(Self { format, key })
    }

    pub(super) fn parse(route: &ReplyRoute) -> Option<Self> {
        match route.as_str().split_once(' ')? {
            ("nip04", key) => Self::new(Format::Nip04, key),
            ("nip17", key) => Self::new(Format::Nip17, key),
            _ => None,
        }
    }

    pub(super) fn to_reply(&self) -> ReplyRoute {
        let format = match self.format {
            Format::Nip04 => "nip04",
            Format::Nip17 => "nip17",
        };
        ReplyRoute::new(format!("{format} {}", self.key.to_hex()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "2f3c94dd99deaaaa743c8efca81e2a5152e89073b26ed8145f58cd55c384cd48";

    #[test]
    fn a_route_is_a_key_and_how_it_is_written_to() {
        for format in [Format::Nip04, Format::Nip17] {
            let route = Route::new(format, KEY).unwrap();
            assert_eq!(Route::parse(&route.to_reply()), Some(route));
        }
    }

    #[test]
    fn what_is_not_one_key_is_no_route() {
        // No point of the curve has this x.
        let none = "f".repeat(64);
        for bad in [
            "",
            KEY,
            "nip17",
            "nip17 ",
            "nip99 x",
            &format!("nip17 {}", KEY.to_uppercase()),
            &format!("nip17 {KEY} "),
            &format!("nip17 {none}"),
            &format!("nip17 {}", &KEY[1..]),
        ] {
            assert_eq!(Route::parse(&ReplyRoute::new(bad)), None, "{bad:?}");
        }
    }
}
