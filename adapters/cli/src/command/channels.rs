//! `dmgate channels`: what this program can connect, and logging in where that is done with a telephone.

mod login;

use clap::{Args, Subcommand};
use dmgate::ChannelId;
use dmgate_channels::options::Need;
use serde::Serialize;

use crate::catalog;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::Columns;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate channels
  dmgate channels telegram
  dmgate channels --json
  dmgate channels login openclaw-weixin";

/// The channels that can be connected.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Channels {
    #[command(subcommand)]
    work: Option<Work>,
    /// The options of this channel
    channel: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is done with one.
#[derive(Subcommand, Debug)]
enum Work {
    /// Log in with a telephone, where a channel wants that: a code to be scanned is shown
    #[command(after_help = login::EXAMPLES)]
    Login(login::LogIn),
}

/// An option of a channel, as scripts read it.
#[derive(Serialize)]
struct OptionRow {
    option: &'static str,
    kind: String,
    needed: bool,
    default: Option<&'static str>,
    about: &'static str,
}

/// A channel, as scripts read it.
#[derive(Serialize)]
struct Row {
    channel: &'static str,
    transport: String,
    direction: &'static str,
    features: Vec<&'static str>,
    needs: Vec<&'static str>,
    accounts: Vec<String>,
}

impl Channels {
    /// Lists them, or does what is asked.
    pub(crate) fn execute(self, context: &mut Context) -> Result<(), Failure> {
        if let Some(Work::Login(login)) = self.work {
            return login.execute(context);
        }
        if let Some(channel) = &self.channel {
            return self.options(&ChannelId::parse(channel)?, context);
        }
        let config = context.config()?;
        let rows: Vec<Row> = catalog::all()
            .map(|spec| Row {
                channel: spec.name,
                transport: spec.transport(),
                direction: spec.direction(),
                features: spec.features(),
                needs: spec.needs(),
                accounts: config
                    .connected()
                    .map(|account| account.key.clone())
                    .chain(config.web_chat())
                    .filter(|key| key.channel().as_str() == spec.name)
                    .map(|key| key.account().to_string())
                    .collect(),
            })
            .collect();
        if self.json {
            context.terminal.json(&rows);
            return Ok(());
        }
        let mut columns =
            Columns::new(&["CHANNEL", "TRANSPORT", "DIRECTION", "FEATURES", "NEEDS", "CONFIGURED ACCOUNTS"]);
        let list = |words: String| if words.is_empty() { "-".to_owned() } else { words };
        for row in rows {
            let (features, needs) = (list(row.features.join(", ")), list(row.needs.join(", ")));
            let accounts = list(row.accounts.join(", "));
            let channel = row.channel.to_owned();
            columns.row([channel, row.transport, row.direction.to_owned(), features, needs, accounts]);
        }
        context.terminal.line(columns);
        Ok(())
    }

    fn options(&self, channel: &ChannelId, context: &mut Context) -> Result<(), Failure> {
        let spec = catalog::find(channel.as_str()).ok_or_else(|| {
            Failure::refused(format!(
                "there is no adapter for `{channel}`; `dmgate channels` lists those there are"
            ))
        })?;
        let rows: Vec<OptionRow> = spec
            .options
            .iter()
            .map(|option| OptionRow {
                option: option.name,
                kind: option.kind.to_string(),
                needed: option.need != Need::Never,
                default: option.default,
                about: option.doc,
            })
            .collect();
        if self.json {
            context.terminal.json(&rows);
            return Ok(());
        }
        if rows.is_empty() {
            context.terminal.line(format!(
                "[channels.{channel}] has no options beside dm_policy, allow_from and limits."
            ));
            return Ok(());
        }
        let mut columns = Columns::new(&["OPTION", "KIND", "DEFAULT", "WHAT FOR"]);
        for (row, option) in rows.into_iter().zip(spec.options) {
            let default = row.default.unwrap_or(match option.need {
                Need::Always => "needed",
                Need::ByDefault => "needed by default",
                Need::Never => "-",
            });
            columns.row([row.option.to_owned(), row.kind, default.to_owned(), row.about.to_owned()]);
        }
        context.terminal.line(columns);
        context
            .terminal
            .line("Each secret also as OPTION_file (a path) or OPTION_env (the name of a variable).");
        Ok(())
    }
}
