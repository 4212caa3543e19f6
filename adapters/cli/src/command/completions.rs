//! `dmgate completions`: for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::context::Context;

pub(crate) const EXAMPLES: &str = "Example:
  dmgate completions bash > ~/.local/share/bash-completion/completions/dmgate";

/// Completions for a shell.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// For which shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub(crate) fn execute(self, context: &mut Context) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "dmgate", &mut script);
        context.terminal.bytes(&script);
    }
}
