//! Chat platforms for [`dmgate`]: one module and one cargo feature each, all on by default.
//!
//! Every module has the same shape, in the same order: how the platform works and what of it is proven (the module's
//! documentation), the adapter with its [`dmgate::ChannelAdapter`] implementation, and in files beside it the
//! configuration (`config.rs`: what the owner tells it), the parsing, the connection and the errors. No module holds policy: what came in goes to the gate as it is, also what the gate will surely refuse
//! (edits, groups, bots), so that its counters see it. Only events without any sender end in the adapter.
//!
//! The web chat is a channel of our own: `dmgate-gateway` makes and serves it, so it has no options, and [`Channel`]
//! does not list it.
//!
//! What two platforms share is here once; `GRAMMAR.md` beside this crate's manifest says how an adapter is written of it:
//!
//! - `secret.rs`, `options.rs`: tokens that can't be logged; options and their tables
//! - `webhook.rs`, `signature.rs`, `jwt.rs`: calls by a platform, and how they are proven
//! - `api.rs`, `client.rs`, `form.rs`, `token.rs`: calls to a platform, what becomes of them, uploads, tokens for a while
//! - `hosts.rs`, `media.rs`: where we go when a platform names a place, and the files that are fetched from there
//! - `socket.rs`, `sse.rs`, `dial.rs`, `tls.rs`, `lines.rs`: connections that stay open
//! - `child.rs`, `rpc.rs`, `programs.rs`: programs beside us, how one speaks with them, and which have not ended yet
//! - [`bridge`]: platforms that are reached by a program of the operator's
//! - `life.rs`, `backoff.rs`, `status.rs`: when to connect again, and what the operator reads meanwhile
//! - `dedupe.rs`, `kept.rs`: what came twice, and what must outlive a restart
//! - `login.rs`: how an owner logs in with a telephone
//!
//! With the feature `conformance` there is the module `conformance`: what every adapter must pass, also those
//! of other crates.
//!
//! ```
//! use dmgate::AccountKey;
//! use dmgate_channels::{Channel, Options, Setup};
//!
//! let account = AccountKey::parse("telegram", "default")?;
//! let channel = Channel::of(account.channel()).ok_or("a channel that is not compiled in")?;
//! for option in channel.options {
//!     println!("{} ({}): {}", option.name, option.kind, option.doc);
//! }
//! let options = Options::new().with("token", "123456:ABC-DEF");
//! let adapter = channel.open(Setup::new(account), &options)?;
//! assert_eq!(adapter.meta().text_limit, 4_096);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(feature = "all"),
    allow(dead_code, unused_imports, reason = "what only a channel needs that is left out")
)]

mod adapter;
#[cfg(feature = "_http")]
mod api;
#[cfg(any(feature = "_tls", feature = "_child"))]
mod backoff;
#[cfg(feature = "_bridge")]
pub mod bridge;
#[cfg(feature = "_child")]
mod child;
#[cfg(feature = "_http")]
mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
mod dedupe;
#[cfg(feature = "_dial")]
mod dial;
#[cfg(test)]
#[cfg(feature = "_child")]
mod fake_program;
#[cfg(test)]
#[cfg(feature = "_http")]
mod fake_server;
#[cfg(test)]
#[cfg(feature = "_socket")]
mod fake_socket;
#[cfg(feature = "_http")]
mod form;
#[cfg(feature = "_http")]
mod hosts;
#[cfg(feature = "_jwt")]
mod jwt;
pub mod kept;
#[cfg(any(feature = "_tls", feature = "_child"))]
mod life;
mod lines;
pub mod login;
#[cfg(feature = "_http")]
mod media;
#[cfg(feature = "_http")]
mod memory;
pub mod options;
mod programs;
#[cfg(test)]
mod recorded;
mod rpc;
mod secret;
#[cfg(feature = "_signature")]
mod signature;
#[cfg(feature = "_socket")]
pub mod socket;
mod sse;
mod status;
#[cfg(feature = "_tls")]
pub mod tls;
mod token;
#[cfg(feature = "_webhook")]
mod webhook;

#[cfg(feature = "bluebubbles")]
pub mod bluebubbles;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(feature = "feishu")]
pub mod feishu;
#[cfg(feature = "googlechat")]
pub mod googlechat;
#[cfg(feature = "imessage")]
pub mod imessage;
#[cfg(feature = "irc")]
pub mod irc;
#[cfg(feature = "line")]
pub mod line;
#[cfg(feature = "matrix")]
pub mod matrix;
#[cfg(feature = "mattermost")]
pub mod mattermost;
#[cfg(feature = "msteams")]
pub mod msteams;
#[cfg(feature = "nextcloud-talk")]
pub mod nextcloud_talk;
#[cfg(feature = "nostr")]
pub mod nostr;
#[cfg(feature = "openclaw-weixin")]
pub mod openclaw_weixin;
#[cfg(feature = "signal")]
pub mod signal;
#[cfg(feature = "slack")]
pub mod slack;
#[cfg(feature = "synology-chat")]
pub mod synology_chat;
#[cfg(feature = "telegram")]
pub mod telegram;
#[cfg(feature = "twitch")]
pub mod twitch;
#[cfg(feature = "webchat")]
pub mod webchat;
#[cfg(feature = "whatsapp")]
pub mod whatsapp;
#[cfg(feature = "zalo")]
pub mod zalo;
#[cfg(feature = "zalouser")]
pub mod zalouser;

pub use adapter::{Channel, Direction, Feature, Setup, Transport};
pub use options::{ConfigError, Options};
pub use programs::Programs;
pub use secret::Secret;
