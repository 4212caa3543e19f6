//! A platform's own RSA key, which signs tokens (JWT).

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512};
use serde_json::{Value, json};

use crate::{program, scratch_dir};

/// A key with its certificate, made by OpenSSL.
#[derive(Debug)]
pub struct SigningKey {
    id: String,
    pair: KeyPair,
    private: String,
    certificate: String,
}

impl SigningKey {
    /// A new key of 2,048 bits with this key id.
    pub fn make(id: &str) -> Self {
        let dir = scratch_dir();
        let output = Command::new(program("openssl"))
            .current_dir(dir.path())
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj"])
            .arg(format!("/CN={id}"))
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .output()
            .expect("openssl runs");
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("what openssl wrote");
        let (private, certificate) = (read("key.pem"), read("cert.pem"));
        let base64: String = private.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(base64).expect("the PEM of openssl");
        let pair = KeyPair::from_pkcs8(&der).expect("a key of openssl");
        Self { id: id.to_owned(), pair, private, certificate }
    }

    /// Its key id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A token with these claims, signed RS256.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": "RS256", "kid": self.id, "typ": "JWT" }), claims)
    }

    /// A token with this header, signed as its `alg` says; RS256 if that says nothing that can be done.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let algorithm = match header["alg"].as_str() {
            Some("RS384") => &RSA_PKCS1_SHA384,
            Some("RS512") => &RSA_PKCS1_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.pair.sign(algorithm, &random, signed.as_bytes(), &mut signature).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token that this key signed with RS256; nothing for any other.
    pub fn read(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair.public());
        let parameters = &RSA_PKCS1_2048_8192_SHA256;
        let is_right = public.verify(parameters, signed.as_bytes(), &decode(signature)?).is_ok();
        let claims = serde_json::from_slice(&decode(claims)?).ok()?;
        (header["alg"] == "RS256" && is_right).then_some(claims)
    }

    /// The public key, as a key set has it (JWK).
    pub fn jwk(&self) -> Value {
        let PublicKeyComponents::<Vec<u8>> { n, e } = self.pair.public().into();
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        json!({ "kty": "RSA", "use": "sig", "kid": self.id, "n": n, "e": e })
    }

    /// The certificate, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The private key, in PEM.
    pub fn private_key(&self) -> &str {
        &self.private
    }
}
