use ed25519_dalek::{Signer as _, SigningKey};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const NONCE: &str = "3f0d7a52-5f0e-4d7c-9a55-0d4c1a3f8e11";

/// A device with a key of its own.
struct Probe {
    key: SigningKey,
    id: String,
    public: String,
}

impl Probe {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::from_bytes(key.verifying_key().to_bytes());
        Self { key, id: public.device_id().to_string(), public: public.to_string() }
    }

    fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes())
    }

    fn claim<'a>(&'a self, signature: &'a str) -> Claim<'a> {
        Claim { id: &self.id, public_key: &self.public, signature, signed_at: NOW.as_millis(), nonce: NONCE }
    }
}

fn signed(scopes: &[String]) -> Signed<'_> {
    Signed {
        client_id: "openclaw-ios",
        client_mode: "ui",
        role: "operator",
        scopes,
        token: "secret",
        platform: " iOS ",
        device_family: "iPhone",
    }
}

#[test]
fn both_versions_of_the_text_are_taken() {
    let (probe, scopes) = (Probe::new(7), ["operator.read".to_owned(), "operator.write".to_owned()]);
    let signed = signed(&scopes);
    let v3 = signed.v3(&probe.claim(""));
    let expected = format!(
        "v3|{}|openclaw-ios|ui|operator|operator.read,operator.write|1700000000000|secret|{NONCE}|ios|iphone",
        probe.id
    );
    assert_eq!(v3, expected);
    for text in [v3, signed.v2(&probe.claim(""))] {
        let signature = probe.sign(&text);
        let identity = prove(&probe.claim(&signature), &signed, NONCE, NOW).unwrap();
        assert_eq!(
            (identity.id().to_string(), identity.key().to_string()),
            (probe.id.clone(), probe.public.clone())
        );
    }
}

#[test]
fn every_field_is_under_the_signature() {
    let (probe, scopes) = (Probe::new(7), ["operator.read".to_owned()]);
    let (good, more) = (signed(&scopes), ["operator.read".to_owned(), "operator.admin".to_owned()]);
    let signature = probe.sign(&good.v3(&probe.claim("")));
    let refused = |claim: &Claim<'_>, signed: &Signed<'_>| prove(claim, signed, NONCE, NOW).unwrap_err();
    let claim = probe.claim(&signature);
    for changed in [
        Signed { client_id: "cli", ..good },
        Signed { client_mode: "cli", ..good },
        Signed { role: "node", ..good },
        Signed { scopes: &more, ..good },
        Signed { scopes: &[], ..good },
        Signed { token: "", ..good },
        Signed { platform: "linux", ..good },
        Signed { device_family: "", ..good },
    ] {
        assert_eq!(refused(&claim, &changed), IdentityError::SignatureInvalid, "{changed:?}");
    }
    let earlier = Claim { signed_at: NOW.as_millis() - 1, ..claim.clone() };
    assert_eq!(refused(&earlier, &good), IdentityError::SignatureInvalid);
    let other = Probe::new(8);
    assert_eq!(refused(&other.claim(&signature), &good), IdentityError::SignatureInvalid);
}

#[test]
fn a_claim_is_looked_at_in_this_order() {
    let (probe, other) = (Probe::new(7), Probe::new(8));
    let signature = probe.sign("something else");
    let good = probe.claim(&signature);
    let far = |by: i64| NOW.as_millis() + by;
    for (claim, error) in [
        (Claim { id: &other.id, signed_at: 0, ..good.clone() }, IdentityError::DeviceIdMismatch),
        (Claim { public_key: "AAAA", ..good.clone() }, IdentityError::DeviceIdMismatch),
        (Claim { id: &probe.id.to_uppercase(), ..good.clone() }, IdentityError::DeviceIdMismatch),
        (Claim { signed_at: far(-120_001), nonce: "", ..good.clone() }, IdentityError::SignatureExpired),
        (Claim { signed_at: far(120_001), ..good.clone() }, IdentityError::SignatureExpired),
        (Claim { signed_at: i64::MIN, ..good.clone() }, IdentityError::SignatureExpired),
        (Claim { nonce: " ", ..good.clone() }, IdentityError::NonceRequired),
        (Claim { nonce: "bogus", ..good.clone() }, IdentityError::NonceMismatch),
        (Claim { signed_at: far(120_000), ..good.clone() }, IdentityError::SignatureInvalid),
        (Claim { signature: "", ..good.clone() }, IdentityError::SignatureInvalid),
        (good, IdentityError::SignatureInvalid),
    ] {
        assert_eq!(prove(&claim, &signed(&[]), NONCE, NOW).unwrap_err(), error, "{claim:?}");
    }
}

/// A key of small order fits signatures that nobody made.
#[test]
fn a_key_that_everybody_holds_is_nobodys() {
    let weak = PublicKey::from_bytes([0; 32]);
    let signature = URL_SAFE_NO_PAD.encode([0; 64]);
    assert!(!weak.signed("anything", &signature));
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut of_neutral = [0; 64];
    of_neutral[0] = 1;
    assert!(!PublicKey::from_bytes(neutral).signed("anything", &URL_SAFE_NO_PAD.encode(of_neutral)));
}

#[test]
fn a_key_may_come_as_pem() {
    let probe = Probe::new(7);
    let der = [&DER_HEAD[..], &probe.key.verifying_key().to_bytes()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    assert_eq!(PublicKey::parse(&pem).unwrap().to_string(), probe.public);
    for bad in ["", "x", &probe.public[..42], &format!("{}A", probe.public), &pem.replace("MCow", "MCox")] {
        assert_eq!(PublicKey::parse(bad), None, "{bad}");
    }
}
