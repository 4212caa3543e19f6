//! `dmgate devices`: on the files of the state directory, beside whoever else works on them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dmgate::device::{
    Ask, Claim, Connected, Credential, Description, DeviceStore, Identity, PublicKey, Role, Scopes, Signed,
    prove,
};
use dmgate::store::FileOptions;
use dmgate::{Clock, SystemClock, World};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use crate::place::Place;

const PHONE: [u8; 32] = [1; 32];
const LAPTOP: [u8; 32] = [2; 32];

/// The gateway of a test: the store that `dmgate run` has.
struct Gateway(DeviceStore, tokio::runtime::Runtime);

impl Gateway {
    fn at(place: &Place) -> Self {
        place.configure("");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self(DeviceStore::open(FileOptions::new(place.state()), World::default()).unwrap(), runtime)
    }

    fn connect(&self, key: [u8; 32], role: Role, scopes: &[&str], credential: Credential) -> Connected {
        self.connect_as("linux", "phone", key, role, scopes, credential)
    }

    fn connect_as(
        &self,
        platform: &str,
        name: &str,
        key: [u8; 32],
        role: Role,
        scopes: &[&str],
        credential: Credential,
    ) -> Connected {
        let ask = Ask {
            identity: identity(key),
            role,
            scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
            description: Description {
                display_name: Some(name.to_owned()),
                platform: Some(platform.to_owned()),
                client_id: Some("node-host".to_owned()),
                ..Description::default()
            }
            .cut(),
            remote_ip: Some("192.168.1.7".to_owned()),
            is_trusted_network: false,
        };
        self.1.block_on(self.0.connect(ask, credential)).unwrap()
    }

    /// The id of the request of a device that asks.
    fn ask(&self, key: [u8; 32], role: Role, scopes: &[&str]) -> String {
        match self.connect(key, role, scopes, Credential::Secret) {
            Connected::Pairing { request: Some(request), .. } => request.id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// The token of a device that is in.
    fn enter(&self, key: [u8; 32], role: Role, scopes: &[&str]) -> String {
        match self.connect(key, role, scopes, Credential::Secret) {
            Connected::In(admission) => admission.token.reveal().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn lets_in(&self, key: [u8; 32], role: Role, token: &str) -> bool {
        matches!(self.connect(key, role, &[], Credential::Token(token.to_owned())), Connected::In(_))
    }
}

/// The identity of who holds a key.
fn identity(key: [u8; 32]) -> Identity {
    let (key, now) = (SigningKey::from_bytes(&key), SystemClock.now());
    let public_key = PublicKey::from_bytes(key.verifying_key().to_bytes());
    let (id, public_key) = (public_key.device_id().to_string(), public_key.to_string());
    let signed = Signed {
        client_id: "test",
        client_mode: "test",
        role: "node",
        scopes: &[],
        token: "",
        platform: "",
        device_family: "",
    };
    let claim =
        Claim { id: &id, public_key: &public_key, signature: "", signed_at: now.as_millis(), nonce: "n" };
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.v3(&claim).as_bytes()).to_bytes());
    prove(&Claim { signature: &signature, ..claim }, &signed, "n", now).unwrap()
}

fn id_of(key: [u8; 32]) -> String {
    identity(key).id().to_string()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_device_is_listed_approved_and_in_while_the_gateway_runs() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    assert_eq!(place.ok("devices list"), "No device is paired, and none asks to be.\n");
    let request = gateway.ask(PHONE, Role::Node, &[]);
    let listed = read(&place.ok("devices list --json"));
    assert_eq!(listed["pending"][0]["requestId"], request.as_str());
    assert_eq!(listed["paired"], json!([]));
    let device = id_of(PHONE);
    assert_eq!(
        place.ok(&format!("devices approve {request}")),
        format!("Approved device {device} as node.\n")
    );
    let token = gateway.enter(PHONE, Role::Node, &[]);
    let (text, json) = (place.ok("devices list"), place.ok("devices list --json"));
    assert!(text.contains(&device) && !text.contains(&token) && !json.contains(&token), "{text}{json}");
    let paired = &read(&json)["paired"][0];
    assert_eq!(paired["tokens"][0]["role"], "node");
    assert!(paired.get("approvedScopes").is_none(), "{json}");
    let audit = std::fs::read_to_string(place.state().join("audit.jsonl")).unwrap();
    assert!(audit.contains("cli:ann") && audit.contains(&device) && !audit.contains(&token), "{audit}");
}

#[test]
fn what_is_asked_stands_beside_what_there_is_and_the_difference_is_marked() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let first = gateway.ask(LAPTOP, Role::Operator, &["operator.read"]);
    let listed = place.ok("devices list");
    assert!(listed.contains("asks for  +operator with +operator.read\n"), "{listed}");
    assert!(listed.contains("has       nothing: it is not paired\n"), "{listed}");
    place.ok(&format!("devices approve {first}"));
    gateway.ask(LAPTOP, Role::Operator, &["operator.read", "operator.admin"]);
    let listed = place.ok("devices list");
    assert!(listed.contains("asks for  operator with +operator.admin, operator.read\n"), "{listed}");
    assert!(listed.contains("has       operator with operator.read\n"), "{listed}");
    gateway.connect_as("ios", "phone", LAPTOP, Role::Operator, &[], Credential::Secret);
    let listed = place.ok("devices list");
    assert!(listed.contains("machine   ios, node-host (+ it was: linux, node-host)\n"), "{listed}");
    gateway.ask(LAPTOP, Role::Node, &[]);
    let listed = place.ok("devices list");
    assert!(listed.contains("asks for  +node\n"), "{listed}");
}

#[test]
fn f_what_a_device_says_of_itself_plays_no_tricks() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let name = format!("A\u{1b}[2J\u{202e}\nRequest x{}Device of Mother", " ".repeat(60));
    gateway.connect_as("li\u{9b}nux\nhas  all", &name, PHONE, Role::Node, &[], Credential::Secret);
    let text = place.ok("devices list");
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{text:?}");
    assert_eq!(text.matches("\n  has ").count(), 1, "{text}");
    assert!(!text.contains("Mother") && text.lines().all(|line| line.chars().count() < 120), "{text}");
    assert!(place.ok("devices list --json").is_ascii());
}

#[test]
fn without_an_id_nobody_is_let_in_unseen() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    assert!(place.fails(1, "devices approve").contains("no device asks"));
    assert!(place.fails(1, "devices approve --latest").contains("no device asks"));
    let first = gateway.ask(PHONE, Role::Node, &[]);
    let done = place.run(&["devices", "approve"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains(&first) && done.err.contains("devices approve ID"), "{done:?}");
    assert!(place.fails(1, "devices approve --json").contains("devices approve ID"));
    assert_eq!(read(&place.ok("devices list --json"))["paired"], json!([]));
    gateway.ask(LAPTOP, Role::Node, &[]);
    let done = read(&place.ok("devices approve --latest --json"));
    assert_eq!(done["device"]["deviceId"], id_of(LAPTOP));
    assert!(!done.to_string().contains(&gateway.enter(LAPTOP, Role::Node, &[])), "no token");
}

/// The program at a terminal, with what its owner types there.
fn at_a_terminal(place: &Place, words: &str, typed: &str) -> String {
    use std::io::Write;
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &format!("{} {words}", env!("CARGO_BIN_EXE_dmgate")), "/dev/null"]);
    script.env_clear().env("HOME", place.home()).env("PATH", std::env::var_os("PATH").unwrap());
    let pipes = [std::process::Stdio::piped(), std::process::Stdio::piped()];
    let [stdin, stdout] = pipes;
    let mut child = script.stdin(stdin).stdout(stdout).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn at_a_terminal_the_request_is_shown_and_the_owner_is_asked() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let request = gateway.ask(PHONE, Role::Node, &[]);
    for no in ["n\n", "\n", "yeah\n"] {
        let said = at_a_terminal(&place, "devices approve", no);
        assert!(said.contains(&request) && said.contains("nothing was approved"), "{said}");
    }
    assert_eq!(read(&place.ok("devices list --json"))["paired"], json!([]));
    let said = at_a_terminal(&place, "devices approve", "y\n");
    assert!(said.contains("asks for  +node") && said.contains("Approved device"), "{said}");
    gateway.enter(PHONE, Role::Node, &[]);
}

#[test]
fn requests_are_named_whole() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let request = gateway.ask(PHONE, Role::Node, &[]);
    for wrong in [&request[..8], "x", "\u{202e}"] {
        for what in ["approve", "reject"] {
            let said = place.fails(1, &format!("devices {what} {wrong}"));
            assert!(said.contains("unknown requestId") && said.contains("`dmgate devices list`"), "{said}");
        }
    }
    place.fails_with(2, &["devices", "approve", " "]);
    let done = read(&place.ok(&format!("devices reject {request} --json")));
    assert_eq!(done, json!({ "requestId": request, "deviceId": id_of(PHONE) }));
    place.fails(1, &format!("devices reject {request}"));
    let request = gateway.ask(PHONE, Role::Node, &[]);
    assert_eq!(
        place.ok(&format!("devices reject {request}")),
        format!("Rejected device {}.\n", id_of(PHONE))
    );
}

#[test]
fn devices_are_named_by_their_beginning() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    place.ok(&format!("devices approve {}", gateway.ask(PHONE, Role::Node, &[])));
    let device = id_of(PHONE);
    for wrong in ["402e48b", "402e48bz", "", &format!("{device}0")] {
        assert!(place.fails_with(2, &["devices", "remove", wrong]).contains("no device id"), "{wrong}");
    }
    let other = if device.starts_with('0') { '1' } else { '0' };
    for unknown in [format!("{other}{}", &device[1..12]), format!("{other}{}", &device[1..])] {
        assert!(place.fails(1, &format!("devices remove {unknown}")).contains("unknown deviceId"));
    }
    let typed = device[..8].to_uppercase();
    assert_eq!(read(&place.ok(&format!("devices remove {typed} --json"))), json!({ "deviceId": device }));
    assert!(place.fails(1, &format!("devices remove {device}")).contains("unknown deviceId"));
}

#[test]
fn i17_a_token_is_rotated_and_a_role_revoked() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let scopes = &["operator.read", "operator.pairing"];
    place.ok(&format!("devices approve {}", gateway.ask(LAPTOP, Role::Operator, scopes)));
    let old = gateway.enter(LAPTOP, Role::Operator, &[]);
    let of = format!("--device {} --role operator", &id_of(LAPTOP)[..12]);
    let done = read(&place.ok(&format!("devices rotate {of} --scope operator.read")));
    assert_eq!((&done["role"], &done["scopes"]), (&json!("operator"), &json!(["operator.read"])));
    assert!(done["rotatedAtMs"].is_i64() && done["deviceId"] == id_of(LAPTOP), "{done}");
    let new = done["token"].as_str().unwrap().to_owned();
    assert_eq!([&old, &new].map(|token| gateway.lets_in(LAPTOP, Role::Operator, token)), [false, true]);
    for more in ["operator.admin", "operator.read,operator.admin"] {
        assert!(place.fails(1, &format!("devices rotate {of} --scope {more}")).contains("rotation denied"));
    }
    place.fails(2, &format!("devices rotate {of} --scope Ä"));
    place.fails(2, &format!("devices rotate {} --role boss", &of[..21]));
    place.fails(1, &format!("devices rotate {} --role node", &of[..21]));
    let done = read(&place.ok(&format!("devices revoke {of}")));
    assert!(done["revokedAtMs"].is_i64(), "{done}");
    assert!(!gateway.lets_in(LAPTOP, Role::Operator, &new));
    place.fails(1, &format!("devices rotate {of}"));
    assert!(place.ok("devices list").contains("operator with operator.read (revoked)"));
}

#[test]
fn all_are_cleared_only_if_that_is_meant() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    place.ok(&format!("devices approve {}", gateway.ask(PHONE, Role::Node, &[])));
    let request = gateway.ask(LAPTOP, Role::Node, &[]);
    assert!(place.fails(1, "devices clear --pending").contains("--yes"));
    let done = read(&place.ok("devices clear --yes --json"));
    assert_eq!(done, json!({ "removedDevices": [id_of(PHONE)], "rejectedPending": [] }));
    assert_eq!(read(&place.ok("devices list --json"))["pending"][0]["requestId"], request.as_str());
    assert_eq!(place.ok("devices clear --yes --pending"), "Removed devices: 0. Rejected requests: 1.\n");
    assert_eq!(place.ok("devices list"), "No device is paired, and none asks to be.\n");
}

#[test]
fn i7_a_damaged_file_is_told_and_hides_nothing_else() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let request = gateway.ask(PHONE, Role::Node, &[]);
    let paired = place.state().join("devices/paired.json");
    std::fs::write(&paired, "{").unwrap();
    for line in ["devices list", "devices list --json"] {
        let done = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 3, "{done:?}");
        assert!(done.out.contains(&request) && done.err.contains("paired.json"), "{done:?}");
    }
    place.fails(3, &format!("devices approve {request}"));
    place.fails(3, "devices clear --yes");
    assert_eq!(std::fs::read_to_string(&paired).unwrap(), "{");
}

#[test]
fn a_bad_configuration_locks_no_owner_out() {
    let place = Place::new();
    let gateway = Gateway::at(&place);
    let request = gateway.ask(PHONE, Role::Node, &[]);
    place.configure("nonsense");
    place.ok(&format!("devices approve {request}"));
    assert!(Place::new().fails(3, "devices list").contains("dmgate run"));
}
