//! What lets devices connect, where a secret of the gateway is configured.

use dmgate::World;
use dmgate::device::{DeviceStore, NodeStore};
use dmgate_gateway::{DeviceAccess, Secrets};

use crate::config::Config;
use crate::context::Context;
use crate::failure::Failure;

/// The devices of our state directory; `None` where nobody could show anything.
pub(super) fn access(config: &Config, context: &Context) -> Result<Option<DeviceAccess>, Failure> {
    let gateway = &config.gateway;
    let [token, password] = [&gateway.token, &gateway.password]
        .map(|secret| secret.as_ref().map(crate::config::secret::Secret::reveal).transpose());
    let Some(secrets) = Secrets::new(token?, password?) else { return Ok(None) };
    let options = context.options_watched(config);
    let devices = DeviceStore::open(options.clone(), World::default())?;
    let nodes = NodeStore::open(options, World::default())?;
    Ok(Some(DeviceAccess::new(devices, nodes, secrets).trusting(gateway.auto_approve.clone())))
}
