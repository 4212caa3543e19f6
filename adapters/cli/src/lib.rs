//! The program `dmgate`: runs the gate in front of an agent, and is the owner's command line.
//!
//! It is a program, not a library: nothing here is for others but [`main`], and what tests ask of it.

mod agent;
mod arguments;
mod catalog;
mod command;
mod config;
mod context;
mod desk;
mod failure;
mod log;
mod run;
mod table;
mod terminal;
#[cfg(feature = "testing")]
pub mod testing;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use context::Context;
use terminal::Terminal;

/// Does what was typed.
#[must_use]
pub fn main() -> ExitCode {
    let mut terminal = Terminal::standard();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, &mut terminal),
    };
    let mut context = match Context::new(arguments.global, terminal) {
        Ok(context) => context,
        Err((failure, mut terminal)) => {
            terminal.trouble(failure.message());
            return failure.exit_code();
        }
    };
    let code = match command::execute(arguments.command, &mut context) {
        Ok(code) => code,
        Err(failure) => {
            context.terminal.trouble(failure.message());
            failure.exit_code()
        }
    };
    context.terminal.flush();
    code
}

/// Help and version go to stdout, wrong usage to stderr.
fn usage(error: &clap::Error, terminal: &mut Terminal) -> ExitCode {
    let wants_command = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr() && !wants_command {
        terminal.trouble(arguments::one_line(error));
        2.into()
    } else {
        terminal.line(error.render().to_string().trim_end());
        terminal.flush();
        if wants_command { 2.into() } else { ExitCode::SUCCESS }
    }
}
