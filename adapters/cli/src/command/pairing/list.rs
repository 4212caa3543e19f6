//! `dmgate pairing list`.

use clap::Args;
use dmgate::pairing::Request;
use dmgate::store::Store;
use dmgate::{AccountId, ChannelId, escape};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::context::{self, Context};
use crate::failure::Failure;
use crate::table::{Columns, short};

pub(super) const EXAMPLES: &str = "Examples:
  dmgate pairing list
  dmgate pairing list telegram --account work --json";

/// The longest name that a row shows; `--json` has all of it.
const LONGEST_NAME: usize = 32;

/// Pending requests.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Of this channel only
    channel: Option<String>,
    /// Of this account only
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// As JSON: an object with a channel, an array of them without
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let named = self.channel.as_deref().map(ChannelId::parse).transpose()?;
        let account = context::account_id(self.account.as_deref())?;
        let config = context.config()?;
        let store = context.store(&config)?;
        let channels = match &named {
            Some(channel) => vec![channel.clone()],
            None => store.channels().await?,
        };
        let mut listings = Vec::new();
        let mut trouble = None;
        for channel in channels {
            match store.pending(&channel).await {
                Ok(requests) => listings.push(Listing::new(channel, requests, account.as_ref())),
                // What is wrong with one channel does not hide the others.
                Err(error) => trouble = trouble.or(Some(Failure::from(error))),
            }
        }
        if named.is_none() {
            listings.retain(|listing| !listing.requests.is_empty());
        }
        match (self.json, &named) {
            (true, None) => context.terminal.json(&listings),
            (true, Some(_)) => listings.iter().for_each(|listing| context.terminal.json(listing)),
            (false, _) => show(context, &listings, named.as_ref(), trouble.is_some()),
        }
        trouble.map_or(Ok(()), Err)
    }
}

fn show(context: &mut Context, listings: &[Listing], named: Option<&ChannelId>, incomplete: bool) {
    let count: usize = listings.iter().map(|listing| listing.requests.len()).sum();
    if count == 0 {
        if !incomplete {
            let of = named.map(|channel| format!(" for {channel}")).unwrap_or_default();
            context.terminal.line(format!("No pending pairing requests{of}."));
        }
        return;
    }
    let mut columns =
        Columns::new(&["CODE", "CHANNEL", "ACCOUNT", "SENDER", "NAME", "REQUESTED", "WORKS UNTIL"]);
    for listing in listings {
        for request in &listing.requests {
            columns.row([
                escape(request.code.reveal()),
                listing.channel.to_string(),
                request.account.to_string(),
                escape(request.id.as_str()),
                name(request),
                request.created_at.to_string(),
                request.expires_at().to_string(),
            ]);
        }
    }
    context.terminal.line(format!("Pairing requests ({count})\n{columns}"));
    context.terminal.line("Approve with: dmgate pairing approve CODE");
}

/// What is known of a sender for display: a name first of all.
fn name(request: &Request) -> String {
    let known = request.meta.iter().filter(|(key, _)| key != "accountId");
    let mut known: Vec<_> = known.collect();
    known.sort_by_key(|(key, _)| !key.to_ascii_lowercase().contains("name"));
    let known: Vec<&str> = known.iter().map(|(_, value)| value.as_str()).collect();
    short(&known.join(", "), LONGEST_NAME)
}

/// The pending requests of one channel, as scripts read them.
struct Listing {
    channel: ChannelId,
    requests: Vec<Request>,
}

impl Listing {
    fn new(channel: ChannelId, mut requests: Vec<Request>, account: Option<&AccountId>) -> Self {
        requests.retain(|request| account.is_none_or(|account| *account == request.account));
        Self { channel, requests }
    }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("channel", self.channel.as_str())?;
        map.serialize_entry("requests", &self.requests.iter().map(Pending).collect::<Vec<_>>())?;
        map.end()
    }
}

/// One request: the keys and their order are what scripts know.
struct Pending<'a>(&'a Request);

impl Serialize for Pending<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.0;
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("requestId", request.request.as_str())?;
        map.serialize_entry("id", request.id.as_str())?;
        map.serialize_entry("code", request.code.reveal())?;
        map.serialize_entry("createdAt", &request.created_at.to_string())?;
        map.serialize_entry("lastSeenAt", &request.last_seen_at.to_string())?;
        map.serialize_entry("meta", &Meta(request))?;
        map.end()
    }
}

struct Meta<'a>(&'a Request);

impl Serialize for Meta<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.meta.iter().filter(|(key, _)| key != "accountId") {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("accountId", self.0.account.as_str())?;
        map.end()
    }
}
