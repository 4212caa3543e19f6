//! `dmgate devices remove`, `clear`, `rotate` and `revoke`: what becomes of devices that are in.

use clap::Args;
use dmgate::device::{DeviceId, Scopes};
use serde_json::Value;

use super::shown::{Shown, role};
use crate::arguments::Where;
use crate::context::Context;
use crate::desk::{Desk, Order};
use crate::failure::Failure;

pub(super) const REMOVE_EXAMPLES: &str = "Example:
  dmgate devices remove 402e48bcda25";

pub(super) const CLEAR_EXAMPLES: &str = "Examples:
  dmgate devices clear --yes
  dmgate devices clear --yes --pending";

pub(super) const ROTATE_EXAMPLES: &str = "Examples:
  dmgate devices rotate --device 402e48bcda25 --role node
  dmgate devices rotate --device 402e48bcda25 --role operator --scope operator.read";

pub(super) const REVOKE_EXAMPLES: &str = "Example:
  dmgate devices revoke --device 402e48bcda25 --role node";

/// The shortest beginning of an id that stands for it.
const SHORTEST: usize = 8;

/// Forgets a device.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The id of the device, or its first eight digits or more
    #[arg(value_name = "DEVICE")]
    device: String,
    /// As JSON: `{"deviceId"}`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Forgets all devices.
#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Really
    #[arg(long)]
    yes: bool,
    /// Also close all requests
    #[arg(long)]
    pending: bool,
    /// As JSON: `{"removedDevices": […], "rejectedPending": […]}`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Another token.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    #[command(flatten)]
    of: Of,
    /// What the token may do, of what it might; may be given several times [default: all of it]
    #[arg(long, value_name = "SCOPE", num_args = 1..)]
    scope: Vec<String>,
}

/// A role less.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    #[command(flatten)]
    of: Of,
}

/// Which device, as what. The answer is JSON, with or without `--json`.
#[derive(Args, Debug)]
struct Of {
    /// The id of the device, or its first eight digits or more
    #[arg(long, value_name = "DEVICE")]
    device: String,
    /// `node` or `operator`
    #[arg(long)]
    role: String,
    /// As JSON, as without it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Remove {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let desk = Desk::open(&self.place, context)?;
        let id = find(&self.device, &desk).await?;
        let done = desk.tell(Order::RemoveDevice(id)).await?;
        if self.json {
            context.terminal.json(&done);
        } else {
            context.terminal.line(format!("Removed device {id}."));
        }
        Ok(())
    }
}

impl Clear {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        if !self.yes {
            return Err(Failure::refused("this shuts every device out; say --yes if you mean it"));
        }
        let done = Desk::open(&self.place, context)?.clear(self.pending).await?;
        if self.json {
            context.terminal.json(&done);
            return Ok(());
        }
        let count = |key: &str| done.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        let (devices, requests) = (count("removedDevices"), count("rejectedPending"));
        context.terminal.line(format!("Removed devices: {devices}. Rejected requests: {requests}."));
        Ok(())
    }
}

impl Rotate {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let role = role(&self.of.role)?;
        let scopes = Scopes::parse(self.scope.iter().flat_map(|scope| scope.split(',')).map(str::trim));
        let scopes = scopes.map_err(|error| Failure::usage(error.to_string()))?;
        let desk = Desk::open(&self.of.place, context)?;
        let id = find(&self.of.device, &desk).await?;
        let done = desk.tell(Order::RotateToken(id, role, (!scopes.is_empty()).then_some(scopes))).await?;
        context.terminal.json(&done);
        Ok(())
    }
}

impl Revoke {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let role = role(&self.of.role)?;
        let desk = Desk::open(&self.of.place, context)?;
        let id = find(&self.of.device, &desk).await?;
        let done = desk.tell(Order::RevokeToken(id, role)).await?;
        context.terminal.json(&done);
        Ok(())
    }
}

/// The device that is meant: its id, or the beginning of it and of no other's.
async fn find(typed: &str, desk: &Desk) -> Result<DeviceId, Failure> {
    let typed = typed.trim().to_ascii_lowercase();
    if let Some(id) = DeviceId::parse(&typed) {
        return Ok(id);
    }
    let is_hex = typed.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(SHORTEST..64).contains(&typed.len()) {
        return Err(Failure::usage(format!(
            "`{}` is no device id: 64 hexadecimal digits, or the first {SHORTEST} of them or more",
            dmgate::escape(&typed)
        )));
    }
    let listing = desk.devices().await?;
    let shown = Shown::read(&listing.told)?;
    let ids = shown.paired.iter().map(|paired| paired.who.device_id.as_str());
    let found: Vec<DeviceId> = ids.filter(|id| id.starts_with(&typed)).filter_map(DeviceId::parse).collect();
    match (found.as_slice(), listing.trouble) {
        ([], Some(trouble)) => Err(trouble),
        ([], None) => Err(dmgate::device::DeviceError::UnknownDevice.into()),
        ([id], _) => Ok(*id),
        _ => Err(Failure::refused("several devices begin so; write more of the id")),
    }
}
