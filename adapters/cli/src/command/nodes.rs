//! `dmgate nodes`: the older records of nodes, which say what commands a node may offer. They let nobody in: that is what
//! `dmgate devices` does.

use clap::{Args, Subcommand};
use dmgate::{Timestamp, escape};
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::Where;
use crate::command::devices::request_id;
use crate::context::Context;
use crate::desk::{Desk, Order};
use crate::failure::Failure;
use crate::table::{Columns, short};

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate nodes list
  dmgate nodes approve 1f0e2c4a-0a6e-4f0b-9a52-6f7f4f6f2b11
  dmgate nodes rename --node kitchen --name 'Kitchen screen'";

const LIST_EXAMPLES: &str = "Examples:
  dmgate nodes list
  dmgate nodes list --json";

const PENDING_EXAMPLES: &str = "Examples:
  dmgate nodes pending
  dmgate nodes pending --json";

const APPROVE_EXAMPLES: &str = "Example:
  dmgate nodes approve 1f0e2c4a-0a6e-4f0b-9a52-6f7f4f6f2b11";

const REJECT_EXAMPLES: &str = "Example:
  dmgate nodes reject 1f0e2c4a-0a6e-4f0b-9a52-6f7f4f6f2b11";

const RENAME_EXAMPLES: &str = "Example:
  dmgate nodes rename --node kitchen --name 'Kitchen screen'";

/// The longest text of a node that is shown; `--json` has all of it.
const LONGEST: usize = 32;

/// The older records of nodes.
#[derive(Subcommand, Debug)]
pub(crate) enum Nodes {
    /// List who asks, and who was approved
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// List who asks
    #[command(after_help = PENDING_EXAMPLES)]
    Pending(List),
    /// Approve a node; the answer is JSON, with the node's token in it
    #[command(after_help = APPROVE_EXAMPLES)]
    Approve(Which),
    /// Close a request; the answer is JSON
    #[command(after_help = REJECT_EXAMPLES)]
    Reject(Which),
    /// Give a node another name
    #[command(after_help = RENAME_EXAMPLES)]
    Rename(Rename),
}

/// A listing.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// A request.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// The request
    #[arg(value_name = "ID")]
    id: String,
    /// As JSON, as without it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Another name.
#[derive(Args, Debug)]
pub(crate) struct Rename {
    /// The node: its id, or its name if it is the only one of that name
    #[arg(long)]
    node: String,
    /// How it is to be called
    #[arg(long)]
    name: String,
    /// As JSON: `{"nodeId", "displayName"}`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// The longest id that is shown: that of a device.
const LONGEST_ID: usize = 64;

/// Who asks, and who was approved.
#[derive(Deserialize)]
struct Shown {
    pending: Vec<Node>,
    paired: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    request_id: Option<String>,
    node_id: String,
    display_name: Option<String>,
    platform: Option<String>,
    remote_ip: Option<String>,
    #[serde(default)]
    commands: Vec<String>,
    ts: Option<i64>,
    approved_at_ms: Option<i64>,
}

impl Nodes {
    /// Does it.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.execute(true, context).await,
            Self::Pending(list) => list.execute(false, context).await,
            Self::Approve(which) => which.decide(Order::ApproveNode, context).await,
            Self::Reject(which) => which.decide(Order::RejectNode, context).await,
            Self::Rename(rename) => rename.execute(context).await,
        }
    }
}

impl List {
    async fn execute(self, with_paired: bool, context: &mut Context) -> Result<(), Failure> {
        let told = Desk::open(&self.place, context)?.nodes().await?;
        if self.json {
            match told.get("pending") {
                Some(pending) if !with_paired => context.terminal.json(pending),
                _ => context.terminal.json(&told),
            }
            return Ok(());
        }
        let shown = Shown::read(&told)?;
        let paired = if with_paired { shown.paired.as_slice() } else { &[] };
        if shown.pending.is_empty() && paired.is_empty() {
            context.terminal.line("No records of nodes; `dmgate devices list` shows what connects.");
        }
        if !shown.pending.is_empty() {
            let mut columns = Columns::new(&["REQUEST", "NODE", "NAME", "PLATFORM", "FROM", "ASKED"]);
            for node in &shown.pending {
                columns.row(
                    [node.request_id.as_deref().map(escape).unwrap_or_default()]
                        .into_iter()
                        .chain(node.cells(node.ts)),
                );
            }
            context.terminal.line(format!("Requests of nodes ({})\n{columns}", shown.pending.len()));
            for node in shown.pending.iter().filter(|node| !node.commands.is_empty()) {
                let commands: Vec<String> = node.commands.iter().map(|one| short(one, LONGEST)).collect();
                context.terminal.line(format!(
                    "{} offers {}",
                    short(&node.node_id, LONGEST),
                    commands.join(", ")
                ));
            }
        }
        if !paired.is_empty() {
            let mut columns = Columns::new(&["NODE", "NAME", "PLATFORM", "FROM", "APPROVED"]);
            paired.iter().for_each(|node| columns.row(node.cells(node.approved_at_ms)));
            context.terminal.line(format!("Approved nodes ({})\n{columns}", paired.len()));
        }
        Ok(())
    }
}

impl Which {
    async fn decide(
        self,
        order: fn(dmgate::device::DeviceRequestId) -> Order,
        context: &mut Context,
    ) -> Result<(), Failure> {
        let id = request_id(&self.id)?;
        let done = Desk::open(&self.place, context)?.tell(order(id)).await?;
        context.terminal.json(&done);
        Ok(())
    }
}

impl Rename {
    async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let name = self.name.trim();
        if name.is_empty() {
            return Err(Failure::usage("a name must not be empty"));
        }
        let desk = Desk::open(&self.place, context)?;
        let shown = Shown::read(&desk.nodes().await?)?;
        let id = shown.find(self.node.trim())?;
        let done = desk.tell(Order::RenameNode(id.clone(), name.to_owned())).await?;
        if self.json {
            context.terminal.json(&done);
        } else {
            context.terminal.line(format!("Node {} is called {}.", escape(&id), escape(name)));
        }
        Ok(())
    }
}

impl Shown {
    fn read(told: &Value) -> Result<Self, Failure> {
        let read = Self::deserialize(told);
        read.map_err(|error| Failure::refused(format!("the answer is no list of nodes: {error}")))
    }

    /// The approved node of this id, or the only one of this name.
    fn find(&self, typed: &str) -> Result<String, Failure> {
        if self.paired.iter().any(|node| node.node_id == typed) {
            return Ok(typed.to_owned());
        }
        let is_called = |node: &&Node| node.display_name.as_deref() == Some(typed);
        let mut found = self.paired.iter().filter(is_called);
        match (found.next(), found.next()) {
            (Some(node), None) => Ok(node.node_id.clone()),
            (Some(_), Some(_)) => Err(Failure::refused("several nodes are called so; write the id of one")),
            (None, _) => Err(Failure::refused("unknown node; `dmgate nodes list` shows those there are")),
        }
    }
}

impl Node {
    fn cells(&self, at: Option<i64>) -> [String; 5] {
        let cell =
            |text: &Option<String>| text.as_deref().map(|text| short(text, LONGEST)).unwrap_or_default();
        [
            short(&self.node_id, LONGEST_ID),
            cell(&self.display_name),
            cell(&self.platform),
            cell(&self.remote_ip),
            at.map(|at| Timestamp::from_millis(at).to_string()).unwrap_or_default(),
        ]
    }
}
