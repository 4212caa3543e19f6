//! The owner in chat, where the configuration names one.

use std::sync::Arc;

use dmgate::device::DeviceStore;
use dmgate::owner::Desk;
use dmgate::{Agent, DmGate, World};

use crate::command::qr::reached_at;
use crate::config::Config;
use crate::context::Context;
use crate::failure::Failure;

/// The desk before the agent; `None` where nobody is an owner.
pub(super) fn desk(
    config: &Config,
    context: &Context,
    agent: &Arc<dyn Agent>,
    gate: &DmGate,
) -> Result<Option<Desk>, Failure> {
    if config.owners.is_empty() {
        return Ok(None);
    }
    let devices = DeviceStore::open(context.options_watched(config), World::default())?;
    let url = reached_at(context, config).map_err(|failure| failure.message().to_owned());
    let desk = Desk::new(Arc::clone(agent), gate.clone(), devices, &context.state_dir, url);
    desk.set_owners(config.owners.clone());
    Ok(Some(desk))
}
