//! The files about devices and nodes, whatever their bytes: nobody is in by them who is not written there with that right,
//! a damaged one is as it was, and what others wrote is still there.

use dmgate::device::{
    Approver, Ask, Connected, Credential, Description, Device, DeviceStore, Identity, NodeAsk, NodeStore,
    PublicKey, Role, Scopes,
};
use dmgate::store::FileOptions;
use dmgate::testing::ManualClock;
use serde_json::Value;

use crate::plain::{self, Members};
use crate::scene::{actor, now, put, temp, wait};

const FILES: [&str; 5] = [
    "devices/paired.json",
    "devices/pending.json",
    "devices/bootstrap.json",
    "nodes/paired.json",
    "nodes/pending.json",
];

struct House {
    temp: tempfile::TempDir,
    devices: DeviceStore,
    nodes: NodeStore,
}

/// `data` is the file; a first line of one digit says which. `NOW` stands for the time.
pub fn check(data: &[u8]) {
    let (which, data) = match data {
        [digit @ b'0'..=b'4', b'\n', rest @ ..] => (usize::from(digit - b'0'), rest),
        _ => (0, data),
    };
    let data = String::from_utf8_lossy(data).replace("NOW", &now().as_millis().to_string()).into_bytes();
    let name = FILES[which];
    let house = House::with(name, &data);
    let members = serde_json::from_slice::<Members<'_>>(&data).ok();
    if !house.is_read(name) {
        house.tries_everything();
        assert_eq!(house.file(name), data, "what can't be trusted is overwritten");
        return;
    }
    let Members(members) = members.expect("read, though it is no object");
    let view = house.devices.view();
    for device in &view.devices.paired {
        let raw = members.iter().find(|(key, _)| plain::text(key) == Some(device.device_id.to_string()));
        comes(&house, device, raw.expect("it stands under its id").1);
    }
    house.tries_everything();
    let after = house.file(name);
    let Members(after) = serde_json::from_slice(&after).expect("what was written is an object");
    let known: Vec<String> = house.known(&view);
    for (key, value) in
        members.iter().filter(|(key, _)| !known.contains(&plain::text(key).unwrap_or_default()))
    {
        let is_it = |(other, kept): &&(&str, &str)| plain::text(other) == plain::text(key) && kept == value;
        assert!(after.iter().any(|entry| is_it(&entry)), "lost: {key}: {value}");
    }
}

/// A device that the file has, asked for each right: it has what its token has and what was approved.
fn comes(house: &House, device: &Device, raw: &str) {
    let entry: Value = serde_json::from_str(raw).unwrap();
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    for role in [Role::Node, Role::Operator] {
        let token = &entry["tokens"][role.as_str()];
        let approved =
            if entry["approvedScopes"].is_null() { &entry["scopes"] } else { &entry["approvedScopes"] };
        let (has, approved) = (texts(&token["scopes"]), texts(approved));
        let gives = |held: &[String], right: &str| {
            held.iter().any(|it| {
                it == right
                    || (it == "operator.admin" && right.starts_with("operator."))
                    || (it == "operator.write" && right == "operator.read")
            })
        };
        for right in ["operator.admin", "operator.pairing", "operator.read", "x"] {
            let Some(shown) = token["token"].as_str() else { continue };
            let ask = ask(device.public_key, role, &[right]);
            let connected = wait(house.devices.connect(ask, Credential::Token(shown.to_owned())));
            let is_in = matches!(connected, Ok(Connected::In(_)));
            let may = gives(&has, right) && gives(&approved, right) && token["revokedAtMs"].is_null();
            assert!(!is_in || (may && !shown.is_empty()), "{right} as {role}: {entry}");
        }
    }
    let other = ask(PublicKey::from_bytes([9; 32]), Role::Node, &[]);
    let shown = entry["tokens"]["node"]["token"].as_str().unwrap_or_default().to_owned();
    let is_other = device.public_key != PublicKey::from_bytes([9; 32]);
    let connected = wait(house.devices.connect(other, Credential::Token(shown)));
    assert!(!is_other || !matches!(connected, Ok(Connected::In(_))), "another key: {entry}");
}

fn ask(key: PublicKey, role: Role, scopes: &[&str]) -> Ask {
    Ask {
        identity: Identity::unproven(key),
        role,
        scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
        description: Description { platform: Some("linux".into()), ..Description::default() },
        remote_ip: None,
        is_trusted_network: false,
    }
}

impl House {
    fn with(name: &str, bytes: &[u8]) -> Self {
        let temp = temp();
        let world = ManualClock::at(now().as_millis()).world();
        let options = FileOptions { watch: false, ..FileOptions::new(temp.path()) };
        let devices = DeviceStore::open(options.clone(), world.clone()).unwrap();
        let nodes = NodeStore::open(options, world).unwrap();
        put(&temp.path().join(name), bytes);
        Self { temp, devices, nodes }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.temp.path().join(name)).unwrap_or_default()
    }

    fn is_read(&self, name: &str) -> bool {
        let view = self.devices.view();
        match name {
            "devices/paired.json" => view.paired_fault.is_none(),
            "devices/pending.json" => view.pending_fault.is_none(),
            "devices/bootstrap.json" => view.bootstrap_fault.is_none(),
            _ => wait(self.nodes.load()).is_ok(),
        }
    }

    /// The keys of all that counts for something, and may so be changed.
    fn known(&self, view: &dmgate::device::DeviceView) -> Vec<String> {
        let now = &view.devices;
        let devices = now.paired.iter().map(|it| it.device_id.to_string());
        let requests = now.pending.iter().map(|it| it.id.to_string());
        let codes = now.bootstrap.iter().map(|it| it.token.reveal().to_owned());
        let nine = PublicKey::from_bytes([9; 32]).device_id().to_string();
        devices.chain(requests).chain(codes).chain(self.node_keys()).chain([nine]).collect()
    }

    fn node_keys(&self) -> Vec<String> {
        let file = [self.file(FILES[3]), self.file(FILES[4])];
        let entries = file.iter().filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let is_record = |entry: &Value| entry["nodeId"].is_string();
        entries
            .filter_map(|document| document.as_object().cloned())
            .flatten()
            .filter(|(_, entry)| is_record(entry))
            .map(|(key, _)| key)
            .collect()
    }

    /// Whatever anybody may try. What comes of it is not asked here.
    fn tries_everything(&self) {
        let Self { devices, nodes, .. } = self;
        let key = PublicKey::from_bytes([9; 32]);
        wait(async {
            let _ = devices.connect(ask(key, Role::Node, &[]), Credential::Secret).await;
            let pending = devices.view().devices.pending.clone();
            for request in pending.into_iter().take(4) {
                let _ = devices.approve(request.id, Approver::Owner, actor()).await;
            }
            let paired = devices.view().devices.paired.clone();
            for device in paired.into_iter().take(4) {
                let id = device.device_id;
                let _ = devices.rotate(id, Role::Node, None, Approver::Owner, actor()).await;
                let _ = devices.revoke(id, Role::Operator, Approver::Owner, actor()).await;
                let _ = devices.remove(id, Approver::Owner, actor()).await;
            }
            let _ = devices.invite(actor()).await;
            let _ = devices.cancel_invitations(actor()).await;
            let _ = devices.clear(true, Approver::Owner, actor()).await;
            let new = NodeAsk { node_id: "new".into(), ..NodeAsk::default() };
            if let Ok(Some((asked, _))) = nodes.request(new).await {
                let _ = nodes.approve(asked.id, actor()).await;
            }
            let _ = nodes.rename("n".into(), "x".into(), actor()).await;
        });
    }
}
