//! The keys that an issuer publishes: fetched, kept for a while, asked for again when one is not known.
//!
//! Anyone can send a token with a key id that nobody knows. So a request makes us ask at most once in [`PAUSE`], whoever
//! sends how many; whoever comes while we ask waits for the same answer; and a key that is held is found without waiting.
//! The adapter renews the keys by itself ([`RENEWAL`]): a new one is mostly known before it is used, and one that the
//! issuer took back is no longer good. Where the issuer does not answer, what is held stays good for [`STALE`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmgate::{AccountKey, World};
use http::Method;
use reqwest::Url;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::EndEntityCert;

use super::{Unproven, decode};
use crate::api::{Api, ApiError};
use crate::hosts::is_same_host;

/// How often the adapter asks by itself.
const RENEWAL: Duration = Duration::from_secs(60 * 60);

/// How long keys stay good that could not be renewed.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long unknown keys are not asked for again.
const PAUSE: Duration = Duration::from_secs(60);

/// The most keys that are kept; issuers have two to twenty.
const MOST: usize = 200;

/// How a token is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// A key that verifies.
pub(crate) struct Key {
    form: Form,
    /// The one hash that it is for, where the issuer says so.
    hash: Option<Hash>,
    /// The channels that it may speak for, as the Bot Framework says.
    pub(super) endorsements: Vec<String>,
}

enum Form {
    Numbers(RsaPublicKeyComponents<Vec<u8>>),
    Certificate(CertificateDer<'static>),
}

/// Where and how an issuer publishes its keys; each is a path below the API's base.
#[derive(Clone, Copy)]
pub(crate) enum Published {
    /// OpenID metadata, which say where the key set is: on the same host.
    Metadata(&'static str),
    /// A key set (JWKS, RFC 7517 §5).
    KeySet(&'static str),
    /// An object of PEM certificates by key id, as Google has it.
    Certificates(&'static str),
}

/// The keys of one issuer.
pub(crate) struct KeySet {
    api: Api,
    published: Published,
    world: World,
    held: Mutex<Held>,
    asking: tokio::sync::Mutex<()>,
}

/// Times are [`dmgate::Clock::ticks`], which no step of the wall clock changes.
#[derive(Default)]
struct Held {
    keys: HashMap<String, Arc<Key>>,
    renewed: Option<u64>,
    asked: Option<u64>,
    /// How often it was asked.
    asks: u64,
    /// Whether the last answer was one.
    was_answered: bool,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    n: String,
    e: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    #[serde(default)]
    endorsements: Vec<String>,
}

impl KeySet {
    pub(crate) fn new(api: Api, published: Published, world: World) -> Self {
        Self { api, published, world, held: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// The key of this id; one that is not known is asked for, if that was not done just before.
    pub(super) async fn find(&self, id: &str) -> Result<Arc<Key>, Unproven> {
        if let Some(key) = self.held(id) {
            return Ok(key);
        }
        let asks = self.look(|held| held.asks);
        let one = self.asking.lock().await;
        let now = self.world.clock.ticks();
        let may_ask = self
            .look(|held| held.asks == asks && held.asked.is_none_or(|asked| now >= asked + millis(PAUSE)));
        if may_ask && let Err(error) = self.ask().await {
            // Once in a while, whoever it was that asked.
            tracing::warn!("no new keys to verify with: {error}");
        }
        drop(one);
        self.held(id).ok_or_else(|| {
            if self.look(|held| held.was_answered) { Unproven::Wrong } else { Unproven::NoKeys }
        })
    }

    /// Asks for the keys, however long ago it was done.
    pub(crate) async fn renew(&self) -> Result<(), ApiError> {
        let _one = self.asking.lock().await;
        self.ask().await
    }

    /// Renews them again and again; returns when there are none any more that are good, with why.
    pub(crate) async fn keep_renewing(&self, account: &AccountKey) -> ApiError {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if let Err(error) = self.renew().await {
                if !self.are_good() {
                    return error;
                }
                tracing::warn!(%account, "the keys to verify with are not renewed: {error}");
            }
        }
    }

    /// Whether there are keys that are good.
    pub(super) fn are_good(&self) -> bool {
        let now = self.world.clock.ticks();
        self.look(|held| held.is_good(now))
    }

    fn held(&self, id: &str) -> Option<Arc<Key>> {
        let now = self.world.clock.ticks();
        self.look(|held| held.keys.get(id).filter(|_| held.is_good(now)).map(Arc::clone))
    }

    /// Asks, and puts what comes in the place of what is held: a key that is gone is no longer good.
    async fn ask(&self) -> Result<(), ApiError> {
        let now = self.world.clock.ticks();
        self.look(|held| {
            (held.asked, held.was_answered) = (Some(now), false);
            held.asks += 1;
        });
        let keys = self.fetch().await?;
        self.look(|held| (held.keys, held.renewed, held.was_answered) = (keys, Some(now), true));
        Ok(())
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, ApiError> {
        let get = async |path: &str| self.api.call_json(self.api.request(Method::GET, path)?).await;
        let keys = match self.published {
            Published::KeySet(path) => key_set(&get(path).await?),
            Published::Certificates(path) => certificates(&get(path).await?),
            Published::Metadata(path) => {
                let metadata = get(path).await?;
                let place = metadata.get("jwks_uri").and_then(Value::as_str);
                let place = place.and_then(|place| Url::parse(place).ok());
                let place = place.filter(|place| is_same_host(place, self.api.base()));
                let place =
                    place.ok_or_else(|| self.api.lost("its metadata name no place of its own for keys"))?;
                key_set(&self.api.call_json(self.api.request_to(Method::GET, place)).await?)
            }
        };
        if keys.is_empty() { Err(self.api.lost("the answer holds no keys")) } else { Ok(keys) }
    }

    fn look<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn is_good(&self, now: u64) -> bool {
        self.renewed.is_some_and(|renewed| now < renewed + millis(STALE))
    }
}

impl Key {
    /// Whether this is the key's signature over `signed`. Keys of less than 2,048 bits have none.
    pub(super) fn verifies(&self, hash: Hash, signed: &[u8], signature: &[u8]) -> bool {
        self.hash.is_none_or(|only| only == hash)
            && match &self.form {
                Form::Numbers(key) => key.verify(hash.parameters(), signed, signature).is_ok(),
                Form::Certificate(key) => EndEntityCert::try_from(key)
                    .is_ok_and(|key| key.verify_signature(hash.algorithm(), signed, signature).is_ok()),
            }
    }
}

impl Hash {
    /// By the name of the algorithm (RFC 7518 §3.1).
    pub(super) fn of(algorithm: &str) -> Option<Self> {
        match algorithm {
            "RS256" => Some(Self::Sha256),
            "RS384" => Some(Self::Sha384),
            "RS512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn parameters(self) -> &'static RsaParameters {
        match self {
            Self::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        }
    }

    fn algorithm(self) -> &'static dyn SignatureVerificationAlgorithm {
        match self {
            Self::Sha256 => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
            Self::Sha384 => webpki::ring::RSA_PKCS1_2048_8192_SHA384,
            Self::Sha512 => webpki::ring::RSA_PKCS1_2048_8192_SHA512,
        }
    }
}

/// The RSA keys of a key set that are for signatures.
fn key_set(set: &Value) -> HashMap<String, Arc<Key>> {
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.filter_map(|key| numbers(Jwk::deserialize(key).ok()?)).take(MOST).collect()
}

fn numbers(jwk: Jwk) -> Option<(String, Arc<Key>)> {
    let is_for_signatures = jwk.kty == "RSA" && jwk.purpose.is_none_or(|purpose| purpose == "sig");
    // Some pad, some lead with zeros; *ring* wants neither.
    let number = |text: &str| {
        let bytes = decode(text.trim_end_matches('='))?;
        Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
    };
    let form = Form::Numbers(RsaPublicKeyComponents { n: number(&jwk.n)?, e: number(&jwk.e)? });
    let hash = match &jwk.alg {
        Some(algorithm) => Some(Hash::of(algorithm)?),
        None => None,
    };
    is_for_signatures.then(|| (jwk.kid, Arc::new(Key { form, hash, endorsements: jwk.endorsements })))
}

fn certificates(by_id: &Value) -> HashMap<String, Arc<Key>> {
    let certificate = |(id, pem): (&String, &Value)| {
        let certificate = CertificateDer::from_pem_slice(pem.as_str()?.as_bytes()).ok()?;
        EndEntityCert::try_from(&certificate).ok()?;
        let key = Key { form: Form::Certificate(certificate), hash: None, endorsements: Vec::new() };
        Some((id.clone(), Arc::new(key)))
    };
    by_id.as_object().into_iter().flatten().filter_map(certificate).take(MOST).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
