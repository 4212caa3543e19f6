//! A turn is a message with its permit.

use std::sync::Arc;

use dmgate::{ChannelAdapter, InboundMessage, Turn};

fn turn(message: InboundMessage, channel: Arc<dyn ChannelAdapter>) -> Option<Turn> {
    Turn::new(message, channel)
}

fn other(message: InboundMessage, channel: Arc<dyn ChannelAdapter>) -> Turn {
    Turn { message, channel }
}

fn main() {}
