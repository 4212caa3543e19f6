//! Tokens that are right and tokens that are not, and an issuer that answers, refuses or is silent.

use std::sync::LazyLock;

use dmgate::testing::ManualClock;
use dmgate_test_peers::SigningKey;
use serde_json::json;

use super::keys::Published;
use super::signer::Signer;
use super::*;
use crate::Secret;
use crate::api::Api;
use crate::fake_server::FakeServer;

/// 2026-01-02T18:30:00Z.
const NOW: i64 = 1_767_378_600;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("one"));
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::make("one"));

struct Place {
    server: FakeServer,
    clock: ManualClock,
    verifier: Arc<Verifier>,
}

async fn place(published: Published) -> Place {
    let server = FakeServer::start().await;
    let clock = ManualClock::at(NOW * 1_000);
    let api = Api::new("the issuer", &server.base(), None, Vec::new(), Duration::from_secs(5)).unwrap();
    let keys = KeySet::new(api, published, clock.world());
    let issuers = vec!["https://issuer.example".to_owned(), "issuer.example".to_owned()];
    let rules = Rules { issuers, audience: "us".to_owned(), begins: "nbf" };
    let verifier = Arc::new(Verifier::new(keys, rules, clock.world()));
    Place { server, clock, verifier }
}

fn claims() -> Value {
    json!({ "iss": "https://issuer.example", "aud": "us", "nbf": NOW - 60, "exp": NOW + 3_600, "more": "x" })
}

fn set(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

impl Place {
    async fn verify(&self, text: &str) -> Result<Proven, Unproven> {
        self.verifier.verify(&Token::parse(text).ok_or(Unproven::Wrong)?).await
    }

    /// What becomes of a token while the issuer answers so, once.
    async fn asked(&self, text: &str, status: u16, answer: Value) -> Result<Proven, Unproven> {
        let (outcome, ()) = tokio::join!(self.verify(text), async {
            self.server.call().await.json_answer(status, answer).await;
        });
        outcome
    }

    /// What becomes of a token without asking.
    async fn unasked(&self, text: &str) -> Result<Proven, Unproven> {
        tokio::select! {
            biased;
            _ = self.server.call() => panic!("the issuer is asked"),
            outcome = self.verify(text) => outcome,
        }
    }
}

#[tokio::test]
async fn i14_a_token_is_proven_by_its_issuers_key_with_each_hash() {
    let place = place(Published::KeySet("keys")).await;
    place.asked(&KEY.token(&claims()), 200, set(&[&KEY])).await.ok().unwrap();
    for algorithm in ["RS256", "RS384", "RS512"] {
        let token = KEY.token_with(&json!({ "alg": algorithm, "kid": "one" }), &claims());
        let proven = place.unasked(&token).await.ok().unwrap();
        assert_eq!((proven.text("more"), proven.text("less")), (Some("x"), None), "{algorithm}");
        assert!(!proven.endorses("msteams") && !proven.is_true("more"));
    }
    let key = Signer::new(&Secret::new(KEY.private_key()), Some("one".to_owned())).unwrap();
    let ours = key.sign(&claims()).unwrap();
    assert!(place.unasked(ours.reveal()).await.is_ok(), "what we sign ourselves is a token, too");
}

#[tokio::test]
async fn i14_a_certificate_proves_as_well() {
    let place = place(Published::Certificates("certs")).await;
    let certificates = json!({ "one": KEY.certificate(), "two": "no certificate", "three": 3 });
    place.asked(&KEY.token(&claims()), 200, certificates).await.ok().unwrap();
    for algorithm in ["RS256", "RS384", "RS512"] {
        let header = json!({ "alg": algorithm, "kid": "one" });
        assert!(place.unasked(&KEY.token_with(&header, &claims())).await.is_ok(), "{algorithm}");
    }
    assert_eq!(place.unasked(&OTHER.token(&claims())).await.err(), Some(Unproven::Wrong));
}

#[tokio::test]
async fn i14_whatever_is_changed_proves_nothing() {
    let place = place(Published::KeySet("keys")).await;
    let good = KEY.token(&claims());
    place.asked(&good, 200, set(&[&KEY])).await.ok().unwrap();
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let with_header = |header: Value| KEY.token_with(&header, &claims());
    let mut more = claims();
    more["more"] = json!("y");
    let flipped = format!("{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    for (what, token) in [
        ("another key of the same id", OTHER.token(&claims())),
        ("other claims", format!("{header}.{}.{signature}", encode(&more))),
        ("another signature", format!("{header}.{payload}.{flipped}")),
        ("no signature", format!("{header}.{payload}.")),
        ("half a signature", format!("{header}.{payload}.{}", &signature[..100])),
        ("padding", format!("{header}.{payload}.{signature}==")),
        ("four parts", format!("{good}.")),
        ("two parts", format!("{header}.{signature}")),
        ("a header of nothing", format!(".{payload}.{signature}")),
        ("`none`", with_header(json!({ "alg": "none", "kid": "one" }))),
        ("HMAC", with_header(json!({ "alg": "HS256", "kid": "one" }))),
        ("small letters", with_header(json!({ "alg": "rs256", "kid": "one" }))),
        ("another family", with_header(json!({ "alg": "PS256", "kid": "one" }))),
        ("another hash than was used", {
            let token = with_header(json!({ "alg": "RS384", "kid": "one" }));
            let (_, rest) = token.split_once('.').unwrap();
            format!("{}.{rest}", encode(&json!({ "alg": "RS256", "kid": "one" })))
        }),
        ("no algorithm", with_header(json!({ "kid": "one" }))),
        ("no key id", with_header(json!({ "alg": "RS256" }))),
        ("two key ids", {
            let twice = r#"{"alg":"RS256","kid":"one","kid":"one"}"#;
            format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(twice))
        }),
        ("what must be understood", with_header(json!({ "alg": "RS256", "kid": "one", "crit": ["exp"] }))),
        ("another type", with_header(json!({ "alg": "RS256", "kid": "one", "typ": "at+jwt" }))),
        ("more than any", KEY.token(&json!({ "pad": "x".repeat(TOKEN_LIMIT) }))),
    ] {
        assert_eq!(place.unasked(&token).await.err(), Some(Unproven::Wrong), "{what}");
    }
    assert!(place.unasked(&good).await.is_ok());
}

#[tokio::test]
async fn i14_each_claim_is_needed_and_has_to_be_right() {
    let place = place(Published::KeySet("keys")).await;
    let token = |change: fn(&mut Value)| {
        let mut claims = claims();
        change(&mut claims);
        KEY.token(&claims)
    };
    let drop = |name: &'static str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        KEY.token(&claims)
    };
    place
        .asked(&token(|claims| claims["iss"] = json!("issuer.example")), 200, set(&[&KEY]))
        .await
        .ok()
        .unwrap();
    for (what, token) in [
        ("no issuer", drop("iss")),
        ("no audience", drop("aud")),
        ("no beginning", drop("nbf")),
        ("no beginning but another", {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove("nbf");
            claims["iat"] = json!(NOW);
            KEY.token(&claims)
        }),
        ("no end", drop("exp")),
        ("another issuer", token(|claims| claims["iss"] = json!("https://issuer.example.evil.test"))),
        ("another audience", token(|claims| claims["aud"] = json!("us "))),
        ("several audiences", token(|claims| claims["aud"] = json!(["us", "them"]))),
        ("an end in words", token(|claims| claims["exp"] = json!("tomorrow"))),
        ("an end beyond all", token(|claims| claims["exp"] = json!(i64::MAX))),
        ("a beginning to come", token(|claims| claims["nbf"] = json!(NOW + 301))),
        ("an issue to come", token(|claims| claims["iat"] = json!(NOW + 301))),
        ("an end that was", token(|claims| claims["exp"] = json!(NOW - 300))),
        ("no claims", KEY.token(&json!([]))),
    ] {
        assert_eq!(place.unasked(&token).await.err(), Some(Unproven::Wrong), "{what}");
    }
    for (what, token) in [
        ("a beginning within the skew", token(|claims| claims["nbf"] = json!(NOW + 300))),
        ("an end within the skew", token(|claims| claims["exp"] = json!(NOW - 299))),
    ] {
        assert!(place.unasked(&token).await.is_ok(), "{what}");
    }
    // By the world's clock, wherever the machine's stands.
    place.clock.step((3_600 + 300) * 1_000);
    assert_eq!(place.unasked(&KEY.token(&claims())).await.err(), Some(Unproven::Wrong), "an hour later");
    place.clock.step(-1_000);
    assert!(place.unasked(&KEY.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn i14_what_could_not_pass_anyway_asks_for_no_keys() {
    let place = place(Published::KeySet("keys")).await;
    let mut stranger = claims();
    stranger["aud"] = json!("them");
    assert_eq!(place.unasked(&KEY.token(&stranger)).await.err(), Some(Unproven::Wrong));
}

#[tokio::test]
async fn i11_strangers_make_us_ask_once_in_a_while_however_many_they_are() {
    let place = place(Published::KeySet("keys")).await;
    place.asked(&KEY.token(&claims()), 200, set(&[&KEY])).await.ok().unwrap();
    let unknown = |id: usize| KEY.token_with(&json!({ "alg": "RS256", "kid": format!("x{id}") }), &claims());
    for id in 0..100 {
        assert_eq!(place.unasked(&unknown(id)).await.err(), Some(Unproven::Wrong), "just asked");
    }
    place.clock.advance(Duration::from_secs(60));
    assert_eq!(place.asked(&unknown(100), 200, set(&[&KEY])).await.err(), Some(Unproven::Wrong));
    for id in 101..200 {
        assert_eq!(place.unasked(&unknown(id)).await.err(), Some(Unproven::Wrong), "just asked");
    }
    assert!(place.unasked(&KEY.token(&claims())).await.is_ok());
}

#[tokio::test]
async fn who_comes_while_we_ask_gets_the_same_answer_and_known_keys_wait_for_nobody() {
    let place = place(Published::KeySet("keys")).await;
    place.asked(&KEY.token(&claims()), 200, set(&[&KEY])).await.ok().unwrap();
    place.clock.advance(Duration::from_secs(60));
    let second = SigningKey::make("two");
    let (first, same) = (second.token(&claims()), second.token(&claims()));
    let known = KEY.token(&claims());
    let (one, other, ()) = tokio::join!(place.verify(&first), place.verify(&same), async {
        let call = place.server.call().await;
        assert!(place.verify(&known).await.is_ok(), "while nobody has answered");
        call.json_answer(200, set(&[&second])).await;
    });
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(place.unasked(&known).await.err(), Some(Unproven::Wrong), "the issuer took its key back");
}

#[tokio::test]
async fn keys_outlive_an_outage_for_a_while() {
    let place = place(Published::KeySet("keys")).await;
    let token = |end: i64| {
        let mut claims = claims();
        claims["exp"] = json!(end);
        KEY.token(&claims)
    };
    let long = token(NOW + 1_000_000);
    assert_eq!(
        place.asked(&long, 500, json!({})).await.err(),
        Some(Unproven::NoKeys),
        "there never were any"
    );
    assert!(!place.verifier.keys.are_good());
    place.clock.advance(Duration::from_secs(60));
    place.asked(&long, 200, set(&[&KEY])).await.ok().unwrap();
    for nothing in [json!({}), json!({ "keys": [] }), json!("garbage"), json!({ "keys": [{ "kty": "EC" }] })]
    {
        let (outcome, ()) = tokio::join!(place.verifier.keys.renew(), async {
            place.server.call().await.json_answer(200, nothing).await;
        });
        assert!(outcome.is_err());
        assert!(place.unasked(&long).await.is_ok(), "no answer takes no key away");
    }
    place.clock.advance(Duration::from_secs(24 * 3_600 - 1));
    assert!(place.verifier.keys.are_good() && place.unasked(&long).await.is_ok());
    place.clock.advance(Duration::from_secs(1));
    assert!(!place.verifier.keys.are_good());
    assert_eq!(place.asked(&long, 503, json!({})).await.err(), Some(Unproven::NoKeys), "and not for ever");
    place.clock.advance(Duration::from_secs(60));
    assert!(place.asked(&long, 200, set(&[&KEY])).await.is_ok());
}

#[tokio::test]
async fn metadata_lead_to_keys_on_their_own_host_only() {
    let place = place(Published::Metadata("openid")).await;
    // There are keys elsewhere, too, and nobody asks for them.
    let other = FakeServer::start().await;
    let elsewhere = json!({ "jwks_uri": format!("{}/keys", other.base()) });
    for nowhere in [elsewhere, json!({}), json!({ "jwks_uri": 5 }), json!({ "jwks_uri": "keys" })] {
        let (outcome, ()) = tokio::select! {
            outcomes = async {
                tokio::join!(place.verifier.keys.renew(), async {
                    place.server.call().await.json_answer(200, nowhere).await;
                })
            } => outcomes,
            _ = other.call() => panic!("somebody else is asked for keys"),
        };
        assert!(outcome.is_err());
    }
    let mut key = KEY.jwk();
    key["endorsements"] = json!(["msteams"]);
    // As some write numbers: padded, and with zeros before.
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    key["n"] = json!(base64::engine::general_purpose::URL_SAFE.encode([&[0][..], &modulus].concat()));
    let place_of_keys = json!({ "jwks_uri": format!("{}/elsewhere/keys", place.server.base()) });
    let (outcome, ()) = tokio::join!(place.verifier.keys.renew(), async {
        place.server.call().await.json_answer(200, place_of_keys).await;
        let call = place.server.call().await;
        assert_eq!(call.line, "GET /elsewhere/keys");
        call.json_answer(200, json!({ "keys": [key] })).await;
    });
    outcome.unwrap();
    let proven = place.unasked(&KEY.token(&claims())).await.ok().unwrap();
    assert!(proven.endorses("msteams") && !proven.endorses("webchat") && !proven.endorses("ms"));
}

#[tokio::test]
async fn a_key_is_for_what_its_issuer_says() {
    for (what, change) in [
        ("for another hash", json!({ "alg": "RS512" })),
        ("for no signature of ours", json!({ "alg": "RSA-OAEP" })),
        ("for encryption", json!({ "use": "enc" })),
        ("of another kind", json!({ "kty": "oct", "k": "AAAA" })),
        ("too short", json!({ "n": URL_SAFE_NO_PAD.encode([0xc5; 128]) })),
    ] {
        let place = place(Published::KeySet("keys")).await;
        let mut key = KEY.jwk();
        for (name, value) in change.as_object().unwrap() {
            key[name] = value.clone();
        }
        let outcome = place.asked(&KEY.token(&claims()), 200, json!({ "keys": [key] })).await;
        assert!(outcome.is_err(), "{what}");
    }
}

#[test]
fn the_head_tells_what_can_be_no_token() {
    let head = |method: &str, value: &str| {
        let request = http::Request::builder().method(method).header("authorization", value);
        request.body(()).unwrap().into_parts().0
    };
    let good = KEY.token(&claims());
    assert!(Token::of(&head("POST", &format!("Bearer {good}"))).is_ok());
    assert_eq!(
        Token::of(&head("GET", &format!("Bearer {good}"))).err(),
        Some(StatusCode::METHOD_NOT_ALLOWED)
    );
    for bad in ["", "Bearer", "Bearer x", &format!("Basic {good}"), &good, "Bearer a.b.c"] {
        assert_eq!(Token::of(&head("POST", bad)).err(), Some(StatusCode::UNAUTHORIZED), "{bad}");
    }
}

#[test]
fn what_is_no_private_key_is_said_without_showing_it() {
    for bad in [
        "",
        "s3cret",
        KEY.certificate(),
        "-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----\n",
    ] {
        let told = Signer::new(&Secret::new(bad), None).err().unwrap();
        assert!(!told.contains("s3cret") && !told.contains("czNj"), "{told}");
    }
}
