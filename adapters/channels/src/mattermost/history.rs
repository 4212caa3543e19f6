//! Where we are among the posts, and what was posted while we were away.

use dmgate::{Conversation, Inbox};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::post::{Reading, Where};
use super::session::{Step, Taken};
use super::{Mattermost, api};
use crate::life::End;

/// How far before the last post we ask: posts that come at the same moment may be stored in another order.
const OVERLAP: i64 = 5_000;

/// Posts that are known again after a restart.
const KNOWN: usize = 512;

/// Posts that may be taken before it is noted where we are, while more wait.
const UNNOTED: usize = 64;

/// The most that a server gives at once.
const MOST: usize = 1_000;

/// Where we are among the posts of one server.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// When the last post was created that was there before the first run: what is older is never asked for.
    from: i64,
    /// When the last post was created that was taken, by the server's clock, in milliseconds; zero before the first run.
    pub(super) until: i64,
    /// The ids of the last ones.
    taken: Vec<String>,
}

impl Mattermost {
    /// Hands posts to the gate, one after another, and notes how far it is.
    pub(super) async fn work(&self, mut steps: mpsc::Receiver<Step>, inbox: &Inbox) {
        for id in self.place.get().await.taken {
            self.seen.is_new(id);
        }
        let mut unnoted = 0;
        while let Some(step) = steps.recv().await {
            let until = match step {
                Step::Until(until) => Some(until),
                Step::Take(Taken { message, id, until }) => {
                    let is_direct = message.conversation == Conversation::Direct;
                    // What was said elsewhere is not noted: it would put out what is asked for again after a restart.
                    let id = id.filter(|_| is_direct);
                    if id.as_ref().is_some_and(|id| !self.seen.is_new(id.clone())) {
                        continue;
                    }
                    if !inbox.deliver(*message).await {
                        // It is asked for again.
                        id.iter().for_each(|id| self.seen.forget(id));
                        break;
                    }
                    // What was said elsewhere is never asked for.
                    if !is_direct {
                        continue;
                    }
                    until
                }
            };
            self.place.note(|place| place.until = place.until.max(until.unwrap_or_default())).await;
            unnoted += 1;
            if steps.is_empty() || unnoted >= UNNOTED {
                self.note_place().await;
                unnoted = 0;
            }
        }
        self.note_place().await;
    }

    async fn note_place(&self) {
        self.place.change(|place| place.taken = self.seen.latest(KNOWN)).await;
    }

    /// Asks for what was posted since the last post that was taken. In the very first run it only notes where the server
    /// is: what was written before is nobody's question to us.
    pub(super) async fn catch_up(&self, own_id: &str, steps: &mpsc::Sender<Step>) -> Result<(), End> {
        let channels = self.api.channels().await.map_err(|error| api::end(&error))?;
        let direct = || channels.iter().filter(|channel| channel.kind == "D");
        let newest = direct().map(|channel| channel.last_post_at).max().unwrap_or_default();
        let Place { from, until, .. } = self.place.get().await;
        if until == 0 {
            self.place.change(|place| (place.from, place.until) = (newest, newest.max(1))).await;
            return Ok(());
        }
        let reading = Reading { account: &self.meta.account, own_id };
        let since = until.saturating_sub(OVERLAP).max(from);
        for channel in direct().filter(|channel| channel.last_post_at > since) {
            let posts = self.api.posts_since(&channel.id, since).await.map_err(|error| api::end(&error))?;
            if posts.len() >= MOST {
                let account = &self.meta.account;
                tracing::warn!(%account, "more was posted in one conversation than the server gives; some may be missing");
            }
            // Older ones come because they were changed since.
            for post in posts.into_iter().filter(|post| post.create_at > since) {
                let id = post.id.clone();
                let place = Where { kind: &channel.kind, name: &channel.name };
                let Ok(message) = reading.post(post, place, None) else { continue };
                // Not yet how far we are: another conversation's posts may be older.
                let taken = Taken { message: Box::new(message), id: Some(id), until: None };
                steps.send(Step::Take(taken)).await.map_err(|_| End::Stopped)?;
            }
        }
        // By the server's own clock.
        steps.send(Step::Until(newest)).await.map_err(|_| End::Stopped)
    }
}
