//! The gateway's WebSocket for devices, at `/`: phones and nodes, and the command lines and apps of operators. Protocol
//! version 3 of OpenClaw.
//!
//! | step | what |
//! |---|---|
//! | 1 | we send the event `connect.challenge` with a nonce |
//! | 2 | the client asks `connect`, and signs the nonce with its device's key (see `connect.rs`) |
//! | 3 | it is checked in a fixed order (see `check.rs`), and then by the store of devices |
//! | 4 | it is let in with `hello-ok`, or told why not and closed (see `refusal.rs`) |
//! | 5 | it may ask for what its role and its scopes allow (see `method.rs`), and is told what happens |
//!
//! Before it is let in a socket has 10 seconds and 64 KiB; 256 such sockets there are, of one address 32. A live socket
//! ends at once when its device is removed or its role revoked, whoever did it (see `keeper.rs`).

mod check;
mod connect;
mod frame;
mod handshake;
mod keeper;
mod listing;
mod live;
mod lockout;
mod method;
mod network;
mod refusal;
mod secrets;
mod session;
mod socket;
mod upgrade;

use std::fmt;
use std::sync::Arc;

use dmgate::World;
use dmgate::device::{DeviceStore, DeviceView, NodeStore};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use connect::{BadConnect, Connect};
pub use frame::{NoRequest, Request};
pub use network::{Network, NetworkError};
pub use secrets::Secrets;

pub(crate) use keeper::keep;
pub(crate) use upgrade::{is_upgrade, open};

use crate::quota::AddressQuota;
use crate::site::Sites;
use live::Live;
use lockout::Lockout;

/// What lets devices in.
#[derive(Clone)]
pub struct DeviceAccess {
    pub(crate) devices: DeviceStore,
    pub(crate) nodes: NodeStore,
    secrets: Secrets,
    trusted: Vec<Network>,
    world: World,
}

/// The version of the protocol that is spoken.
const PROTOCOL: u32 = 3;

/// The most sockets that are not let in yet.
const STRANGERS: usize = 256;
/// The most of them of one network address; with a public URL loopback is not counted, since everybody comes from there.
const STRANGERS_OF_ADDRESS: usize = 32;

/// What all sockets share.
pub(crate) struct Gate {
    store: DeviceStore,
    nodes: NodeStore,
    secrets: Secrets,
    trusted: Vec<Network>,
    world: World,
    sites: Sites,
    strangers: AddressQuota,
    lockout: Lockout,
    live: Arc<Live>,
    /// Somebody should look at the files again.
    poke: Notify,
    closing: CancellationToken,
}

impl DeviceAccess {
    /// The devices of these stores; who is not known yet shows these secrets.
    #[must_use]
    pub fn new(devices: DeviceStore, nodes: NodeStore, secrets: Secrets) -> Self {
        Self { devices, nodes, secrets, trusted: Vec::new(), world: World::default() }
    }

    /// Networks from where nodes that ask for no rights need no word of the owner. None by default.
    #[must_use]
    pub fn trusting(mut self, networks: Vec<Network>) -> Self {
        self.trusted = networks;
        self
    }

    /// Another clock and another generator than the machine's: those of the stores.
    #[must_use]
    pub fn world(mut self, world: World) -> Self {
        self.world = world;
        self
    }
}

impl Gate {
    pub(crate) fn new(
        access: DeviceAccess,
        sites: Sites,
        is_proxied: bool,
        closing: CancellationToken,
    ) -> Arc<Self> {
        let DeviceAccess { devices, nodes, secrets, trusted, world } = access;
        let strangers = AddressQuota::new(STRANGERS, STRANGERS_OF_ADDRESS, is_proxied);
        let (lockout, live, poke) = Default::default();
        let store = devices;
        Arc::new(Self {
            store,
            nodes,
            secrets,
            trusted,
            world,
            sites,
            strangers,
            lockout,
            live,
            poke,
            closing,
        })
    }

    /// What the files say now, and the revision of that.
    async fn look(&self) -> (Option<u64>, Arc<DeviceView>) {
        let store = self.store.clone();
        // The revision first: what changes while the files are read is looked at again.
        let looked = tokio::task::spawn_blocking(move || (store.revision(), store.view())).await;
        // A look that broke down shows nobody, and so lets nobody in.
        looked.unwrap_or_else(|error| {
            tracing::error!("the devices can't be looked at: {error}");
            (None, Arc::new(DeviceView { paired_fault: Some(broken()), ..DeviceView::default() }))
        })
    }

    fn draw(&self) -> Option<String> {
        dmgate::draw_uuid(&*self.world.entropy).ok()
    }
}

fn broken() -> dmgate::Fault {
    dmgate::Fault::locked("a look at the devices broke down")
}

impl fmt::Debug for DeviceAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAccess").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}
