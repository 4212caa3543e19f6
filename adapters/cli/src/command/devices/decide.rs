//! `dmgate devices approve` and `reject`: which request is meant, and what becomes of it.

use std::io::{self, IsTerminal};

use clap::Args;
use dmgate::device::DeviceRequestId;
use dmgate::escape;
use serde_json::Value;

use super::shown::Shown;
use crate::arguments::Where;
use crate::context::Context;
use crate::desk::{Desk, Order};
use crate::failure::Failure;

pub(super) const APPROVE_EXAMPLES: &str = "Examples:
  dmgate devices approve                shows who asks, and asks you
  dmgate devices approve 1f0e2c4a-0a6e-4f0b-9a52-6f7f4f6f2b11
  dmgate devices approve --latest       whoever asked last, unseen";

pub(super) const REJECT_EXAMPLES: &str = "Example:
  dmgate devices reject 1f0e2c4a-0a6e-4f0b-9a52-6f7f4f6f2b11";

/// Lets a device in.
#[derive(Args, Debug)]
pub(crate) struct Approve {
    /// The request; without one it is shown, and you are asked
    #[arg(value_name = "ID", conflicts_with = "latest")]
    id: Option<String>,
    /// The request that was made last
    #[arg(long)]
    latest: bool,
    /// As JSON: `{"requestId", "device"}`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Closes a request.
#[derive(Args, Debug)]
pub(crate) struct Reject {
    /// The request
    #[arg(value_name = "ID")]
    id: String,
    /// As JSON: `{"requestId", "deviceId"}`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Approve {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let desk = Desk::open(&self.place, context)?;
        let id = match &self.id {
            Some(id) => request_id(id)?,
            None => self.choose(&desk, context).await?,
        };
        let done = desk.tell(Order::ApproveDevice(id.clone())).await?;
        if self.json {
            context.terminal.json(&done);
            return Ok(());
        }
        let of = |key: &str| done.get("device").and_then(|device| device.get(key)).and_then(Value::as_str);
        let (device, role) = (of("deviceId").unwrap_or_default(), of("role").unwrap_or_default());
        context.terminal.line(format!("Approved device {} as {}.", escape(device), escape(role)));
        Ok(())
    }

    /// The latest request, or the only one if the owner says yes to it.
    async fn choose(&self, desk: &Desk, context: &mut Context) -> Result<DeviceRequestId, Failure> {
        let listing = desk.devices().await?;
        let shown = Shown::read(&listing.told)?;
        let Some(latest) = shown.pending.first() else {
            let nobody = || Failure::refused("no device asks to be paired");
            return Err(listing.trouble.unwrap_or_else(nobody));
        };
        if self.latest {
            return Ok(DeviceRequestId::typed(&latest.request_id));
        }
        if self.json || shown.pending.len() > 1 || !io::stdin().is_terminal() {
            for asking in shown.pending.iter().filter(|_| !self.json) {
                context.terminal.line(format!("{}\n", shown.beside(asking)));
            }
            return Err(Failure::refused("name the request that you mean: dmgate devices approve ID"));
        }
        let asking = format!("{}\n\nLet it in with this? [y/N]", shown.beside(latest));
        context.terminal.line(asking);
        context.terminal.flush();
        let mut answer = String::new();
        // Who can't be heard did not say yes.
        let _ = io::stdin().read_line(&mut answer);
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return Ok(DeviceRequestId::typed(&latest.request_id));
        }
        Err(Failure::refused("nothing was approved; the request waits until it expires"))
    }
}

impl Reject {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let id = request_id(&self.id)?;
        let done = Desk::open(&self.place, context)?.tell(Order::RejectDevice(id)).await?;
        if self.json {
            context.terminal.json(&done);
            return Ok(());
        }
        let device = done.get("deviceId").and_then(Value::as_str).unwrap_or_default();
        context.terminal.line(format!("Rejected device {}.", escape(device)));
        Ok(())
    }
}

/// The id of a request as it is typed: whole.
pub(crate) fn request_id(text: &str) -> Result<DeviceRequestId, Failure> {
    let id = DeviceRequestId::typed(text);
    if id.as_str().is_empty() {
        return Err(Failure::usage("the id of a request must not be empty"));
    }
    Ok(id)
}
