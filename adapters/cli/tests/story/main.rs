//! The whole story, with the real program and real peers: a stranger writes, gets a code once, the owner approves it on
//! the command line, the next message is answered, a revocation shuts out at the next message.
//!
//! `dmgate run` and every command of the owner are processes of their own. What the peers need is installed by
//! `tests/peers/install.sh`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that can't go on must fail; the owner's files are written as the owner would"
)]

mod devices;
mod gateways;
mod headless;
mod irc;
mod login;
mod neighbour;
mod platforms;
mod program;
mod readme;
mod telegram;
mod webchat;
