//! `dmgate pairing approve` and `reject`: which request is meant, and what becomes of it.

use clap::Args;
use dmgate::pairing::{Approval, ApproveError, PairingCode, Request, RequestId, Target};
use dmgate::store::Store;
use dmgate::{AccountId, AccountKey, ChannelId, SenderId, escape};

use crate::context::{self, Context};
use crate::failure::Failure;

pub(super) const APPROVE_EXAMPLES: &str = "Examples:
  dmgate pairing approve ABCD2345
  dmgate pairing approve telegram ABCD2345 --account work --notify
  dmgate pairing approve telegram --sender 12345678";

pub(super) const REJECT_EXAMPLES: &str = "Examples:
  dmgate pairing reject ABCD2345
  dmgate pairing reject telegram --sender 12345678 --block";

/// Which request.
#[derive(Args, Debug)]
struct Which {
    /// The code; the channel may stand before it
    #[arg(value_name = "CODE")]
    words: Vec<String>,
    /// The sender, in place of the code
    #[arg(long, value_name = "ID", conflicts_with = "request")]
    sender: Option<String>,
    /// The id of the request, in place of the code
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Of this account only
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// Lets a sender in.
#[derive(Args, Debug)]
#[command(override_usage = "dmgate pairing approve [CHANNEL] CODE [--account ID] [--notify]
       dmgate pairing approve [CHANNEL] --sender ID | --request ID")]
pub(crate) struct Approve {
    #[command(flatten)]
    which: Which,
    /// Tell the sender
    #[arg(long)]
    notify: bool,
}

/// Closes a request.
#[derive(Args, Debug)]
#[command(override_usage = "dmgate pairing reject [CHANNEL] CODE [--account ID] [--block]
       dmgate pairing reject [CHANNEL] --sender ID | --request ID")]
pub(crate) struct Reject {
    #[command(flatten)]
    which: Which,
    /// Never give the sender a code again
    #[arg(long)]
    block: bool,
}

impl Approve {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let meant = self.which.parse()?;
        let config = context.config()?;
        let store = context.store(&config)?;
        let (channel, target) = meant.find(&store).await?;
        let approval = meant.approval(target, self.notify);
        let request = store.approve(&channel, approval, &context::actor()).await?;
        context.terminal.line(format!("Approved {channel} sender {}.", escape(request.id.as_str())));
        if self.notify {
            context.terminal.line("The sender is told by `dmgate run`, now or when it next runs.");
        }
        if let Ok(key) = AccountKey::new(channel, request.account) {
            context.note_what_does_not_count(&config, &key);
        }
        Ok(())
    }
}

impl Reject {
    pub(super) async fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let meant = self.which.parse()?;
        let store = context.store(&context.config()?)?;
        let (channel, target) = meant.find(&store).await?;
        let approval = meant.approval(target, false);
        let request = store.reject(&channel, approval, self.block, &context::actor()).await?;
        let done = if self.block { "Rejected and blocked" } else { "Rejected" };
        context.terminal.line(format!("{done} {channel} sender {}.", escape(request.id.as_str())));
        Ok(())
    }
}

/// Which request is meant, as far as it was typed.
struct Meant {
    channel: Option<ChannelId>,
    account: Option<AccountId>,
    pointer: Pointer,
}

/// What the owner points at; a sender's id is an id of some channel.
enum Pointer {
    Code(PairingCode),
    Sender(String),
    Request(RequestId),
}

impl Which {
    fn parse(self) -> Result<Meant, Failure> {
        let account = context::account_id(self.account.as_deref())?;
        let pointer = match (self.sender, self.request) {
            (Some(sender), _) => Some(Pointer::Sender(sender)),
            (None, Some(request)) => Some(Pointer::Request(RequestId::from_text(&request))),
            (None, None) => None,
        };
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (channel, pointer) = match (words.as_slice(), pointer) {
            (&[], Some(pointer)) => (None, pointer),
            (&[channel], Some(pointer)) => (Some(channel), pointer),
            (&[code], None) => (None, Pointer::Code(PairingCode::parse(code)?)),
            (&[channel, code], None) => (Some(channel), Pointer::Code(PairingCode::parse(code)?)),
            (&[], None) => {
                return Err(Failure::usage(
                    "name a code, or --sender or --request; `dmgate pairing list` shows them",
                ));
            }
            _ => {
                return Err(Failure::usage(
                    "too many words: [CHANNEL] CODE is expected, or [CHANNEL] --sender ID",
                ));
            }
        };
        let channel = channel.map(ChannelId::parse).transpose()?;
        if let (Some(channel), Pointer::Sender(sender)) = (&channel, &pointer) {
            SenderId::parse_entry(channel, sender)?;
        }
        Ok(Meant { channel, account, pointer })
    }
}

impl Meant {
    fn approval(&self, target: Target, notify: bool) -> Approval {
        Approval { target, account: self.account.clone(), notify }
    }

    /// The channel and the target: where no channel was named, the only one that has a matching request.
    async fn find(&self, store: &impl Store) -> Result<(ChannelId, Target), Failure> {
        if let Some(channel) = &self.channel {
            let target = self.pointer.on(channel).ok_or(ApproveError::NotFound)?;
            return Ok((channel.clone(), target));
        }
        let mut found = Vec::new();
        let mut trouble = None;
        for channel in store.channels().await? {
            let Some(target) = self.pointer.on(&channel) else { continue };
            match store.pending(&channel).await {
                Ok(requests) if requests.iter().any(|request| self.is_meant(&target, request)) => {
                    found.push((channel, target));
                }
                Ok(_) => {}
                Err(error) => trouble = trouble.or(Some(Failure::from(error))),
            }
        }
        let names: Vec<&str> = found.iter().map(|(channel, _)| channel.as_str()).collect();
        match (names.len(), trouble) {
            (0, Some(failure)) => Err(failure),
            (0, None) => Err(ApproveError::NotFound.into()),
            (1, _) => found.pop().ok_or_else(|| ApproveError::NotFound.into()),
            _ => Err(Failure::refused(format!("it is pending on {}; name the channel", names.join(" and ")))),
        }
    }

    fn is_meant(&self, target: &Target, request: &Request) -> bool {
        self.account.as_ref().is_none_or(|account| *account == request.account)
            && match target {
                Target::Code(code) => request.code.matches(code),
                Target::Sender(id) => request.ids().any(|own| own == id),
                Target::Request(id) => request.request == *id,
            }
    }
}

impl Pointer {
    /// The target on a channel; `None` if it is no id there.
    fn on(&self, channel: &ChannelId) -> Option<Target> {
        Some(match self {
            Self::Code(code) => Target::Code(code.clone()),
            Self::Request(id) => Target::Request(id.clone()),
            Self::Sender(text) => Target::Sender(SenderId::parse_entry(channel, text).ok()?),
        })
    }
}
