//! Devices without any gateway: who connects is proven, waits for the owner's word, and comes back by a token. How the
//! messages travel is the program's own business.
#![allow(clippy::print_stdout, reason = "an example")]

use dmgate::device::{
    Approver, Ask, Claim, Connected, Credential, Description, DeviceStore, Identity, IdentityError,
    PublicKey, Role, Scopes, Signed, prove,
};
use dmgate::pairing::Surface;
use dmgate::store::{Actor, FileOptions};
use dmgate::{Clock as _, SystemClock, World};
use ed25519_dalek::{Signer as _, SigningKey};

/// What a device sends: who it says it is, and its signature over our challenge.
struct Hello {
    id: String,
    key: String,
    signed_at: i64,
    signature: String,
}

/// What this program signs for itself; a real device does it on its own machine.
const PHONE: Signed<'static> = Signed {
    client_id: "node-host",
    client_mode: "node",
    role: "node",
    scopes: &[],
    token: "",
    platform: "linux",
    device_family: "",
};

/// The device's side.
fn hello(key: &SigningKey, challenge: &str) -> Hello {
    use base64::Engine as _;
    let public = PublicKey::from_bytes(key.verifying_key().to_bytes());
    let (id, key_text, signed_at) =
        (public.device_id().to_string(), public.to_string(), SystemClock.now().as_millis());
    let claim = Claim { id: &id, public_key: &key_text, signature: "", signed_at, nonce: challenge };
    let signature = key.sign(PHONE.v3(&claim).as_bytes());
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature.to_bytes());
    Hello { id, key: key_text, signed_at, signature }
}

/// The program's side: nobody is taken for a device who did not sign this very challenge just now.
fn who(hello: &Hello, challenge: &str) -> Result<Identity, IdentityError> {
    let claim = Claim {
        id: &hello.id,
        public_key: &hello.key,
        signature: &hello.signature,
        signed_at: hello.signed_at,
        nonce: challenge,
    };
    prove(&claim, &PHONE, challenge, SystemClock.now())
}

fn ask(identity: Identity) -> Ask {
    let display_name = Some("Ann's phone".to_owned());
    Ask {
        identity,
        role: Role::Node,
        scopes: Scopes::default(),
        description: Description { display_name, platform: Some("linux".into()), ..Description::default() },
        remote_ip: None,
        is_trusted_network: false,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = tempfile::tempdir()?;
    let devices = DeviceStore::open(FileOptions::new(state.path()), World::default())?;
    let owner = || Actor { name: "owner".into(), surface: Surface::Local };

    // The owner makes a code, and the phone shows what is in it.
    let code = devices.invite(owner()).await?;
    let key = SigningKey::from_bytes(&[7; 32]);
    let challenge = "drawn anew for each connection";
    let identity = who(&hello(&key, challenge), challenge)?;
    let shown = Credential::Bootstrap(code.token.reveal().to_owned());
    let Connected::Pairing { reason, request: Some(request), .. } =
        devices.connect(ask(identity), shown.clone()).await?
    else {
        return Err("nobody is in without the owner's word".into());
    };
    println!("{} waits: {}", request.device_id, reason.as_str());

    // The owner says yes; the phone comes again, and has a token of its own from then on.
    devices.approve(request.id, Approver::Owner, owner()).await?;
    let Connected::In(admission) = devices.connect(ask(identity), shown).await? else {
        return Err("it was approved".into());
    };
    let token = Credential::Token(admission.token.reveal().to_owned());
    let Connected::In(again) = devices.connect(ask(identity), token.clone()).await? else {
        return Err("it has a token".into());
    };
    println!("{} is in as {}", again.session.device, again.session.role);

    // Revoked: the token is worth nothing, and a program ends what is connected.
    devices.revoke(request.device_id, Role::Node, Approver::Owner, owner()).await?;
    if devices.view().devices.stands(&again.session) {
        return Err("it was revoked".into());
    }
    match devices.connect(ask(identity), token).await? {
        Connected::Refused(refused) => println!("and out again: {refused}"),
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}

/// Who signed another challenge, or nothing, is nobody.
#[test]
fn a_challenge_is_signed_by_who_holds_the_key() {
    let hello = hello(&SigningKey::from_bytes(&[7; 32]), "one");
    assert!(who(&hello, "one").is_ok());
    assert_eq!(who(&hello, "another"), Err(IdentityError::SignatureInvalid));
}
