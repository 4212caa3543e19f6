//! Tokens that we sign ourselves: RS256, with the key of a service account.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::Secret;

/// Signs with one key.
pub(crate) struct Signer {
    key: RsaKeyPair,
    key_id: Option<String>,
}

impl Signer {
    /// A signer with the key in this PEM (PKCS #8, `BEGIN PRIVATE KEY`); the error says what is wrong with it.
    pub(crate) fn new(pem: &Secret, key_id: Option<String>) -> Result<Self, String> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.reveal().as_bytes());
        let der =
            der.map_err(|_| "its private key is no `BEGIN PRIVATE KEY … END PRIVATE KEY`".to_owned())?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der());
        let key = key.map_err(|error| format!("its private key is no RSA key that can be used: {error}"))?;
        Ok(Self { key, key_id })
    }

    /// A token that makes these claims; `None` only if the machine gives no random bytes.
    pub(crate) fn sign(&self, claims: &Value) -> Option<Secret> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let (Some(header), Some(key_id)) = (header.as_object_mut(), &self.key_id) {
            header.insert("kid".to_owned(), json!(key_id));
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}
