//! The commands: one file each.

pub(crate) mod admit;
pub(crate) mod allow;
pub(crate) mod block;
pub(crate) mod channels;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod devices;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod man;
pub(crate) mod nodes;
pub(crate) mod pairing;
pub(crate) mod qr;
pub(crate) mod run;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::log::{Format, Log};

/// Does what was asked for.
pub(crate) fn execute(command: Command, context: &mut Context) -> Result<ExitCode, Failure> {
    let done = ExitCode::SUCCESS;
    if let (Some(level), false) = (context.global.log_level, matches!(command, Command::Run(_))) {
        Log::open(level, context.global.log_format.unwrap_or(Format::Text));
    }
    match command {
        Command::Run(run) => return run.execute(context),
        Command::Channels(channels) => channels.execute(context)?,
        Command::Config(config) => config.execute(context)?,
        Command::Completions(completions) => completions.execute(context),
        Command::Man(man) => man.execute(context)?,
        Command::Pairing(pairing) => wait(pairing.execute(context))?,
        Command::Allow(allow) => wait(allow.execute(context))?,
        Command::Block(block) => wait(block.execute(context))?,
        Command::Devices(devices) => converse(devices.execute(context))?,
        Command::Nodes(nodes) => converse(nodes.execute(context))?,
        Command::Qr(qr) => wait(qr.execute(context))?,
        Command::Admit(admit) => return wait(admit.execute(context)),
        Command::Explain(explain) => wait(explain.execute(context))?,
        Command::Doctor(doctor) => return wait(doctor.execute(context)),
    }
    Ok(done)
}

/// Runs one short command on this thread.
fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.map_err(|error| Failure::store(format!("the program can't start: {error}")))?.block_on(work)
}

/// The same for a command that may speak with another machine.
fn converse<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::store(format!("the program can't start: {error}")))?;
    let done = runtime.block_on(work);
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    done
}
