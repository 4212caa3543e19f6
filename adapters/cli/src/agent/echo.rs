//! Says what it was told: to see that everything works.

use async_trait::async_trait;
use dmgate::{Agent, AgentError, Turn};

/// Says what it was told.
#[derive(Debug)]
pub(super) struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        let text = turn.message().text.trim();
        Ok(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] })
    }
}
