//! What changes in the files, whoever changes it: sockets that do not stand any more end, operators are told who asks and
//! what was decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use dmgate::device::{DeviceRequest, DeviceView, Devices, NodeRequest, Nodes, PAIRING};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Gate, frame, listing};

/// Who waits, as operators know it.
type Waiting<T> = BTreeMap<String, T>;

/// Watches the files until the end.
pub(crate) async fn keep(gate: Arc<Gate>, closing: CancellationToken) {
    let watching = async { tokio::join!(devices(&gate), nodes(&gate)) };
    tokio::select! {
        _ = watching => {}
        () = closing.cancelled() => {}
    }
}

async fn devices(gate: &Arc<Gate>) {
    let mut known: Option<Waiting<DeviceRequest>> = None;
    loop {
        let (revision, view) = gate.look().await;
        gate.live.end_unless(|session| stands(&view, session));
        if let Some(fault) = &view.paired_fault {
            tracing::warn!("no device is let in: {fault}");
        }
        if view.pending_fault.is_none() {
            let now = of_devices(&view.devices, gate);
            if let Some(known) = &known {
                announce_devices(gate, known, &now, &view.devices);
            }
            known = Some(now);
        }
        tokio::select! {
            () = gate.store.changed(revision) => {}
            () = gate.poke.notified() => {}
        }
    }
}

/// Whether a live session stands; where nobody is known to be paired, none does.
pub(crate) fn stands(view: &DeviceView, session: &dmgate::device::Session) -> bool {
    view.paired_fault.is_none() && view.devices.stands(session)
}

fn of_devices(devices: &Devices, gate: &Gate) -> Waiting<DeviceRequest> {
    let waiting = devices.waiting(gate.world.clock.now());
    waiting.into_iter().map(|request| (request.id.to_string(), request.clone())).collect()
}

fn announce_devices(
    gate: &Gate,
    before: &Waiting<DeviceRequest>,
    now: &Waiting<DeviceRequest>,
    devices: &Devices,
) {
    let at = gate.world.clock.now();
    for (_, request) in now.iter().filter(|(id, request)| !before.contains_key(*id) && !request.silent) {
        tell(gate, "device.pair.requested", &listing::request(request));
    }
    for (id, request) in before.iter().filter(|(id, _)| !now.contains_key(*id)) {
        let device = devices.device(&request.device_id);
        let is_approved = device.is_some_and(|device| device.approved_at >= request.asked_at);
        let is_superseded = now.values().any(|other| other.device_id == request.device_id);
        // What expired or was replaced was not decided.
        if !is_approved && (is_superseded || !request.is_live(at)) {
            continue;
        }
        let decision = if is_approved { "approved" } else { "rejected" };
        let resolved = json!({
            "requestId": id, "deviceId": request.device_id.to_string(), "decision": decision, "ts": at.as_millis(),
        });
        tell(gate, "device.pair.resolved", &resolved);
    }
}

async fn nodes(gate: &Arc<Gate>) {
    let mut known: Option<Waiting<NodeRequest>> = None;
    loop {
        let revision = gate.nodes.revision();
        if let Ok(nodes) = gate.nodes.load().await {
            let now: Waiting<NodeRequest> =
                nodes.pending.iter().map(|request| (request.id.to_string(), request.clone())).collect();
            if let Some(known) = &known {
                announce_nodes(gate, known, &now, &nodes);
            }
            known = Some(now);
        }
        gate.nodes.changed(revision).await;
    }
}

fn announce_nodes(gate: &Gate, before: &Waiting<NodeRequest>, now: &Waiting<NodeRequest>, nodes: &Nodes) {
    let at = gate.world.clock.now();
    for (_, request) in now.iter().filter(|(id, _)| !before.contains_key(*id)) {
        tell(gate, "node.pair.requested", &listing::node_request(request));
    }
    for (id, request) in before.iter().filter(|(id, _)| !now.contains_key(*id)) {
        let node = nodes.paired.iter().find(|node| node.ask.node_id == request.ask.node_id);
        let is_approved = node.is_some_and(|node| node.approved_at >= request.asked_at);
        let is_expired = request.asked_at.age_at(at) >= dmgate::device::REQUEST_TTL;
        if !is_approved && is_expired {
            continue;
        }
        let decision = if is_approved { "approved" } else { "rejected" };
        let resolved = json!({
            "requestId": id, "nodeId": request.ask.node_id, "decision": decision, "ts": at.as_millis(),
        });
        tell(gate, "node.pair.resolved", &resolved);
    }
}

fn tell(gate: &Gate, event: &str, payload: &Value) {
    gate.live.tell(PAIRING, &frame::event(event, payload).into());
}
