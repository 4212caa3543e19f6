//! Only the gate makes permits.

use dmgate::{InboundMessage, Permit};

fn permit(message: &InboundMessage) -> Permit {
    Permit { sender: message.sender.clone() }
}

fn other(message: &InboundMessage) -> Permit {
    Permit::new(message.sender.clone())
}

fn neither() -> Permit {
    Permit::default()
}

fn main() {}
