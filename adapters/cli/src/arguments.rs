//! What people type.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use dmgate_channels::Secret;

use crate::command::{
    admit, allow, block, channels, completions, config, devices, doctor, explain, man, nodes, pairing, qr,
    run,
};
use crate::log::{Format, Level};

/// A gate for inbound direct messages: strangers get one pairing code, the owner decides who is in.
#[derive(Parser, Debug)]
#[command(name = "dmgate", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  dmgate run                          web chat on http://127.0.0.1:18790/chat, answered by an echo
  dmgate pairing list                 who waits for you
  dmgate pairing approve ABCD2345     lets the sender of this code in

Exit codes: 0 done, 1 refused or not found, 2 wrong usage or configuration, 3 the store could not be used.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Where the state is [default: $DMGATE_STATE_DIR, else ~/.dmgate]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) state_dir: Option<PathBuf>,
    /// The configuration [default: $DMGATE_CONFIG, else dmgate.toml in the state directory]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// How much is logged [default: $DMGATE_LOG, else log.level of the configuration, else info]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Global options")]
    pub(crate) log_level: Option<Level>,
    /// How it is logged [default: log.format of the configuration, else text]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Global options")]
    pub(crate) log_format: Option<Format>,
}

/// Which gateway a command about devices speaks to.
#[derive(Args, Debug)]
#[command(next_help_heading = "Another gateway")]
pub(crate) struct Where {
    /// Its address, as `wss://gate.example.org` [default: none, but the files of the state directory]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Its token; not needed any more once this machine is paired there
    #[arg(long, value_name = "TOKEN", requires = "url")]
    pub(crate) token: Option<Hidden>,
    /// Its password, in place of a token
    #[arg(long, value_name = "PASSWORD", requires = "url", conflicts_with = "token")]
    pub(crate) password: Option<Hidden>,
    /// How long it may take to answer, in milliseconds [default: 10000]
    #[arg(long, value_name = "MS", requires = "url", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) timeout: Option<u64>,
}

/// A secret that was typed: not to be seen anywhere else.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) Secret);

/// What is to be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Connect the channels, gate them, pass admitted messages to the agent
    #[command(after_help = run::EXAMPLES)]
    Run(run::Run),
    /// Pending requests: list, approve, reject
    #[command(subcommand, after_help = pairing::EXAMPLES)]
    Pairing(pairing::Pairing),
    /// Approved senders: list, add, remove (which revokes)
    #[command(subcommand, after_help = allow::EXAMPLES)]
    Allow(allow::Allow),
    /// Blocked senders, who never get a code: list, add, remove
    #[command(subcommand, after_help = block::EXAMPLES)]
    Block(block::Block),
    /// Phones and machines that pair with the gateway: list, approve, reject, remove, rotate, revoke
    #[command(subcommand, after_help = devices::EXAMPLES)]
    Devices(devices::Devices),
    /// The older records of nodes and the commands they offer: list, pending, approve, reject, rename
    #[command(subcommand, after_help = nodes::EXAMPLES)]
    Nodes(nodes::Nodes),
    /// A setup code for a phone, drawn in the terminal
    #[command(after_help = qr::EXAMPLES)]
    Qr(qr::SetUp),
    /// One real admission, for shell scripts
    #[command(after_help = admit::EXAMPLES)]
    Admit(admit::Admit),
    /// What `admit` would say and why; changes nothing
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Explain),
    /// Look for trouble: permissions, damaged files, locks, configuration
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::Doctor),
    /// The channels that this program can connect, and what each needs
    #[command(after_help = channels::EXAMPLES)]
    Channels(channels::Channels),
    /// The configuration
    #[command(subcommand, after_help = config::EXAMPLES)]
    Config(config::ConfigCommand),
    /// Print completions for a shell
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Completions),
    /// Write the man pages into a directory
    #[command(after_help = man::EXAMPLES)]
    Man(man::Man),
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Secret::new(text)))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// A clap error as one line that says what to do next.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut parts = Vec::new();
    for paragraph in text.split("\n\n") {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            continue;
        }
        parts.push(line.trim_start_matches("error: ").to_owned());
    }
    parts.push("see `dmgate --help`, or `--help` after the command".to_owned());
    parts.join("; ")
}
