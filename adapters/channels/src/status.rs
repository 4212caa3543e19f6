//! How a connection is doing, for the operator.

use dmgate::{AccountKey, ChannelStatus};
use tokio::sync::watch;

/// The status of one account. Each change is told to the log once.
pub(crate) struct StatusCell {
    account: AccountKey,
    status: watch::Sender<ChannelStatus>,
}

impl StatusCell {
    pub(crate) fn new(account: AccountKey) -> Self {
        Self { account, status: watch::Sender::new(ChannelStatus::Connecting(None)) }
    }

    pub(crate) fn get(&self) -> ChannelStatus {
        self.status.borrow().clone()
    }

    /// Notes a status. `status` must hold no secrets.
    pub(crate) fn set(&self, status: ChannelStatus) {
        if *self.status.borrow() == status {
            return;
        }
        let account = &self.account;
        match &status {
            ChannelStatus::Ready => tracing::info!(%account, "receiving"),
            ChannelStatus::Connecting(None) => tracing::info!(%account, "connecting"),
            ChannelStatus::Connecting(Some(reason)) => tracing::warn!(%account, "not receiving: {reason}"),
            ChannelStatus::NeedsLogin(reason) | ChannelStatus::Refused(reason) => {
                tracing::error!(%account, "not receiving: {reason}");
            }
        }
        self.status.send_replace(status);
    }

    /// Waits for a status that is `wanted`.
    #[cfg(test)]
    pub(crate) async fn reach(&self, wanted: impl Fn(&ChannelStatus) -> bool) -> ChannelStatus {
        self.status.subscribe().wait_for(|status| wanted(status)).await.unwrap().clone()
    }
}
