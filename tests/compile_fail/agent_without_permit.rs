//! The agent takes a turn, and a message is none.

use dmgate::{Agent, InboundMessage};

async fn answer(agent: &dyn Agent, message: InboundMessage) {
    let _ = agent.respond(message).await;
}

fn main() {}
