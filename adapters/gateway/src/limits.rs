//! How much of everything the gateway gives to the outside.

use std::time::Duration;

/// Bounds on what the outside may use. The default fits a small machine.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once. When they are more, the next ones wait.
    pub connections: usize,
    /// Connections of one network address; loopback, where a reverse proxy may stand, is not counted.
    pub connections_per_address: usize,
    /// Open web-chat pages.
    pub pages: usize,
    /// Open web-chat pages of one network address; with a public URL loopback is not counted, since everybody comes
    /// from there.
    pub pages_per_address: usize,
    /// Requests at once on their way to the gate: web hooks, and as many web-chat messages. Of web hooks one network
    /// address other than loopback gets a quarter; and so does one account, but no more than half of `large_bodies`: its
    /// messages wait with their bodies while the conversation that they are for is full.
    pub deliveries: usize,
    /// Web-chat messages of one network address on their way to the gate; with a public URL loopback is not counted.
    pub deliveries_per_address: usize,
    /// The largest body of a web hook, in bytes.
    pub webhook_bytes: usize,
    /// Bodies of more than 16 KiB in memory at once; the next ones are read when there is room. All others take no more
    /// than 16 KiB for each connection: with the defaults 16 MiB, and the large ones 64 MiB.
    pub large_bodies: usize,
    /// How long a request's head may take, and how long a connection may idle.
    pub head_within: Duration,
    /// How long a request's body may take.
    pub body_within: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub stalled_for: Duration,
    /// How long requests have to finish at the end.
    pub end_within: Duration,
}

impl Limits {
    /// Web hooks of one account at once.
    pub(crate) fn per_account(&self) -> usize {
        self.deliveries.div_ceil(4).min(self.large_bodies.div_ceil(2))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            connections_per_address: 128,
            pages: 256,
            pages_per_address: 16,
            deliveries: 256,
            deliveries_per_address: 16,
            webhook_bytes: 1_024 * 1_024,
            large_bodies: 64,
            head_within: Duration::from_secs(15),
            body_within: Duration::from_secs(15),
            stalled_for: Duration::from_secs(30),
            end_within: Duration::from_secs(10),
        }
    }
}
