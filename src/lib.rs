#![doc = include_str!("../README.md")]

mod agent;
mod allowlist;
mod channel;
mod clock;
mod decision;
pub mod device;
mod explain;
mod gate;
mod message;
mod observe;
pub mod owner;
pub mod pairing;
mod pipeline;
mod policy;
mod qr;
mod reply;
pub mod store;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "mock")]
pub use agent::MockAgent;
pub use agent::{Agent, AgentError, Turn};
pub use allowlist::{IdSet, IdSetBuilder};
#[cfg(feature = "mock")]
pub use channel::MockChannelAdapter;
pub use channel::{
    AttachmentFile, ChannelAdapter, ChannelError, ChannelMeta, ChannelStatus, FetchError, Known,
    OutboundPicture, OutboundText, SendError, TextKind, Webhook,
};
pub use clock::{
    Clock, Entropy, Moment, NoEntropy, OsEntropy, SystemClock, Timestamp, Uptime, World, draw_uuid,
};
pub use decision::{Challenge, Decision, Fault, Permit, Reason, Refusal};
pub use explain::Explanation;
pub use gate::{AccountHandle, DmGate, DmGateBuilder};
pub use message::{
    AccountId, AccountKey, Attachment, Authenticity, ChannelId, Conversation, EventKind, IdError,
    InboundMessage, Origin, ReplyRoute, Sender, SenderId, Source, Strength, escape,
};
pub use pipeline::{Inbox, Pipeline};
pub use policy::{AccountPolicy, DmPolicy, Freshness, HOUR, Limits, PendingScope, PolicyError};
pub use qr::Qr;
pub use reply::{ReplyError, ReplyTemplate};
