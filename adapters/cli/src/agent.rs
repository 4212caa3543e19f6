//! What answers admitted messages: an echo, a server, a program.

mod command;
mod echo;
mod http;
mod lines;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use dmgate::Agent;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::ConfigError;
use crate::config::agent::{AgentKind, AgentSettings};

/// An agent that works.
pub(crate) struct Hired {
    /// The agent.
    pub(crate) agent: Arc<dyn Agent>,
    /// What keeps it working, and how it is told to end.
    keeper: Option<(JoinHandle<()>, CancellationToken)>,
}

/// What bounds every agent.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// How long one turn may take.
    timeout: Duration,
    /// The longest answer, in bytes.
    max_reply: usize,
}

impl Hired {
    /// Puts the configured agent to work.
    #[cfg(test)]
    pub(crate) fn new(settings: &AgentSettings) -> Result<Self, ConfigError> {
        Self::without(Vec::new(), settings)
    }

    /// Puts the configured agent to work; a program does not see the variables `hidden`.
    pub(crate) fn without(hidden: Vec<String>, settings: &AgentSettings) -> Result<Self, ConfigError> {
        let bounds = Bounds { timeout: settings.timeout, max_reply: settings.max_reply };
        Ok(match &settings.kind {
            AgentKind::Echo => Self { agent: Arc::new(echo::Echo), keeper: None },
            AgentKind::Http(http) => Self { agent: Arc::new(http::Http::new(http, bounds)?), keeper: None },
            AgentKind::Command(words) => {
                let stop = CancellationToken::new();
                let (agent, keeping) = command::Command::new(words.clone(), hidden, bounds, stop.clone());
                Self { agent: Arc::new(agent), keeper: Some((tokio::spawn(keeping), stop)) }
            }
        })
    }

    /// Ends it, after its last turn.
    pub(crate) async fn dismiss(self) {
        drop(self.agent);
        if let Some((task, stop)) = self.keeper {
            stop.cancel();
            if let Err(error) = task.await {
                tracing::error!("the agent's keeper broke: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
