//! `dmgate devices`: who asks to be paired, who is, and what the owner says to it.

mod decide;
mod paired;
mod shown;

use clap::{Args, Subcommand};

use crate::arguments::Where;
use crate::context::Context;
use crate::desk::Desk;
use crate::failure::Failure;
pub(crate) use decide::request_id;
use shown::Shown;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate devices list
  dmgate devices approve 1f0e2c4a-0a6e-4f0b-9a52-6f7f4f6f2b11
  dmgate devices revoke --device 402e48bcda25 --role node";

const LIST_EXAMPLES: &str = "Examples:
  dmgate devices list
  dmgate devices list --json
  dmgate devices list --url wss://gate.example.org --token …";

/// Phones and machines that are paired, or ask to be.
#[derive(Subcommand, Debug)]
pub(crate) enum Devices {
    /// List who asks, beside what they have, and who is paired
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Let a device in, with what it asks for
    #[command(after_help = decide::APPROVE_EXAMPLES)]
    Approve(decide::Approve),
    /// Close a request; the device may ask again
    #[command(after_help = decide::REJECT_EXAMPLES)]
    Reject(decide::Reject),
    /// Shut a device out, and forget it
    #[command(after_help = paired::REMOVE_EXAMPLES)]
    Remove(paired::Remove),
    /// Shut all devices out, and forget them
    #[command(after_help = paired::CLEAR_EXAMPLES)]
    Clear(paired::Clear),
    /// Give a device another token, printed once; the one before works no more
    #[command(after_help = paired::ROTATE_EXAMPLES)]
    Rotate(paired::Rotate),
    /// Take a role away from a device, and end its connection
    #[command(after_help = paired::REVOKE_EXAMPLES)]
    Revoke(paired::Revoke),
}

/// Who asks, and who is paired.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// As JSON: `{"pending": […], "paired": […]}`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Devices {
    /// Does it.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.execute(context).await,
            Self::Approve(approve) => approve.execute(context).await,
            Self::Reject(reject) => reject.execute(context).await,
            Self::Remove(remove) => remove.execute(context).await,
            Self::Clear(clear) => clear.execute(context).await,
            Self::Rotate(rotate) => rotate.execute(context).await,
            Self::Revoke(revoke) => revoke.execute(context).await,
        }
    }
}

impl List {
    async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let listing = Desk::open(&self.place, context)?.devices().await?;
        if self.json {
            context.terminal.json(&listing.told);
        } else {
            let shown = Shown::read(&listing.told)?;
            if !shown.is_empty() {
                context.terminal.line(shown);
            } else if listing.trouble.is_none() {
                context.terminal.line("No device is paired, and none asks to be.");
            }
        }
        listing.trouble.map_or(Ok(()), Err)
    }
}
