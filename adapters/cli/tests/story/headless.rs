//! Devices: the headless node and the command line of OpenClaw, as they are, at our gateway.

use dmgate_test_peers::{OpenClaw, free_port};
use serde_json::Value;

use crate::program::Program;

const TOKEN: &str = "token-of-the-gateway";

/// Our program with a gateway, and OpenClaw's command line beside it, as an operator on a machine of its own.
struct House {
    program: Program,
    port: u16,
    scratch: tempfile::TempDir,
    operator: OpenClaw,
}

impl House {
    fn open() -> Self {
        let port = free_port();
        let mut program = Program::configured(&format!(
            "[gateway]\nlisten = \"127.0.0.1:{port}\"\ntoken = \"{TOKEN}\"\n[agent]\nkind = \"echo\"\n"
        ));
        program.run(&["webchat"]);
        let scratch = tempfile::tempdir().unwrap();
        let operator = OpenClaw::at(scratch.path().join("operator"));
        Self { program, port, scratch, operator }
    }

    fn machine(&self, name: &str) -> OpenClaw {
        OpenClaw::at(self.scratch.path().join(name))
    }

    /// `openclaw …` at our gateway: what it prints, on success or on failure.
    fn openclaw(&self, arguments: &[&str]) -> Result<String, String> {
        let url = format!("ws://127.0.0.1:{}", self.port);
        let output = self.operator.cli(&[arguments, &["--url", &url, "--token", TOKEN]].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn openclaw_json(&self, arguments: &[&str]) -> Value {
        let said = self.openclaw(&[arguments, &["--json"]].concat()).unwrap();
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    /// The only request, as our own command line lists it: its id and its device.
    fn asked(&self) -> (String, String) {
        let list: Value = serde_json::from_str(&self.program.done(&["devices", "list", "--json"])).unwrap();
        let pending = list["pending"].as_array().unwrap();
        assert_eq!(pending.len(), 1, "{list}");
        let text = |key: &str| pending[0][key].as_str().unwrap().to_owned();
        (text("requestId"), text("deviceId"))
    }

    /// OpenClaw's command line asks for its rights, and our owner gives them.
    fn admit_operator(&self) {
        let refused = self.openclaw(&["devices", "list"]).unwrap_err();
        assert!(refused.contains("pairing required"), "{refused}");
        let (id, _) = self.asked();
        self.program.done(&["devices", "approve", &id]);
    }
}

#[test]
fn a_headless_node_is_let_in_and_sent_away() {
    let mut house = House::open();
    let machine = house.machine("attic");
    let mut node = machine.node(house.port, Some(TOKEN));
    node.await_line(|line| line.contains("pairing required"));
    let (id, device) = house.asked();
    house.program.done(&["devices", "approve", &id]);
    drop(node);

    let node = machine.node(house.port, Some(TOKEN));
    house.program.await_line(|line| line.contains("a device is connected") && line.contains(&device));
    house.admit_operator();
    let nodes = house.openclaw_json(&["nodes", "status"]);
    assert_eq!(
        (&nodes["nodes"][0]["nodeId"], &nodes["nodes"][0]["connected"]),
        (&device.as_str().into(), &true.into())
    );
    drop(node);

    // From now on it needs nothing but its own token.
    let mut node = machine.node(house.port, None);
    house.program.await_line(|line| line.contains("a device is connected") && line.contains(&device));
    let nodes = house.openclaw_json(&["nodes", "status"]);
    assert_eq!(nodes["nodes"][0]["connected"], true, "and it stays");
    house.program.done(&["devices", "revoke", "--device", &device, "--role", "node"]);
    node.await_line(|line| line.contains("closed (4001): device removed"));
    let mut node = machine.node(house.port, None);
    node.await_line(|line| line.contains("device token mismatch"));
    house.program.end();
}

#[test]
fn openclaws_command_line_decides_at_our_gateway() {
    let mut house = House::open();
    house.admit_operator();
    let (attic, cellar) = (house.machine("attic"), house.machine("cellar"));
    let mut node = attic.node(house.port, Some(TOKEN));
    node.await_line(|line| line.contains("pairing required"));
    let (id, device) = house.asked();
    let listed = house.openclaw_json(&["devices", "list"]);
    assert_eq!(
        (&listed["pending"][0]["requestId"], &listed["pending"][0]["deviceId"]),
        (&id.as_str().into(), &device.as_str().into())
    );
    let approved = house.openclaw_json(&["devices", "approve", &id]);
    assert_eq!(approved["device"]["deviceId"], device.as_str());
    drop(node);
    let mut node = attic.node(house.port, Some(TOKEN));
    house.program.await_line(|line| line.contains("a device is connected") && line.contains(&device));

    let mut other = cellar.node(house.port, Some(TOKEN));
    other.await_line(|line| line.contains("pairing required"));
    let (id, _) = house.asked();
    house.openclaw(&["devices", "reject", &id]).unwrap();
    assert!(house.openclaw(&["devices", "reject", &id]).unwrap_err().contains("unknown requestId"));
    let of_node = ["--device", &device, "--role", "node"];
    let rotated = house.openclaw_json(&[&["devices", "rotate"][..], &of_node].concat());
    assert_eq!(rotated["token"].as_str().unwrap().len(), 43);
    for command in ["status", "pending", "list"] {
        house.openclaw(&["nodes", command]).unwrap();
    }
    let revoked = house.openclaw_json(&[&["devices", "revoke"][..], &of_node].concat());
    assert!(revoked["revokedAtMs"].as_i64().unwrap() > 0);
    node.await_line(|line| line.contains("closed (4001): device removed"));
    house.openclaw(&["devices", "remove", &device]).unwrap();
    let listed = house.openclaw_json(&["devices", "list"]);
    assert_eq!(listed["paired"].as_array().unwrap().len(), 1, "the command line itself");
    house.program.end();
}
