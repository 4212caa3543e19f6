//! What makes a visitor the same one as before: a random value in a cookie.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dmgate::{ChannelId, Entropy, IdError, NoEntropy, SenderId};
use sha2::{Digest, Sha256};

/// The secret of one visitor: 256 random bits. Whoever holds it is that visitor, so it is never shown; everybody else
/// knows the visitor by the hash.
///
/// Any well-formed value is taken, also one that we never made: nothing is stored for a visitor, so there is nothing to
/// compare it with, and a seal on it would not help, since whoever could plant a value on somebody could plant one that
/// we made for him. What keeps planted cookies out is the cookie itself: see `dmgate-gateway`'s `chat/cookie.rs`.
#[derive(Clone, PartialEq, Eq)]
pub struct Session(String);

/// The length of 32 bytes in base64 without padding.
const LENGTH: usize = 43;

impl Session {
    pub(super) fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut secret = [0_u8; 32];
        entropy.fill(&mut secret)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(secret)))
    }

    /// A session from a cookie's value; `None` if it is not one of the form that we make.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        // The decoder refuses other spellings of the same bytes, so one secret has one hash.
        let bytes = (value.len() == LENGTH).then(|| URL_SAFE_NO_PAD.decode(value).ok()).flatten()?;
        (bytes.len() == 32).then(|| Self(value.to_owned()))
    }

    /// The secret, for the cookie alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn visitor(&self, channel: &ChannelId) -> Result<SenderId, IdError> {
        SenderId::parse(channel, &hex::encode(Sha256::digest(&self.0)))
    }
}

/// The secret is not shown.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}

#[cfg(test)]
mod tests {
    use dmgate::OsEntropy;

    use super::*;

    #[test]
    fn a_session_has_one_spelling() {
        let session = Session::generate(&OsEntropy).unwrap();
        assert_eq!(Session::parse(session.reveal()), Some(session.clone()));
        let last = session.reveal().chars().last().unwrap();
        let head = &session.reveal()[..LENGTH - 1];
        // The last of 43 letters carries four bits: three of four letters say the same with rubbish in the other two.
        let spellings = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
        let accepted = spellings.filter(|letter| Session::parse(&format!("{head}{letter}")).is_some());
        let accepted: Vec<char> = accepted.collect();
        assert_eq!(accepted.len(), 16);
        assert!(accepted.contains(&last));
        for bad in ["", "a", &"a".repeat(44), &"=".repeat(43), &"+".repeat(43), &format!("{head} ")] {
            assert_eq!(Session::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_visitor_is_the_hash_of_the_cookie() {
        let channel = ChannelId::parse("webchat").unwrap();
        let session = Session::parse(&"A".repeat(43)).unwrap();
        let hash = hex::encode(Sha256::digest("A".repeat(43)));
        assert_eq!(session.visitor(&channel).unwrap().as_str(), hash);
        assert_eq!(format!("{session:?}"), "Session(…)");
    }
}
