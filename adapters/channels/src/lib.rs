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
//! What two platforms share is here once:
//!
//! - `secret.rs`, `options.rs`: tokens that can't be logged; options and their tables
//! - `backoff.rs`, `status.rs`: when to try again, and what the operator reads meanwhile
//! - `tls.rs`, `client.rs`, `webhook.rs`: encrypted connections, calls to a platform, calls by a platform
//! - `dedupe.rs`: what came twice
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
    not(all(feature = "irc", feature = "telegram")),
    allow(dead_code, unused_imports, reason = "what only a channel needs that is left out")
)]

mod adapter;
#[cfg(feature = "_tls")]
mod backoff;
#[cfg(feature = "_http")]
mod client;
#[cfg(any(feature = "_webhook", feature = "webchat"))]
mod dedupe;
#[cfg(test)]
#[cfg(feature = "_http")]
mod fake_server;
#[cfg(test)]
mod fixtures;
pub mod options;
mod secret;
#[cfg(feature = "_tls")]
mod status;
#[cfg(feature = "_tls")]
pub mod tls;
#[cfg(feature = "_webhook")]
mod webhook;

#[cfg(feature = "irc")]
pub mod irc;
#[cfg(feature = "telegram")]
pub mod telegram;
#[cfg(feature = "webchat")]
pub mod webchat;

pub use adapter::{Channel, Setup, Transport};
pub use options::{ConfigError, Options};
pub use secret::Secret;
