//! An agent of one's own behind the gate: it gets a permit with each message, and asks it again before a long turn ends.
//!
//! The gate keeps its state in a directory, so that `dmgate pairing approve` lets people in while this program runs.
#![allow(clippy::print_stdout, reason = "an example")]

use async_trait::async_trait;
use dmgate::store::{FileOptions, FileStore};
use dmgate::{
    AccountKey, Agent, AgentError, Decision, DmGate, InboundMessage, Sender, SenderId, Turn, World,
};

/// Counts words, slowly.
struct Counter;

#[async_trait]
impl Agent for Counter {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        let words = turn.message().text.split_whitespace().count();
        // A long turn asks again before it does something that can't be undone.
        if !turn.permit().is_current().await {
            return Err(AgentError("the sender was revoked in the course of the turn".into()));
        }
        Ok(vec![format!("{words} words")])
    }
}

/// Whether the sender is in, by a state directory that other programs change at the same time.
async fn is_in(gate: &DmGate, sender: &str) -> Result<bool, Box<dyn std::error::Error>> {
    let account = AccountKey::parse("telegram", "default")?;
    let sender = Sender::new(SenderId::parse(account.channel(), sender)?);
    let message = InboundMessage::direct(account, sender, "how many words are these");
    Ok(matches!(gate.admit(&message).await, Decision::Admit(_)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = std::env::args().nth(1).ok_or("usage: agent STATE_DIR")?;
    let store = FileStore::open(FileOptions::new(state), World::default())?;
    let gate = DmGate::builder().store(store).build();
    println!("in: {}", is_in(&gate, "123456789").await?);
    // `Pipeline::new(gate, Arc::new(Counter), adapters)` runs it all; see the example `channel`.
    let _ = Counter;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use dmgate::pairing::Surface;
    use dmgate::store::Actor;
    use dmgate::{MockChannelAdapter, Permit};

    #[tokio::test]
    async fn the_agent_runs_with_a_permit_only() {
        let dir = tempfile::tempdir().unwrap();
        let open = || FileStore::open(FileOptions::new(dir.path().join("state")), World::default()).unwrap();
        let gate = DmGate::builder().store(open()).build();
        assert!(!is_in(&gate, "123456789").await.unwrap());

        // Another program lets the sender in.
        let other = DmGate::builder().store(open()).build();
        let account = AccountKey::parse("telegram", "default").unwrap();
        let id = SenderId::parse(account.channel(), "123456789").unwrap();
        let owner = Actor { name: "owner".into(), surface: Surface::Local };
        other.store().allow(&account, &id, &owner).await.unwrap();
        assert!(is_in(&gate, "123456789").await.unwrap());

        let message = InboundMessage::direct(account.clone(), Sender::new(id.clone()), "one two");
        let Decision::Admit(permit) = gate.admit(&message).await else { panic!("not in") };
        let turn =
            |permit: Permit| Turn::new(permit, message.clone(), Arc::new(MockChannelAdapter::new())).unwrap();
        assert_eq!(Counter.respond(turn(permit.clone())).await.unwrap(), ["2 words"]);
        other.store().revoke(&account, &id, &owner).await.unwrap();
        assert!(Counter.respond(turn(permit)).await.is_err());
    }
}
