//! A phone is paired from chat: the owner asks for a code, the phone comes with it, the owner lets it in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dmgate::device::{
    Ask, Claim, Connected, Credential, Description, DeviceStore, GatewayUrl, PublicKey, Refused, Role,
    Scopes, SetupCode, Signed, prove,
};
use dmgate::store::FileOptions;
use dmgate::{Clock as _, Qr, SystemClock, World};
use dmgate_test_peers::{TelegramEmulator, stand_ins};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::program::Program;

const TOKEN: &str = "111:token-of-the-story";

const GATEWAY: &str = "[gateway]\nlisten = \"127.0.0.1:PORT\"\npublic_url = \"https://gate.example.org\"\n\
                       token = \"secret-of-the-story\"\n";

fn gateway() -> String {
    GATEWAY.replace("PORT", &dmgate_test_peers::free_port().to_string())
}

/// A phone with a fresh key, which signs the challenge that it was given.
struct Phone(SigningKey);

impl Phone {
    fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    fn ask(&self, token: &str) -> Ask {
        let key = PublicKey::from_bytes(self.0.verifying_key().to_bytes());
        let now = SystemClock.now();
        let id = key.device_id().to_string();
        let public_key = URL_SAFE_NO_PAD.encode(self.0.verifying_key().to_bytes());
        let signed = Signed {
            client_id: "openclaw-ios",
            client_mode: "node",
            role: "node",
            scopes: &[],
            token,
            platform: "ios",
            device_family: "",
        };
        let mut claim = Claim {
            id: &id,
            public_key: &public_key,
            signature: "",
            signed_at: now.as_millis(),
            nonce: "challenge",
        };
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.v3(&claim).as_bytes()).to_bytes());
        claim.signature = &signature;
        Ask {
            identity: prove(&claim, &signed, "challenge", now).unwrap(),
            role: Role::Node,
            scopes: Scopes::default(),
            description: Description {
                display_name: Some("Ann's phone".to_owned()),
                platform: Some("ios".to_owned()),
                ..Description::default()
            },
            remote_ip: Some("192.168.1.9".to_owned()),
            is_trusted_network: false,
        }
    }

    async fn connect(&self, store: &DeviceStore, credential: Credential) -> Connected {
        let token = match &credential {
            Credential::Token(token) | Credential::Bootstrap(token) => token.clone(),
            Credential::Secret => String::new(),
        };
        store.connect(self.ask(&token), credential).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_paired_from_telegram_and_its_code_serves_no_other() {
    let telegram = TelegramEmulator::start(TOKEN);
    let mut program = Program::configured(&format!(
        "{}[owner]\nallow_from = [\"telegram:default:42\"]\n[channels.telegram]\ntoken = \"{TOKEN}\"\n\
         api_base = \"{}\"\n",
        gateway(),
        telegram.base_url()
    ));
    program.done(&["allow", "add", "telegram", "43"]);
    program.run(&["telegram"]);
    // On the list, and a stranger to the gate; in, and not on the list.
    telegram.send_message(42, "ann", "/pair");
    telegram.send_message(43, "bob", "/pair");
    assert!(telegram.wait_for_replies(42, 1)[0].contains("Pairing code"));
    assert!(telegram.wait_for_replies(43, 1)[0].contains("/pair"), "the echo");
    program.done(&["allow", "add", "telegram", "42"]);

    telegram.send_message(42, "ann", "/pair");
    let code = SetupCode::decode(&telegram.wait_for_replies(42, 3)[2]).unwrap();
    assert_eq!(code.url(), "wss://gate.example.org");
    let store = DeviceStore::open(FileOptions::new(program.state()), World::default()).unwrap();
    let shown = || Credential::Bootstrap(code.bootstrap_token().reveal().to_owned());
    let (phone, other) = (Phone::new(1), Phone::new(2));
    let waits = phone.connect(&store, shown()).await;
    assert!(matches!(waits, Connected::Pairing { request: Some(_), .. }), "{waits:?}");
    let refused = Connected::Refused(Refused::Bootstrap);
    assert_eq!(other.connect(&store, shown()).await, refused);

    assert!(telegram.wait_for_replies(42, 4)[3].starts_with("A device asks to be paired"));
    telegram.send_message(42, "ann", "/pair pending");
    assert!(telegram.wait_for_replies(42, 5)[4].contains("“Ann's phone” (“ios”)"));
    telegram.send_message(42, "ann", "/pair approve");
    assert!(telegram.wait_for_replies(42, 6)[5].starts_with("✅ “Ann's phone”"));
    assert_eq!(other.connect(&store, shown()).await, refused);
    let Connected::In(admission) = phone.connect(&store, shown()).await else { panic!("not in") };
    assert_eq!(other.connect(&store, shown()).await, refused);
    let alone = phone.connect(&store, Credential::Token(admission.token.reveal().to_owned())).await;
    assert!(matches!(alone, Connected::In(_)), "{alone:?}");

    // The same as a picture: it is drawn of a code that works.
    telegram.send_message(42, "ann", "/pair qr");
    let replies = telegram.wait_for_replies(42, 7);
    let (picture, caption) = replies[6].split_once('\n').unwrap();
    assert!(caption.contains("wss://gate.example.org"), "{caption}");
    let url: GatewayUrl = "wss://gate.example.org".parse().unwrap();
    let view = store.view();
    let made = view.devices.bootstrap.last().unwrap();
    let code = SetupCode::new(&url, made.token.clone(), made.expires_at()).encode();
    assert_eq!(STANDARD.decode(picture).unwrap(), Qr::of(&code).unwrap().png());
    telegram.send_message(42, "ann", "/pair cleanup");
    assert_eq!(telegram.wait_for_replies(42, 8)[7], "One setup code works no more.");
    assert_eq!(other.connect(&store, Credential::Bootstrap(made.token.reveal().to_owned())).await, refused);
    program.end();
}

#[test]
fn on_discord_a_code_is_one_message_or_a_picture() {
    let mut discord = stand_ins::start("discord").unwrap();
    let owner = discord.id(0);
    let mut program = Program::configured(&format!(
        "{}[owner]\nallow_from = [\"discord:default:{owner}\"]\n[channels.discord]\n{}",
        gateway(),
        discord.settings()
    ));
    program.done(&["allow", "add", "discord", &owner]);
    program.run(&["discord"]);
    discord.write(0, "/pair");
    let text = discord.read(0);
    let code = text.lines().last().unwrap();
    assert!(SetupCode::decode(code).is_ok(), "{text}");
    discord.write(0, "/pair qr");
    let picture = discord.read(0);
    assert!(picture.starts_with("code.png: ") && picture.contains("wss://gate.example.org"), "{picture}");
    program.end();
}
