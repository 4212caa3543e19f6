//! `dmgate config`: the effective configuration.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate config show
  DMGATE_AGENT__KIND=echo dmgate config show --json";

/// The configuration.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigCommand {
    /// Print the effective values with where each came from, secrets masked
    #[command(after_help = EXAMPLES)]
    Show(Show),
}

/// The effective values.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A value, as scripts read it.
#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    value: &'a str,
    from: String,
}

impl ConfigCommand {
    /// Prints it.
    pub(crate) fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let Self::Show(show) = self;
        let config = context.config()?;
        let rows: Vec<Row<'_>> = config
            .shown
            .iter()
            .map(|shown| Row { key: &shown.key, value: &shown.value, from: shown.origin.to_string() })
            .collect();
        if show.json {
            context.terminal.json(&rows);
            return Ok(());
        }
        let wide =
            rows.iter().map(|row| row.key.chars().count() + row.value.chars().count()).max().unwrap_or(0);
        for row in rows {
            let text = format!("{} = {}", row.key, row.value);
            context.terminal.line(format!("{text:<width$}  # {}", row.from, width = wide.min(70) + 3));
        }
        Ok(())
    }
}
