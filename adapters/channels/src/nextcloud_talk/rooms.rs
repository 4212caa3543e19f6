//! Which conversations are one-to-one: the server is asked, and its answer holds for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmgate::{ChannelStatus, Conversation};
use tokio::time::Instant;

use super::NextcloudTalk;
use crate::api::ApiError;
use crate::backoff::insist;
use crate::kept::Latest;

/// How long an answer holds. A one-to-one conversation never gets a third participant; it only ends.
const HOLDS: Duration = Duration::from_secs(300);

/// The conversations that were asked about last.
#[derive(Default)]
pub(super) struct Rooms(Mutex<Latest<String, Arc<Room>, 1_024>>);

/// An answer and when it was given. While one asks, who wants the same waits.
type Room = tokio::sync::Mutex<Option<(Conversation, Instant)>>;

impl Rooms {
    /// What is known of a conversation, or what `ask` brings. An error is not kept.
    async fn conversation<F>(&self, token: &str, ask: impl FnOnce() -> F) -> Result<Conversation, ApiError>
    where
        F: Future<Output = Result<Conversation, ApiError>>,
    {
        let room = self.room(token);
        let mut known = room.lock().await;
        if let Some((conversation, since)) = *known
            && since.elapsed() < HOLDS
        {
            return Ok(conversation);
        }
        let conversation = ask().await?;
        *known = Some((conversation, Instant::now()));
        Ok(conversation)
    }

    fn room(&self, token: &str) -> Arc<Room> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.get(&token.to_owned()).cloned().unwrap_or_default();
        rooms.put(token.to_owned(), Arc::clone(&room));
        room
    }
}

impl NextcloudTalk {
    /// What a conversation is; unknown where nobody can be asked or nobody answers.
    // INVARIANT I16: one-to-one is what the server says of it, and nothing else.
    pub(super) async fn conversation(&self, token: &str) -> Conversation {
        if !self.cloud.has_user() {
            return Conversation::Unknown;
        }
        let ask = || async {
            let conversation = self.cloud.conversation(token).await?;
            self.status.set(ChannelStatus::Ready);
            Ok(conversation)
        };
        match insist(&self.world, self.retry, || self.rooms.conversation(token, ask)).await {
            Ok(conversation) => conversation,
            Err(error) => {
                let reason = format!("a message is lost: whether it is direct is not known ({error})");
                self.status.set(ChannelStatus::Connecting(Some(reason)));
                Conversation::Unknown
            }
        }
    }
}
