//! `dmgate run`.

use std::process::ExitCode;

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::run;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate run
  dmgate run --config /etc/dmgate.toml --log-format json

Signals: TERM and INT end it cleanly (twice: at once), HUP reads the configuration again.";

/// Connects the channels, gates them, passes admitted messages to the agent.
#[derive(Args, Debug)]
pub(crate) struct Run {}

impl Run {
    /// Runs until a signal ends it.
    pub(crate) fn execute(self, context: &mut Context) -> Result<ExitCode, Failure> {
        run::run(context)
    }
}
