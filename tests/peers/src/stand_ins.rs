//! Stand-ins for platforms that have no server to be had, one module each.

use crate::Platform;

/// The stand-in for a channel's platform, started; `None` where there is none of this name. A channel with two ways in
/// has a stand-in for each: `slack`, `slack-socket`.
pub fn start(_name: &str) -> Option<Box<dyn Platform>> {
    None
}
