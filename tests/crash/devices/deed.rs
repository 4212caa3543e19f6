//! What is done to devices and nodes while something goes wrong, the state it begins from, and what is there afterwards.

use std::path::Path;

use dmgate::device::{
    Approver, Ask, Connected, Credential, Description, Device, DeviceId, DeviceRequestId, DeviceStore,
    Identity, NodeAsk, NodeStore, PublicKey, Role, Scopes,
};
use dmgate::store::FileOptions;
use dmgate::testing::ManualClock;

use crate::deed::{NOW, actor, all};

/// One transaction of each kind, on the state that [`begin`] makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    /// A stranger asks.
    Ask,
    /// A phone asks by a setup code, which serves it alone from then on.
    Bind,
    /// A phone that was approved comes in by its code, which is dead then.
    Come,
    /// A node is let in without a question.
    Unasked,
    Approve,
    /// Of a device that has another role already.
    ApproveMore,
    Reject,
    Remove,
    Clear,
    ClearRequests,
    Rotate,
    Revoke,
    Invite,
    Cancel,
    NodeAsk,
    NodeApprove,
    NodeReject,
    NodeRename,
}

pub(crate) const DEEDS: [Deed; 18] = [
    Deed::Ask,
    Deed::Bind,
    Deed::Come,
    Deed::Unasked,
    Deed::Approve,
    Deed::ApproveMore,
    Deed::Reject,
    Deed::Remove,
    Deed::Clear,
    Deed::ClearRequests,
    Deed::Rotate,
    Deed::Revoke,
    Deed::Invite,
    Deed::Cancel,
    Deed::NodeAsk,
    Deed::NodeApprove,
    Deed::NodeReject,
    Deed::NodeRename,
];

/// Everything that decides, as it is seen by who opens the files now. Of a token it is told whether it is the first one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) paired: Vec<String>,
    pub(crate) waiting: Vec<String>,
    pub(crate) codes: Vec<String>,
    pub(crate) nodes: Vec<String>,
    pub(crate) asking: Vec<String>,
}

pub(crate) struct Stores {
    pub(crate) devices: DeviceStore,
    pub(crate) nodes: NodeStore,
}

pub(crate) fn open(state: &Path) -> Stores {
    let options = FileOptions { watch: all(), ..FileOptions::new(state) };
    let world = ManualClock::at(NOW).world();
    let devices = DeviceStore::open(options.clone(), world.clone()).unwrap();
    Stores { devices, nodes: NodeStore::open(options, world).unwrap() }
}

fn id(device: u8) -> DeviceId {
    PublicKey::from_bytes([device; 32]).device_id()
}

pub(crate) fn ask(device: u8, role: Role, scopes: &[&str]) -> Ask {
    Ask {
        identity: Identity::unproven(PublicKey::from_bytes([device; 32])),
        role,
        scopes: Scopes::parse(scopes.iter().copied()).unwrap(),
        description: Description::default(),
        remote_ip: None,
        is_trusted_network: false,
    }
}

/// 1 is an operator, asks to be a node by a code that is bound to it, and is not known as that; 2 waits by a code that is
/// bound to it; 3 was approved and has not come yet, by a code. One code is free. Of the nodes `in` is in, `waits` waits.
pub(crate) async fn begin(state: &Path) {
    let Stores { devices, nodes } = &open(state);
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(devices.invite(actor()).await.unwrap().token.reveal().to_owned());
    }
    let note = std::fs::File::create(state.join("codes"));
    note.and_then(|mut file| std::io::Write::write_all(&mut file, codes.join("\n").as_bytes())).unwrap();
    let by_code = |code: usize| Credential::Bootstrap(codes[code].clone());
    devices.connect(ask(1, Role::Operator, &["operator.read"]), Credential::Secret).await.unwrap();
    devices.approve(request_of(state, 1), Approver::Owner, actor()).await.unwrap();
    devices.connect(ask(1, Role::Node, &[]), by_code(0)).await.unwrap();
    devices.connect(ask(2, Role::Node, &[]), by_code(1)).await.unwrap();
    devices.connect(ask(3, Role::Node, &[]), by_code(2)).await.unwrap();
    devices.approve(request_of(state, 3), Approver::Owner, actor()).await.unwrap();
    for node in ["in", "waits"] {
        let asked = nodes.request(node_ask(node)).await.unwrap().unwrap().0;
        if node == "in" {
            nodes.approve(asked.id, actor()).await.unwrap();
        }
    }
}

fn node_ask(node: &str) -> NodeAsk {
    NodeAsk { node_id: node.into(), ..NodeAsk::default() }
}

fn code(state: &Path, number: usize) -> Credential {
    let codes = std::fs::read_to_string(state.join("codes")).unwrap();
    Credential::Bootstrap(codes.lines().nth(number).unwrap().to_owned())
}

/// The request of a device or node, as the file says it; one that there is not where it says nothing.
fn request_in(state: &Path, file: &str, key: &str, whose: &str) -> DeviceRequestId {
    let text = std::fs::read_to_string(state.join(file)).unwrap_or_else(|_| "{}".into());
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entries = document.as_object().unwrap();
    let found = entries.iter().find(|(_, request)| request[key] == whose);
    DeviceRequestId::typed(found.map_or("none", |(id, _)| id))
}

pub(crate) fn request_of(state: &Path, device: u8) -> DeviceRequestId {
    request_in(state, "devices/pending.json", "deviceId", &id(device).to_string())
}

/// Does it; `Ok` is what the caller was told.
pub(crate) async fn act(stores: &Stores, state: &Path, deed: Deed) -> Result<(), String> {
    let Stores { devices, nodes } = stores;
    let owner = Approver::Owner;
    let node = |device| ask(device, Role::Node, &[]);
    let waits = || request_in(state, "nodes/pending.json", "nodeId", "waits");
    match deed {
        Deed::Ask => asked(devices.connect(node(5), Credential::Secret).await),
        Deed::Bind => asked(devices.connect(node(5), code(state, 3)).await),
        Deed::Come => came(devices.connect(node(3), code(state, 2)).await),
        Deed::Unasked => {
            let ask = Ask { is_trusted_network: true, ..node(5) };
            came(devices.connect(ask, Credential::Secret).await)
        }
        Deed::Approve => said(devices.approve(request_of(state, 2), owner, actor()).await),
        Deed::ApproveMore => said(devices.approve(request_of(state, 1), owner, actor()).await),
        Deed::Reject => said(devices.reject(request_of(state, 2), owner, actor()).await),
        Deed::Remove => said(devices.remove(id(1), owner, actor()).await),
        Deed::Clear => said(devices.clear(false, owner, actor()).await),
        Deed::ClearRequests => said(devices.clear(true, owner, actor()).await),
        Deed::Rotate => said(devices.rotate(id(1), Role::Operator, None, owner, actor()).await),
        Deed::Revoke => said(devices.revoke(id(1), Role::Operator, owner, actor()).await),
        Deed::Invite => said(devices.invite(actor()).await),
        Deed::Cancel => said(devices.cancel_invitations(actor()).await),
        Deed::NodeAsk => said(nodes.request(node_ask("new")).await),
        Deed::NodeApprove => said(nodes.approve(waits(), actor()).await),
        Deed::NodeReject => said(nodes.reject(waits(), actor()).await),
        Deed::NodeRename => said(nodes.rename("in".into(), "Ann's".into(), actor()).await),
    }
}

fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

fn asked<E: std::fmt::Display>(result: Result<Connected, E>) -> Result<(), String> {
    match result {
        Ok(Connected::Pairing { request: Some(_), .. }) => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn came<E: std::fmt::Display>(result: Result<Connected, E>) -> Result<(), String> {
    match result {
        Ok(Connected::In(_)) => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn name(device: &DeviceId) -> String {
    (1_u8..9).find(|number| id(*number) == *device).map_or("?".into(), |number| number.to_string())
}

fn paired(device: &Device) -> String {
    let grants: Vec<String> = device
        .tokens
        .iter()
        .map(|(role, grant)| {
            let renewed = if grant.rotated_at.is_some() { " anew" } else { "" };
            let revoked = if grant.revoked_at.is_some() { " revoked" } else { "" };
            format!("{role} {}{renewed}{revoked}", grant.scopes)
        })
        .collect();
    format!("{}: {} of {}", name(&device.device_id), grants.join(", "), device.approved())
}

pub(crate) async fn look(stores: &Stores) -> Seen {
    let view = stores.devices.view();
    assert!(view.paired_fault.is_none() && view.pending_fault.is_none() && view.bootstrap_fault.is_none());
    let known = &view.devices;
    let nodes = stores.nodes.load().await.unwrap();
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    Seen {
        paired: sorted(known.paired.iter().map(paired).collect()),
        waiting: sorted(
            known
                .pending
                .iter()
                .map(|it| format!("{}: {} {}", name(&it.device_id), it.role, it.scopes))
                .collect(),
        ),
        codes: sorted(
            known.bootstrap.iter().map(|it| it.device_id.as_ref().map_or("free".into(), name)).collect(),
        ),
        nodes: sorted(
            nodes.paired.iter().map(|it| format!("{} {:?}", it.ask.node_id, it.ask.display_name)).collect(),
        ),
        asking: sorted(nodes.pending.iter().map(|it| it.ask.node_id.clone()).collect()),
    }
}
