//! `dmgate channels`: what this program can connect.

use clap::Args;
use serde::Serialize;

use crate::catalog;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::Columns;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate channels
  dmgate channels --json";

/// The channels that can be connected.
#[derive(Args, Debug)]
pub(crate) struct Channels {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A channel, as scripts read it.
#[derive(Serialize)]
struct Row {
    channel: &'static str,
    transport: String,
    needs: Vec<&'static str>,
    accounts: Vec<String>,
}

impl Channels {
    /// Lists them.
    pub(crate) fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let config = context.config()?;
        let rows: Vec<Row> = catalog::all()
            .map(|spec| Row {
                channel: spec.name,
                transport: spec.transport(),
                needs: spec
                    .options
                    .iter()
                    .filter(|option| option.required)
                    .map(|option| option.name)
                    .collect(),
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
        let mut columns = Columns::new(&["CHANNEL", "TRANSPORT", "NEEDS", "CONFIGURED ACCOUNTS"]);
        for row in rows {
            let needs = if row.needs.is_empty() { "-".to_owned() } else { row.needs.join(", ") };
            let accounts = if row.accounts.is_empty() { "-".to_owned() } else { row.accounts.join(", ") };
            columns.row([row.channel.to_owned(), row.transport, needs, accounts]);
        }
        context.terminal.line(columns);
        Ok(())
    }
}
