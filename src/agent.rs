//! What answers admitted messages.

use std::sync::Arc;

use async_trait::async_trait;

use crate::channel::{AttachmentFile, ChannelAdapter, ChannelMeta, FetchError, OutboundPicture, SendError};
use crate::decision::Permit;
use crate::message::{Attachment, InboundMessage};

/// What answers admitted messages: a model, a bot, a program.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// Answers one message with any number of texts, which are sent in their order. Turns of one conversation come one
    /// after another, turns of different ones at the same time.
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError>;
}

/// One admitted message on its way to the agent. It can't be made without a [`Permit`], and only the gate makes those.
#[derive(Clone)]
pub struct Turn {
    permit: Permit,
    message: InboundMessage,
    channel: Arc<dyn ChannelAdapter>,
}

impl Turn {
    /// A turn for a message that was let in; `None` if the permit is another sender's or another account's, or the
    /// gate that gave it is gone.
    // INVARIANT I1: a permit lets in its own sender's messages, on its own account.
    #[must_use]
    pub fn new(permit: Permit, message: InboundMessage, channel: Arc<dyn ChannelAdapter>) -> Option<Self> {
        permit.is_for(&message).then_some(Self { permit, message, channel })
    }

    /// The proof that the message was let in; ask it in long turns whether it still stands.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &InboundMessage {
        &self.message
    }

    /// What the channel is that it came in on.
    #[must_use]
    pub fn channel(&self) -> &ChannelMeta {
        self.channel.meta()
    }

    /// Sends a picture to who wrote, before the texts of the answer. It is tried once.
    ///
    /// # Errors
    /// [`SendError::Impossible`] where the channel sends none, and if the sender is not in any more; else as
    /// [`ChannelAdapter::send_picture`].
    // INVARIANT I9: a turn can be long, and who was revoked meanwhile gets nothing.
    pub async fn send_picture(&self, picture: &OutboundPicture) -> Result<(), SendError> {
        if !self.permit.is_current().await {
            return Err(SendError::Impossible { reason: "the sender is not in any more".to_owned() });
        }
        self.channel.send_picture(&self.message.route, picture).await
    }

    /// Fetches what came with the message into memory, at most `limit` bytes.
    ///
    /// # Errors
    /// [`FetchError`] if the channel can't, the platform does not, or it is larger than `limit`.
    pub async fn fetch(&self, attachment: &Attachment, limit: u64) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        self.fetch_into(attachment, limit, &mut bytes).await?;
        Ok(bytes)
    }

    /// Fetches what came with the message into a file, say, piece by piece; how many bytes it was.
    ///
    /// # Errors
    /// As [`Turn::fetch`], and if `file` takes no more. What was written then is worth nothing.
    pub async fn fetch_into(
        &self,
        attachment: &Attachment,
        limit: u64,
        file: &mut AttachmentFile,
    ) -> Result<u64, FetchError> {
        self.channel.fetch(&self.permit, attachment, limit, file).await
    }
}

/// Why an agent gave no answer. The sender is told nothing; the operator reads it in the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct AgentError(
    /// What happened and what to do, without secrets and without the message.
    pub String,
);

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("account", &self.message.account).finish_non_exhaustive()
    }
}
