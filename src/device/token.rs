//! What a device shows to be taken for itself again, and what a setup code carries.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock::{Entropy, NoEntropy};

/// A secret of 32 random bytes in base64url, 43 characters. `Debug` does not show it; it is only ever compared in constant
/// time.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Box<str>);

impl Token {
    /// Draws one.
    ///
    /// # Errors
    /// [`NoEntropy`] if the generator has none to give.
    pub(super) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = [0_u8; 32];
        entropy.fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// Its text, to be given to its device and to nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is it. An empty one is nobody's.
    #[must_use]
    pub fn matches(&self, shown: &str) -> bool {
        is_same_secret(&self.0, shown)
    }
}

/// Whether two secrets are the same, in a time that says nothing about where they differ. Empty ones never are.
#[must_use]
pub fn is_same_secret(held: &str, shown: &str) -> bool {
    let is_same: bool = Sha256::digest(held).as_slice().ct_eq(Sha256::digest(shown).as_slice()).into();
    is_same && !held.is_empty()
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        Sha256::digest(&*self.0).as_slice().ct_eq(Sha256::digest(&*other.0).as_slice()).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn a_token_is_compared_whole_and_never_shown() {
        let token = Token::draw(&OsEntropy).unwrap();
        assert_eq!(token.reveal().len(), 43);
        assert!(token.matches(token.reveal()));
        let text = token.reveal().to_owned();
        for wrong in ["", &text[..42], &format!("{text}a"), &text.to_uppercase()] {
            assert!(!token.matches(wrong), "{wrong}");
        }
        assert!(!Token("".into()).matches(""), "no token is no token");
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert!(Token::draw(&OsEntropy).unwrap() != token);
    }
}
