//! Signatures over a request as it came: which bytes are signed is the platform's rule, the rest is here.
//!
//! ```text
//! slack           hmac(secret, "v0:" stamp ":" body)      v0=<hex>       stamp within 5 minutes
//! whatsapp        hmac(secret, body)                      sha256=<hex>
//! twitch          hmac(secret, id stamp body)             sha256=<hex>   stamp within 10 minutes
//! nextcloud-talk  hmac(secret, random body)               <hex>          each random once
//! line            hmac(secret, body)                      <base64>
//! feishu          sha256(stamp nonce key body)            <hex>
//! ```

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmgate::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::Secret;

/// What a request must be signed with; `None` where there is no key, which proves nothing.
pub(crate) struct Signature(Option<[u8; 32]>);

impl Signature {
    /// The HMAC-SHA256 of these parts, one after another.
    pub(crate) fn hmac(key: &Secret, parts: &[&[u8]]) -> Self {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()) else { return Self(None) };
        parts.iter().for_each(|part| mac.update(part));
        Self((!key.reveal().is_empty()).then(|| mac.finalize().into_bytes().into()))
    }

    /// The SHA-256 of these parts, of which `key` is one, one after another.
    pub(crate) fn sha256(key: &Secret, parts: &[&[u8]]) -> Self {
        use sha2::Digest;
        let mut hash = Sha256::new();
        parts.iter().for_each(|part| hash.update(part));
        Self((!key.reveal().is_empty()).then(|| hash.finalize().into()))
    }

    /// Whether `given` is this signature in hex. What it is compared with does not show in the time it takes.
    // INVARIANT I14: a signature is compared whole and in constant time, and without a key none is right.
    pub(crate) fn is_hex(&self, given: &str) -> bool {
        let mut bytes = [0; 32];
        hex::decode_to_slice(given, &mut bytes).is_ok() && self.is(&bytes)
    }

    /// The same, in base64 with padding.
    pub(crate) fn is_base64(&self, given: &str) -> bool {
        STANDARD.decode(given).is_ok_and(|bytes| self.is(&bytes))
    }

    /// In lower-case hex, for what we sign ourselves; empty without a key.
    pub(crate) fn to_hex(&self) -> String {
        self.0.map(hex::encode).unwrap_or_default()
    }

    fn is(&self, given: &[u8]) -> bool {
        self.0.is_some_and(|own| bool::from(own.ct_eq(given)))
    }
}

/// Whether a stamp is at most `window` from now, to either side: an older request may be a copy.
pub(crate) fn is_fresh(stamp: Timestamp, now: Timestamp, window: Duration) -> bool {
    stamp.age_at(now) <= window && now.age_at(stamp) <= window
}

/// A stamp in whole seconds, as headers have it.
pub(crate) fn seconds(text: &str) -> Option<Timestamp> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| is_number)?;
    Some(Timestamp::from_millis(seconds.checked_mul(1_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 2 of RFC 4231.
    const JEFE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    fn jefe(parts: &[&[u8]]) -> Signature {
        Signature::hmac(&Secret::new("Jefe"), parts)
    }

    #[test]
    fn i14_only_the_signature_of_these_bytes_with_this_key_is_right() {
        let right = jefe(&[b"what do ya want ", b"for nothing?"]);
        assert!(right.is_hex(JEFE) && right.is_hex(&JEFE.to_uppercase()));
        assert_eq!(right.to_hex(), JEFE);
        assert!(right.is_base64("W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="));
        for wrong in ["", "5b", &JEFE[..62], &format!("{JEFE}00"), &JEFE.replace('5', "6"), "zz"] {
            assert!(!right.is_hex(wrong) && !right.is_base64(wrong), "{wrong}");
        }
        assert!(!jefe(&[b"what do ya want for nothing"]).is_hex(JEFE));
        assert!(!Signature::hmac(&Secret::new("jefe"), &[b"what do ya want for nothing?"]).is_hex(JEFE));
    }

    #[test]
    fn i14_without_a_key_no_signature_is_right() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(Signature::sha256(&Secret::new("b"), &[b"a", b"b", b"c"]).is_hex(hash));
        assert!(!Signature::sha256(&Secret::new(""), &[b"abc"]).is_hex(hash));
        let nothing = Signature::hmac(&Secret::new(""), &[]);
        let of_nothing = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!nothing.is_hex(of_nothing) && nothing.to_hex().is_empty());
    }

    #[test]
    fn i14_a_stamp_is_fresh_within_the_window_on_either_side() {
        let window = Duration::from_secs(300);
        let fresh =
            |stamp| is_fresh(Timestamp::from_millis(stamp), Timestamp::from_millis(1_000_000), window);
        assert!(fresh(1_000_000) && fresh(700_000) && fresh(1_300_000));
        assert!(!fresh(699_999) && !fresh(1_300_001) && !fresh(0));
        assert_eq!(seconds("1531420618"), Some(Timestamp::from_millis(1_531_420_618_000)));
        for wrong in ["", "-1", "+1", "1.5", " 1", "99999999999999999"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
