//! Calls that are proven by a signed token (JWT, RFC 7519): RSA with SHA-2 (RFC 7518 §3.3), and nothing else. There is no
//! way to say `none` or HMAC here, since all that a key can do is verify RSA.
//!
//! A hook looks at the head first ([`Token::of`], cheap), and in `webhook` at the whole ([`Verifier::verify`]): who issued
//! it, for whom and for when, then the signature, by a key that the issuer publishes ([`keys`]).
//!
//! It is made of *ring* and *webpki*, which TLS brings along. A crate for JWT would bring a second library of
//! cryptography, chosen once for the whole program, whoever embeds us, and would look at the machine's clock in place of
//! the [`World`]'s.

pub(crate) mod keys;
pub(crate) mod signer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dmgate::{Timestamp, World};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::Value;

use crate::webhook::{bearer, is_post};
use keys::{Hash, Key, KeySet};

/// How far the platform's clock and ours may be apart.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// The longest token that is looked at; platforms' have about 1,000 bytes.
const TOKEN_LIMIT: usize = 8 * 1024;

/// A token as it came: nothing of it is proven.
pub(crate) struct Token<'a> {
    key_id: String,
    hash: Hash,
    /// The header and the claims, as they are signed.
    signed: &'a str,
    claims: &'a str,
    signature: Vec<u8>,
}

/// The header of a token.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: Option<String>,
    /// What must be understood (RFC 7515 §4.1.11): nothing of it is.
    crit: Option<serde::de::IgnoredAny>,
}

/// What a token must say.
pub(crate) struct Rules {
    /// Who may have issued it, by one of these names.
    pub(crate) issuers: Vec<String>,
    /// Whom it must be for: exactly this.
    pub(crate) audience: String,
    /// The claim that says from when on it counts: `nbf`, or `iat` where the issuer writes no other.
    pub(crate) begins: &'static str,
}

/// Looks at the tokens of one issuer.
pub(crate) struct Verifier {
    pub(crate) keys: KeySet,
    rules: Rules,
    world: World,
}

/// What a proven token says.
pub(crate) struct Proven {
    claims: Value,
    key: Arc<Key>,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unproven {
    /// It is not right.
    Wrong,
    /// Its key is not known, and the issuer does not say its keys at the moment.
    NoKeys,
}

impl<'a> Token<'a> {
    /// The token that the head of a POST carries; the status for a head without one that could be right.
    pub(crate) fn of(head: &'a Parts) -> Result<Self, StatusCode> {
        is_post(head)?;
        Self::parse(bearer(head)?).ok_or(StatusCode::UNAUTHORIZED)
    }

    // INVARIANT I14: a token of any other algorithm is none, whatever its header asks for.
    fn parse(text: &'a str) -> Option<Self> {
        if text.len() > TOKEN_LIMIT {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.'))?;
        let Header { alg, kid, typ, crit } = serde_json::from_slice(&decode(header)?).ok()?;
        let is_jwt = typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        let signature = decode(signature).filter(|signature| !signature.is_empty())?;
        let token = Self { key_id: kid, hash: Hash::of(&alg)?, signed, claims, signature };
        (is_jwt && crit.is_none() && !claims.is_empty()).then_some(token)
    }
}

impl Verifier {
    pub(crate) fn new(keys: KeySet, rules: Rules, world: World) -> Self {
        Self { keys, rules, world }
    }

    /// Whether a token is the issuer's, for us and for now. What could not pass anyway asks for no keys.
    // INVARIANT I14: the signature and all of the claims have to be right, and none of them may be missing.
    pub(crate) async fn verify(&self, token: &Token<'_>) -> Result<Proven, Unproven> {
        let claims = decode(token.claims).and_then(|claims| serde_json::from_slice(&claims).ok());
        let claims: Value = claims.filter(|claims| self.is_for_us_and_now(claims)).ok_or(Unproven::Wrong)?;
        let key = self.keys.find(&token.key_id).await?;
        let is_right = key.verifies(token.hash, token.signed.as_bytes(), &token.signature);
        if is_right { Ok(Proven { claims, key }) } else { Err(Unproven::Wrong) }
    }

    fn is_for_us_and_now(&self, claims: &Value) -> bool {
        let Rules { issuers, audience, begins } = &self.rules;
        let says = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
        let stamp = |name: &str| {
            let seconds = claims.get(name)?.as_i64()?;
            Some(Timestamp::from_millis(seconds.checked_mul(1_000)?))
        };
        let now = self.world.clock.now();
        // Both stamps that say a beginning count where they are given; one must be.
        let has_begun = ["nbf", "iat"].iter().all(|name| match (claims.get(*name), stamp(name)) {
            (None, _) => name != begins,
            (Some(_), at) => at.is_some_and(|at| at <= now.plus(SKEW)),
        });
        let is_over = stamp("exp").is_none_or(|end| end.plus(SKEW) <= now);
        issuers.iter().any(|issuer| says("iss", issuer)) && says("aud", audience) && has_begun && !is_over
    }
}

impl Proven {
    /// A claim that is a text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// Whether a claim is `true`.
    pub(crate) fn is_true(&self, claim: &str) -> bool {
        self.claims.get(claim) == Some(&Value::Bool(true))
    }

    /// Whether its key may speak for this channel, as the issuer says.
    pub(crate) fn endorses(&self, channel: &str) -> bool {
        self.key.endorsements.iter().any(|endorsed| endorsed == channel)
    }
}

impl From<Unproven> for StatusCode {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Wrong => Self::UNAUTHORIZED,
            Unproven::NoKeys => Self::SERVICE_UNAVAILABLE,
        }
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
