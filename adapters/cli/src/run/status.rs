//! How the channels are, said when it changes.

use std::collections::HashMap;
use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, ChannelStatus};

/// What was said last.
#[derive(Default)]
pub(super) struct Statuses(HashMap<AccountKey, ChannelStatus>);

impl Statuses {
    /// Says what changed.
    pub(super) fn report<'a>(&mut self, channels: impl Iterator<Item = &'a Arc<dyn ChannelAdapter>>) {
        for channel in channels {
            let (account, status) = (&channel.meta().account, channel.status());
            if self.0.get(account) == Some(&status) {
                continue;
            }
            match &status {
                ChannelStatus::Connecting(None) => tracing::info!(%account, "connecting"),
                ChannelStatus::Connecting(Some(why)) => tracing::warn!(%account, "connecting again: {why}"),
                ChannelStatus::Ready => tracing::info!(%account, "ready"),
                ChannelStatus::NeedsLogin(why) => tracing::error!(%account, "log in again: {why}"),
                ChannelStatus::Refused(why) => tracing::error!(%account, "refused: {why}"),
            }
            self.0.insert(account.clone(), status);
        }
    }
}
