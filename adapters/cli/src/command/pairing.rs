//! `dmgate pairing`: who waits, and what the owner says to it.

mod decide;
mod list;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate pairing list
  dmgate pairing approve telegram ABCD2345 --notify
  dmgate pairing reject --request 1f2e3d4c5b6a7980 --block";

/// Pending requests.
#[derive(Subcommand, Debug)]
pub(crate) enum Pairing {
    /// List pending requests, oldest first
    #[command(after_help = list::EXAMPLES)]
    List(list::List),
    /// Approve a request: its sender is in from their next message on
    #[command(after_help = decide::APPROVE_EXAMPLES)]
    Approve(decide::Approve),
    /// Close a request; the sender gets no other code within the hour
    #[command(after_help = decide::REJECT_EXAMPLES)]
    Reject(decide::Reject),
}

impl Pairing {
    /// Does it.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.execute(context).await,
            Self::Approve(approve) => approve.execute(context).await,
            Self::Reject(reject) => reject.execute(context).await,
        }
    }
}
