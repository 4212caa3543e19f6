//! The owner's commands about devices at another gateway, OpenClaw's real one and ours; and both programs on the same files
//! in turn.

use std::path::Path;

use dmgate_test_peers::{OpenClaw, free_port};
use serde_json::{Value, json};

use crate::program::Program;

const TOKEN: &str = "the-token-of-the-story";

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn file(state: &Path, name: &str) -> Value {
    std::fs::read_to_string(state.join(name)).map_or_else(|_| json!({}), |text| read(&text))
}

/// A request, as OpenClaw writes one that came from another machine.
fn write_request(state: &Path, id: &str, (device, public_key): (&str, &str), role: &str, scopes: &[&str]) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let mut pending = file(state, "devices/pending.json");
    pending[id] = json!({
        "requestId": id, "deviceId": device, "publicKey": public_key, "displayName": "Kitchen", "platform": "linux",
        "clientId": "node-host", "clientMode": "node", "role": role, "roles": [role], "scopes": scopes, "remoteIp": "192.168.1.9",
        "silent": false, "isRepair": false, "ts": u64::try_from(now).unwrap(), "later": { "kept": true },
    });
    std::fs::create_dir_all(state.join("devices")).unwrap();
    std::fs::write(state.join("devices/pending.json"), serde_json::to_string_pretty(&pending).unwrap())
        .unwrap();
}

/// The id of a device with this key of 32 bytes in base64url.
const DEVICES: [(&str, &str); 2] = [
    (
        "72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
    ),
    (
        "75877bb41d393b5fb8455ce60ecd8dda001d06316496b14dfa7f895656eeca4a",
        "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI",
    ),
];

#[test]
fn our_commands_decide_at_openclaws_gateway() {
    let program = Program::configured("[gateway]\n");
    let theirs = tempfile::tempdir().unwrap();
    let gateway = OpenClaw::at(theirs.path()).gateway(TOKEN);
    let (url, state) = (gateway.url.as_str(), theirs.path());
    let [(kitchen, _), (hall, _)] = DEVICES;
    let there = |words: &[&str]| program.done(&[words, &["--url", url]].concat());

    let said = program.owner(&["devices", "list", "--url", url]);
    assert!(said.code == 2 && said.stderr.contains("--token"), "{}", said.stderr);
    let said = program.owner(&["devices", "list", "--url", url, "--token", "wrong"]);
    assert!(said.code == 1 && said.stderr.contains("AUTH_TOKEN_MISMATCH"), "{}", said.stderr);
    assert!(!said.stderr.contains("wrong"), "{}", said.stderr);

    // Its gateway lets a client of the same machine in, and gives it a token: ours keeps it, and needs no other again.
    program.done(&["devices", "list", "--url", url, "--token", TOKEN]);
    let listed = read(&there(&["devices", "list", "--json"]));
    let own = listed["paired"][0]["deviceId"].as_str().unwrap().to_owned();
    assert_eq!(listed["paired"][0]["clientId"], "cli");
    let kept = std::fs::read_to_string(program.state().join("identity/device-auth.json")).unwrap();
    assert!(
        !kept.contains(TOKEN) && file(&program.state(), "identity/device.json")["deviceId"] == own.as_str()
    );

    // A plain node would not do: its gateway gives none another token.
    write_request(state, "request-1", DEVICES[0], "operator", &["operator.read"]);
    write_request(state, "request-2", DEVICES[1], "node", &[]);
    let text = there(&["devices", "list"]);
    assert!(text.contains("request-1") && text.contains("asks for  +operator with +operator.read"), "{text}");
    let approved = read(&there(&["devices", "approve", "request-1", "--json"]));
    assert_eq!(
        (&approved["requestId"], &approved["device"]["deviceId"]),
        (&json!("request-1"), &json!(kitchen))
    );
    assert_eq!(read(&there(&["devices", "reject", "request-2", "--json"]))["deviceId"], hall);
    let said = program.owner(&["devices", "approve", "request-2", "--url", url]);
    assert!(said.code == 1 && said.stderr.contains("unknown requestId"), "{}", said.stderr);

    let old = file(state, "devices/paired.json")[kitchen]["tokens"]["operator"]["token"].clone();
    let rotated = read(&there(&["devices", "rotate", "--device", &kitchen[..8], "--role", "operator"]));
    assert!(rotated["token"].is_string() && rotated["token"] != old, "{rotated}");
    assert_eq!(file(state, "devices/paired.json")[kitchen]["tokens"]["operator"]["token"], rotated["token"]);
    let revoked = read(&there(&["devices", "revoke", "--device", kitchen, "--role", "operator"]));
    assert!(revoked["revokedAtMs"].is_i64(), "{revoked}");
    assert!(there(&["devices", "list"]).contains("operator with operator.read (revoked)"));
    there(&["devices", "remove", &kitchen[..12]]);
    assert_eq!(file(state, "devices/paired.json").as_object().unwrap().len(), 1);

    // The older records of nodes: ours lists no token, though its gateway tells them.
    let nodes = json!({ "n1": { "nodeId": "n1", "token": "hush", "createdAtMs": 1, "approvedAtMs": 1 } });
    std::fs::create_dir_all(state.join("nodes")).unwrap();
    std::fs::write(state.join("nodes/paired.json"), nodes.to_string()).unwrap();
    let listed = there(&["nodes", "list", "--json"]);
    assert!(listed.contains("\"n1\"") && !listed.contains("hush"), "{listed}");
    assert_eq!(there(&["nodes", "rename", "--node", "n1", "--name", "Hall"]), "Node n1 is called Hall.\n");
}

#[test]
fn the_files_about_devices_are_worked_on_by_both_in_turn() {
    let program = Program::configured("[store]\nshared_with_openclaw = true\n");
    let state = program.state();
    let [(kitchen, _), (hall, _)] = DEVICES;

    // Made by it, approved by ours; what ours does not know stays.
    write_request(&state, "request-1", DEVICES[0], "node", &[]);
    write_request(&state, "request-2", DEVICES[1], "node", &[]);
    program.done(&["devices", "approve", "request-1"]);
    assert_eq!(file(&state, "devices/pending.json")["request-2"]["later"], json!({ "kept": true }));

    // Its own gateway, with its own command line, sees what ours did, and approves the other.
    let neighbour = OpenClaw::at(&state);
    let gateway = neighbour.gateway(TOKEN);
    let theirs = |words: &[&str]| {
        let output = neighbour.cli(&[words, &["--url", &gateway.url, "--token", TOKEN, "--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        read(&String::from_utf8(output.stdout).unwrap())
    };
    let listed = theirs(&["devices", "list"]);
    let paired = listed["paired"].as_array().unwrap();
    assert!(
        paired.iter().any(|one| one["deviceId"] == kitchen && one["displayName"] == "Kitchen"),
        "{listed}"
    );
    assert_eq!(listed["pending"][0]["requestId"], "request-2");
    let before = file(&state, "devices/paired.json")[kitchen].clone();
    theirs(&["devices", "approve", "request-2"]);
    assert_eq!(
        file(&state, "devices/paired.json")[kitchen],
        before,
        "what ours wrote went through it unchanged"
    );

    // And ours what it did, with its own identity in the same directory.
    let listed = read(&program.done(&["devices", "list", "--json"]));
    assert_eq!(listed["paired"].as_array().unwrap().len(), 3, "{listed}");
    let before = file(&state, "devices/paired.json")[hall].clone();
    program.done(&["devices", "revoke", "--device", kitchen, "--role", "node"]);
    assert_eq!(file(&state, "devices/paired.json")[hall], before);
    let listed = theirs(&["devices", "list"]);
    let paired = listed["paired"].as_array().unwrap();
    let revoked = paired.iter().find(|one| one["deviceId"] == kitchen).unwrap();
    assert!(revoked["tokens"][0]["revokedAtMs"].is_i64(), "{revoked}");
    program.done(&["devices", "remove", kitchen]);
    theirs(&["devices", "remove", hall]);
    assert_eq!(read(&program.done(&["devices", "list", "--json"]))["paired"].as_array().unwrap().len(), 1);
}

#[test]
fn our_commands_decide_at_another_gateway_of_ours_once_its_owner_said_so() {
    let port = free_port();
    let listen = format!("[gateway]\ntoken = \"{TOKEN}\"\nlisten = \"127.0.0.1:{port}\"\n");
    let (mut there, here) = (Program::configured(&listen), Program::configured("[gateway]\n"));
    there.run(&["webchat"]);
    let url = format!("ws://127.0.0.1:{port}");
    let refused = |more: &[&str]| {
        let said = here.owner(&[&["devices", "list", "--url", &url][..], more].concat());
        assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
        said.stderr
    };

    // Nobody is let in unasked, also not from the same machine.
    let said = refused(&["--token", TOKEN]);
    let listed = read(&there.done(&["devices", "list", "--json"]));
    let request = listed["pending"][0]["requestId"].as_str().unwrap();
    assert!(said.contains(&format!("`devices approve {request}`")), "{said}");
    there.done(&["devices", "approve", request]);
    here.done(&["devices", "list", "--url", &url, "--token", TOKEN]);

    // From then on it has a token of its own, and decides while the gateway runs.
    let [(kitchen, _), (hall, _)] = DEVICES;
    write_request(&there.state(), "request-1", DEVICES[0], "node", &[]);
    write_request(&there.state(), "request-2", DEVICES[1], "node", &[]);
    let decide = |words: &[&str]| read(&here.done(&[words, &["--url", &url, "--json"]].concat()));
    assert_eq!(decide(&["devices", "approve", "request-1"])["device"]["deviceId"], kitchen);
    assert_eq!(
        decide(&["devices", "reject", "request-2"]),
        json!({ "requestId": "request-2", "deviceId": hall })
    );
    let rotated = decide(&["devices", "rotate", "--device", &kitchen[..8], "--role", "node"]);
    let kept = &file(&there.state(), "devices/paired.json")[kitchen]["tokens"]["node"]["token"];
    assert_eq!(&rotated["token"], kept);
    assert!(decide(&["devices", "revoke", "--device", kitchen, "--role", "node"])["revokedAtMs"].is_i64());
    assert_eq!(decide(&["devices", "remove", kitchen]), json!({ "deviceId": kitchen }));
    assert_eq!(decide(&["nodes", "list"]), json!({ "pending": [], "paired": [] }));

    // Revoked there, it is out here; with the gateway's token it may ask again, and no more.
    let own = decide(&["devices", "list"])["paired"][0]["deviceId"].as_str().unwrap().to_owned();
    there.done(&["devices", "revoke", "--device", &own, "--role", "operator"]);
    assert!(refused(&[]).contains("good there no more"));
    assert!(refused(&["--token", TOKEN]).contains("devices approve"));
    there.end();
}
