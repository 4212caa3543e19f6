//! `dmgate man`: the man pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::arguments::Arguments;
use crate::context::Context;
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Example:
  dmgate man ~/.local/share/man/man1";

/// The man pages.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Where they go; made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    /// Writes them.
    pub(crate) fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let folder = self.folder;
        let done = std::fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), &folder));
        done.map_err(|error| Failure::refused(format!("{}: {error}", folder.display())))?;
        context.terminal.line(format!("The man pages are in {}.", folder.display()));
        Ok(())
    }
}
