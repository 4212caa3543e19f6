//! Pairing codes and the ids of requests.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::clock::{Entropy, NoEntropy};

/// A pairing code: 8 of 32 symbols, A–Z without I and O, 2–9 (32^8 ≈ 2^40 values).
///
/// It is a secret: it is not shown by `Debug`, and [`PairingCode::reveal`] is the only way to its text.
#[derive(Clone)]
pub struct PairingCode(Box<str>);

/// Symbols that are hard to confuse when read aloud or copied by hand.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl PairingCode {
    /// Symbols in a code.
    pub const LENGTH: usize = 8;

    /// Draws a code that is none of `taken`.
    ///
    /// # Errors
    /// [`NoEntropy`] if the generator has none to give.
    // INVARIANT I12: uniform over 32^8: 256 is a multiple of 32, so five bits of a byte carry no bias.
    // INVARIANT I5: a code is not drawn again while a record of it exists.
    pub(crate) fn draw<'a>(
        entropy: &dyn Entropy,
        taken: &(impl Iterator<Item = &'a Self> + Clone),
    ) -> Result<Self, NoEntropy> {
        // 2^40 values and at most some hundred taken: a second round is rare, a hundredth means a broken generator.
        for _ in 0..100 {
            let mut bytes = [0_u8; Self::LENGTH];
            entropy.fill(&mut bytes)?;
            let symbol = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'A');
            let code = Self(bytes.iter().map(symbol).map(char::from).collect::<String>().into());
            if !taken.clone().any(|other| other.matches(&code)) {
                return Ok(code);
            }
        }
        Err(NoEntropy)
    }

    /// A code as people type it: any case, blanks around it.
    ///
    /// # Errors
    /// [`CodeError`] if it can't be a code.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let text = text.trim().to_ascii_uppercase();
        let good = text.len() == Self::LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        if good { Ok(Self(text.into())) } else { Err(CodeError) }
    }

    /// A code as a file holds it; other programs' codes may have another form, and then match nothing that is typed.
    #[must_use]
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_ascii_uppercase().into())
    }

    /// The text of the code: for the sender's message and the owner's listing, for nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is the same code.
    // INVARIANT I12: codes are compared in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingCode(…)")
    }
}

/// What was typed can't be a code. The text is not repeated: it may be nearly one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a pairing code has 8 characters, letters and digits without 0, O, 1 and I; copy it from the sender's message"
)]
pub struct CodeError;

/// The id of a pairing request: may be shown and logged, and approves nothing by itself for a stranger.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// Draws a new id.
    ///
    /// # Errors
    /// [`NoEntropy`] if the generator has none to give.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = [0_u8; 8];
        entropy.fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes).into()))
    }

    /// An id as typed or stored.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn i12_codes_are_uniform_and_never_shown() {
        let mut counts = [0_u32; 32];
        for _ in 0..4_000 {
            let code = PairingCode::draw(&OsEntropy, &[].iter()).unwrap();
            assert_eq!(format!("{code:?}"), "PairingCode(…)");
            for byte in code.reveal().bytes() {
                counts[ALPHABET.iter().position(|symbol| *symbol == byte).unwrap()] += 1;
            }
        }
        // Expected 1,000 a symbol, standard deviation 31: six deviations.
        assert!(counts.iter().all(|count| (814..1_186).contains(count)), "{counts:?}");
    }

    #[test]
    fn i5_a_taken_code_is_not_drawn_again() {
        /// Gives the same bytes twice, then others.
        struct Stutter(std::sync::atomic::AtomicU8);
        impl Entropy for Stutter {
            fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
                buffer.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) / 2);
                Ok(())
            }
        }
        let entropy = Stutter(0.into());
        let first = PairingCode::draw(&entropy, &[].iter()).unwrap();
        let second = PairingCode::draw(&entropy, &[&first].into_iter()).unwrap();
        assert_eq!((first.reveal(), second.reveal()), ("AAAAAAAA", "BBBBBBBB"));
        struct Broken;
        impl Entropy for Broken {
            fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
                buffer.fill(0);
                Ok(())
            }
        }
        assert!(PairingCode::draw(&Broken, &[&first].into_iter()).is_err(), "gives up, never repeats");
    }

    #[test]
    fn codes_are_typed_in_any_case() {
        assert_eq!(PairingCode::parse("  abcd2345 ").unwrap().reveal(), "ABCD2345");
        for bad in [
            "",
            "ABCD234",
            "ABCD23456",
            "ABCD2340",
            "ABCDO345",
            "ABCD1345",
            "IBCD2345",
            "ABCD 345",
            "ÄBCD234",
        ] {
            assert_eq!(PairingCode::parse(bad).unwrap_err(), CodeError, "{bad}");
        }
    }
}
