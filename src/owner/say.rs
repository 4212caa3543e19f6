//! What the owner reads.

use crate::device::{BOOTSTRAP_TTL, Description, Device, DeviceRequest, Devices, GatewayUrl};
use crate::message::escape;

/// The most requests in one answer.
const MOST_LISTED: usize = 8;

pub(super) const HELP: &str = "What I understand:\n\
    /pair – a setup code for a new device\n\
    /pair qr – the same as a picture to scan\n\
    /pair pending – the devices that wait\n\
    /pair approve [id or latest] – lets one in\n\
    /pair reject [id or latest] – does not\n\
    /pair cleanup – setup codes that were given out work no more\n\
    /pair notify on, off, once or status – whether you are told of new requests";

pub(super) const NOBODY: &str =
    "No device waits. A request waits for five minutes after its device last asked.";

pub(super) const UNKNOWN: &str = "No such request waits: it expired, was decided, or its device asks for something else now. See /pair pending.";

pub(super) const TROUBLE: &str =
    "That can't be done now: the files about devices can't be used. `dmgate doctor` says what mends them.";

/// What to do with a setup code, as text.
pub(super) fn code(url: &GatewayUrl, follows: &str) -> String {
    let minutes = BOOTSTRAP_TTL.as_secs() / 60;
    format!(
        "To pair a device, enter {follows} in its app as the setup code. It works for {minutes} minutes and for one \
         device, and leads to {url}\n\nThe device then waits for you: /pair pending shows it, /pair approve lets it in. \
         Whoever has the code can ask, so pass it to nobody else."
    )
}

/// What is written below a picture.
pub(super) fn caption(url: &GatewayUrl) -> String {
    let minutes = BOOTSTRAP_TTL.as_secs() / 60;
    format!(
        "Scan this with the device's app within {minutes} minutes. It leads to {url}; then /pair pending and /pair approve."
    )
}

/// The requests that wait, the last one first, and which of them are in the text.
pub(super) fn list<'a>(waiting: &[&'a DeviceRequest], devices: &Devices) -> (String, Vec<&'a DeviceRequest>) {
    let listed: Vec<_> = waiting.iter().rev().take(MOST_LISTED).copied().collect();
    let entries: Vec<String> = listed.iter().map(|request| entry(request, devices)).collect();
    let mut text = entries.join("\n\n");
    match waiting.len() - listed.len() {
        0 => {}
        more => text += &format!("\n\nAnd {more} that asked before; `dmgate devices list` shows all."),
    }
    (text, listed)
}

/// One request: its id, who asks, what for, and how that differs from what it has.
pub(super) fn entry(request: &DeviceRequest, devices: &Devices) -> String {
    let DeviceRequest { id, description, role, scopes, .. } = request;
    let key: String = request.device_id.to_string().chars().take(16).collect();
    let from = request.remote_ip.as_deref().map_or("this machine".to_owned(), escape);
    let rights = if scopes.is_empty() { "no scopes".to_owned() } else { format!("scopes {scopes}") };
    let standing = match devices.device(&request.device_id) {
        None => "new".to_owned(),
        Some(device) => differences(request, device),
    };
    format!(
        "{}\n{}, device {key}…\nasks to be {role} with {rights}, from {from}\n{standing}",
        escape(id.as_str()),
        who(description)
    )
}

/// What a device says it is.
pub(super) fn who(description: &Description) -> String {
    let Description { display_name, platform, device_family, client_id, .. } = description;
    let name = display_name.as_deref().map_or("a device without a name".to_owned(), quoted);
    let facts = [platform, device_family, client_id].into_iter().flatten();
    let facts: Vec<String> = facts.map(|fact| quoted(fact)).collect();
    if facts.is_empty() { name } else { format!("{name} ({})", facts.join(", ")) }
}

/// What a paired device would have that it has not.
fn differences(request: &DeviceRequest, device: &Device) -> String {
    let mut new = Vec::new();
    if !device.may_be(request.role) {
        new.push(format!("the role {}", request.role));
    }
    let approved = device.approved();
    let missing = request.scopes.iter().filter(|scope| !approved.allow(scope.as_str()));
    new.extend(missing.map(|scope| format!("the scope {scope}")));
    let (now, then) = (&request.description, &device.description);
    for (now, then) in [(&now.platform, &then.platform), (&now.device_family, &then.device_family)] {
        if let (true, Some(then)) = (now != then, then) {
            let now = now.as_deref().map_or("nothing".to_owned(), quoted);
            new.push(format!("it says that it is {now} and not {}", quoted(then)));
        }
    }
    let has = if approved.is_empty() { "no scopes".to_owned() } else { format!("scopes {approved}") };
    let new = if new.is_empty() { "nothing but another token".to_owned() } else { new.join(", ") };
    format!("paired already with {has}; new: {new}")
}

/// A text that a device chose, in marks that it can't end.
fn quoted(text: &str) -> String {
    format!("“{}”", escape(text).replace(['“', '”', '"'], "'"))
}
