//! `dmgate qr`: setup codes.

use std::os::unix::fs::PermissionsExt as _;

use dmgate::device::SetupCode;
use serde_json::Value;

use crate::place::Place;

const TOKEN: &str = "[gateway]\ntoken = 's3cret'\n";

fn code(text: &str) -> SetupCode {
    SetupCode::decode(text).unwrap()
}

#[test]
fn a_setup_code_says_where_the_gateway_is_and_works_for_ten_minutes() {
    let place = Place::with_config(&format!("{TOKEN}public_url = 'https://gate.example.org'\n"));
    let only = place.ok("qr --setup-code-only");
    assert_eq!((only.lines().count(), code(&only).url()), (1, "wss://gate.example.org"));
    let row: Value = serde_json::from_str(&place.ok("qr --json")).unwrap();
    assert_eq!(
        (row["gatewayUrl"].as_str(), row["auth"].as_str()),
        (Some("wss://gate.example.org"), Some("token"))
    );
    assert_eq!((row["urlSource"].as_str(), row.as_object().unwrap().len()), (Some("gateway.public_url"), 4));
    let made = code(row["setupCode"].as_str().unwrap());
    let kept = std::fs::read_to_string(place.state().join("devices/bootstrap.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let entry = &kept[made.bootstrap_token().reveal()];
    assert_eq!(entry["profile"], serde_json::json!({ "roles": ["node"], "scopes": [] }));
    let issued = entry["issuedAtMs"].as_i64().unwrap();
    assert_eq!(made.expires_at().unwrap().as_millis(), issued + 600_000);
    place.configure("[gateway]\npassword = 's3cret'\npublic_url = 'https://gate.example.org'\n");
    assert!(place.ok("qr --json").contains("\"auth\": \"password\""));
    assert!(!only.contains("s3cret") && !row.to_string().contains("s3cret"));
}

#[test]
fn a_code_is_drawn_and_can_be_a_picture_of_its_owners_alone() {
    let place = Place::with_config(TOKEN);
    let picture = place.home().join("setup.png");
    let done = place.run(&["qr", "--url", "192.168.1.7:18790", "--png", picture.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("█████ ") && done.out.contains("ws://192.168.1.7:18790 (from --url)"),
        "{done:?}"
    );
    assert!(done.err.contains("`dmgate run` is not running"), "{done:?}");
    let text = done.out.lines().find_map(|line| line.strip_prefix("Setup code: ")).unwrap();
    assert_eq!(code(text).url(), "ws://192.168.1.7:18790");
    assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(std::fs::metadata(&picture).unwrap().permissions().mode() & 0o777, 0o600);
    let plain = place.run(&["qr", "--url", "127.0.0.1:18790", "--no-ascii"]);
    assert!(plain.code == 0 && !plain.out.contains('█'), "a tunnel may lead to loopback: {plain:?}");
    place.fails(1, "qr --url 192.168.1.7:18790 --png /nowhere/at/all.png");
}

#[test]
fn what_no_device_could_use_is_refused_with_what_to_do() {
    let place = Place::with_config("");
    assert!(place.fails(2, "qr --url wss://gate.example.org").contains("token_file"));
    place.configure(TOKEN);
    let said = place.fails(2, "qr");
    assert!(said.contains("loopback") && said.contains("--url") && said.contains("public_url"), "{said}");
    assert!(!place.state().join("devices/bootstrap.json").exists(), "what is refused makes nothing");
    for (listen, url) in
        [("192.168.1.7:18790", "ws://192.168.1.7:18790"), ("[fd00::1]:9", "ws://[fd00::1]:9")]
    {
        place.configure(&format!("{TOKEN}listen = '{listen}'\n"));
        assert_eq!(code(&place.ok("qr --setup-code-only")).url(), url);
    }
    place.configure(&format!("{TOKEN}listen = '8.8.8.8:18790'\n"));
    assert!(place.fails(2, "qr").contains("wss://"));
    place.configure(&format!("{TOKEN}public_url = 'http://localhost:9'\n"));
    assert!(place.fails(2, "qr").contains("loopback"));
    assert!(place.fails(2, "qr --url ws://gate.example.org").contains("wss://"));
    assert!(
        !place.state().join("devices/bootstrap.json").exists()
            || place.ok("devices list").contains("No device")
    );
}

/// What the machine's networks are is not ours to choose: it is one address or a question.
#[test]
fn where_every_network_is_listened_on_the_only_private_address_is_taken_or_a_name_asked_for() {
    let place = Place::with_config(&format!("{TOKEN}listen = '0.0.0.0:18790'\n"));
    let done = place.run(&["qr", "--setup-code-only"]);
    if done.code == 0 {
        assert!(code(&done.out).url().ends_with(":18790") && !code(&done.out).url().contains("0.0.0.0"));
    } else {
        assert!(done.code == 2 && done.err.contains("--url"), "{done:?}");
    }
}
