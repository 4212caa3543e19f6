//! Devices at the gateway's WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that can't go on must fail, and edits files as another program would"
)]

mod house;
mod limits;
mod sessions;
mod table;
mod transcripts;
