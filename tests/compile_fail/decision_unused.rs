//! A decision that nobody looks at decides nothing.
#![deny(unused_must_use)]

use dmgate::{DmGate, InboundMessage};

async fn forgets(gate: &DmGate, message: &InboundMessage) {
    gate.admit(message).await;
}

fn main() {}
