//! The long poll: what happened since a place in the stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dmgate::{ChannelStatus, Inbox, escape};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::api::{Amount, direct_rooms};
use super::event::{self, Found};
use super::place::{Place, TAKEN};
use super::room::Members;
use super::{AutoJoin, Matrix, invite};
use crate::api::{ApiError, Trouble};
use crate::life::End;

/// What a poll brings.
#[derive(Deserialize)]
pub(super) struct Answer {
    next_batch: String,
    #[serde(default)]
    account_data: Events,
    #[serde(default)]
    rooms: SyncRooms,
}

#[derive(Deserialize, Default)]
struct SyncRooms {
    #[serde(default)]
    join: BTreeMap<String, Joined>,
    #[serde(default)]
    invite: BTreeMap<String, Invited>,
    #[serde(default)]
    leave: BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct Joined {
    #[serde(default)]
    timeline: Timeline,
}

#[derive(Deserialize, Default)]
struct Timeline {
    #[serde(default)]
    events: Vec<Value>,
    /// There is more since the last place than these.
    #[serde(default)]
    limited: bool,
    /// The place before the first of these.
    prev_batch: Option<String>,
}

#[derive(Deserialize)]
struct Invited {
    #[serde(default)]
    invite_state: Events,
}

#[derive(Deserialize, Default)]
struct Events {
    #[serde(default)]
    events: Vec<Value>,
}

/// Some of what was said in a room.
#[derive(Deserialize)]
pub(super) struct Page {
    chunk: Vec<Value>,
    /// Where the next one begins, if there is one.
    end: Option<String>,
}

/// Why a batch was not taken to its end.
enum Broken {
    /// The rest is for the next run.
    Stopped,
    Trouble(ApiError),
}

/// What does not change while a connection lasts.
struct Line<'a> {
    own: &'a str,
    inbox: &'a Inbox,
    shutdown: &'a CancellationToken,
}

impl Matrix {
    /// One connection: polls until something ends it, and answers invites beside that.
    pub(super) async fn connect(&self, inbox: &Inbox, shutdown: &CancellationToken) -> End {
        let begun = tokio::select! {
            () = shutdown.cancelled() => return End::Stopped,
            begun = self.begin() => begun,
        };
        let own = match begun {
            Ok(own) => own,
            Err(error) => return ended(&error),
        };
        let line = Line { own: &own, inbox, shutdown };
        tokio::select! {
            end = self.poll(&line) => end,
            end = self.answer_invites(&own) => end,
        }
    }

    /// Who we are and which rooms are direct chats: the poll tells of the latter only when it changes.
    async fn begin(&self) -> Result<String, ApiError> {
        let own = self.api.whoami().await?;
        let own = self.own.get_or_init(|| async { own }).await.clone();
        self.rooms.forget_all();
        self.rooms.set_direct(&self.api.direct(&own).await?);
        self.place
            .change(|place| {
                if place.user != own {
                    *place = Place { user: own.clone(), ..Place::default() };
                }
            })
            .await;
        let place = self.place.get().await;
        place.invites.iter().for_each(|invite| self.rooms.joining(invite));
        for event in place.taken {
            self.seen.is_new(event);
        }
        Ok(own)
    }

    async fn poll(&self, line: &Line<'_>) -> End {
        // The first poll returns at once: it shows whether we are welcome.
        let mut wait = Duration::ZERO;
        loop {
            let since = self.place.get().await.next_batch;
            // After trouble we ask for little: the answer may have been too large.
            let amount = match self.failed.fetch_add(1, Ordering::Relaxed) {
                0 => Amount::Usual,
                1 => Amount::Few,
                _ => Amount::Bare,
            };
            let answer = tokio::select! {
                () = line.shutdown.cancelled() => return End::Stopped,
                answer = self.api.sync(since.as_deref(), wait, amount) => answer,
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => return self.lost(&error, since.is_some()).await,
            };
            self.failed.store(0, Ordering::Relaxed);
            if wait.is_zero() {
                self.status.set(ChannelStatus::Ready);
                line.inbox.reachable(&self.meta.account);
                wait = self.pace.poll;
            }
            let next = answer.next_batch.clone();
            match self.take(line, since.as_deref(), answer, amount).await {
                // Only now: what is before it never comes again.
                Ok(()) => self.place.change(|place| place.moved(next)).await,
                Err(broken) => {
                    let taken = self.seen.latest(TAKEN);
                    self.place.change(|place| place.taken = taken).await;
                    return match broken {
                        Broken::Stopped => End::Stopped,
                        Broken::Trouble(error) => ended(&error),
                    };
                }
            }
        }
    }

    /// A poll was refused or lost. A place that the homeserver does not know would be refused for ever.
    async fn lost(&self, error: &ApiError, had_place: bool) -> End {
        if had_place && matches!(error.trouble, Trouble::Refused { status: 400, .. }) {
            let account = &self.meta.account;
            tracing::error!(
                %account,
                "the homeserver does not know our place any more ({error}); it starts anew: messages that came in while it \
                 was off may be missing"
            );
            self.place.change(|place| place.next_batch = None).await;
        }
        ended(error)
    }

    /// Takes what a poll brought.
    async fn take(
        &self,
        line: &Line<'_>,
        since: Option<&str>,
        answer: Answer,
        amount: Amount,
    ) -> Result<(), Broken> {
        for data in &answer.account_data.events {
            if let (Some("m.direct"), Some(content)) = (event::text(data, "/type"), data.get("content")) {
                self.rooms.set_direct(&direct_rooms(content));
            }
        }
        answer.rooms.leave.keys().for_each(|room| self.rooms.forget(room));
        self.note_invites(line.own, &answer.rooms).await;
        // The first time, what was said before is not for us.
        let Some(since) = since else { return Ok(()) };
        for (room, Joined { timeline }) in answer.rooms.join {
            if amount == Amount::Bare {
                // It says where something happened. What it was is asked for, room by room; elsewhere it is refused anyhow.
                self.rooms.forget(&room);
                if self.rooms.direct_user(&room).is_some() {
                    self.fill(line, &room, since, &answer.next_batch).await?;
                }
                continue;
            }
            if timeline.limited || timeline.events.iter().any(event::is_of_a_member) {
                self.rooms.forget(&room);
            }
            if let (true, Some(_), Some(until)) =
                (timeline.limited, self.rooms.direct_user(&room), &timeline.prev_batch)
            {
                self.fill(line, &room, since, until).await?;
            }
            self.deliver(line, &room, &timeline.events).await?;
        }
        Ok(())
    }

    async fn note_invites(&self, own: &str, rooms: &SyncRooms) {
        let mut invites = Vec::new();
        for (room, Invited { invite_state }) in &rooms.invite {
            match invite::read(own, room, &invite_state.events) {
                Ok(invite) if self.auto_join == AutoJoin::Direct => invites.push(invite),
                Ok(_) => tracing::debug!(account = %self.meta.account, "an invite is left to the owner"),
                Err(invite::NoChat::Encrypted(inviter)) => self.tell_encrypted(room, &inviter),
                Err(invite::NoChat::Other(reason)) => {
                    tracing::debug!(account = %self.meta.account, "an invite is not accepted: {reason}");
                }
            }
        }
        if invites.is_empty() && rooms.leave.is_empty() {
            return;
        }
        self.place
            .change(|place| {
                rooms.leave.keys().for_each(|room| place.uninvited(room));
                for invite in invites {
                    self.rooms.joining(&invite);
                    if !place.invited(invite) {
                        tracing::warn!(account = %self.meta.account, "too many invites: the oldest is forgotten");
                    }
                }
            })
            .await;
        self.invited.notify_one();
    }

    /// Takes what was said in a direct chat between two places, page after page: a poll brings the end of it only.
    async fn fill(&self, line: &Line<'_>, room: &str, since: &str, until: &str) -> Result<(), Broken> {
        let mut from = since.to_owned();
        loop {
            if line.shutdown.is_cancelled() {
                return Err(Broken::Stopped);
            }
            let page = match self.api.messages(room, &from, until).await {
                Ok(page) => page,
                // We are not in it any more.
                Err(error) if is_of_the_room(&error) => return Ok(()),
                Err(error) => return Err(Broken::Trouble(error)),
            };
            self.deliver(line, room, &page.chunk).await?;
            match page.end {
                Some(end) if end != from && !page.chunk.is_empty() => from = end,
                _ => return Ok(()),
            }
        }
    }

    /// Hands on what was said in a room, one event after another.
    async fn deliver(&self, line: &Line<'_>, room: &str, events: &[Value]) -> Result<(), Broken> {
        // Before an invite the room was not ours, or was at another time.
        let invited = events.iter().rposition(|event| event::invites(event, line.own));
        for event in events.iter().skip(invited.unwrap_or_default()) {
            if line.shutdown.is_cancelled() {
                return Err(Broken::Stopped);
            }
            let direct_user = self.rooms.direct_user(room);
            let members = match (&direct_user, event::sender(event)) {
                (Some(user), Some(sender)) if user == sender => {
                    self.members(room).await.map_err(Broken::Trouble)?
                }
                _ => None,
            };
            let account = &self.meta.account;
            let found = Found {
                account,
                own: line.own,
                room,
                direct_user: direct_user.as_deref(),
                members: members.as_deref(),
            };
            let Some(id) = event::id(event).map(str::to_owned) else { continue };
            if !self.seen.is_new(id.clone()) {
                continue;
            }
            if let (true, Some(user)) = (event::is_encrypted(event), &direct_user) {
                self.tell_encrypted(room, user);
            }
            match found.parse(event) {
                Ok(message) => {
                    if !line.inbox.deliver(message).await {
                        self.seen.forget(&id);
                        return Err(Broken::Stopped);
                    }
                }
                Err(reason) => tracing::debug!(%account, "an event is dropped: {reason}"),
            }
        }
        Ok(())
    }

    /// Who is in a room; `None` if we may not know. It is asked in this loop only: so no answer is older than the last
    /// change that we heard of.
    async fn members(&self, room: &str) -> Result<Option<Arc<Members>>, ApiError> {
        if let Some(members) = self.rooms.members(room) {
            return Ok(Some(members));
        }
        match self.api.state(room).await {
            Ok(state) => Ok(Some(self.rooms.remember(room, Members::of(&state)))),
            Err(error) if is_of_the_room(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells the operator of an encrypted room, once.
    pub(super) fn tell_encrypted(&self, room: &str, user: &str) {
        if self.rooms.is_news(room) {
            let (account, user) = (&self.meta.account, escape(user));
            tracing::warn!(
                %account,
                "`{user}` writes in an encrypted room, which can't be read here: nothing comes in from there, and nothing is \
                 sent; a direct chat without encryption would do"
            );
        }
    }
}

/// Whether a refusal is about the room, and not about us or the moment.
pub(super) fn is_of_the_room(error: &ApiError) -> bool {
    matches!(error.trouble, Trouble::Refused { status: 400 | 403 | 404, .. })
}

fn ended(error: &ApiError) -> End {
    if error.says("M_UNKNOWN_TOKEN") || error.says("M_MISSING_TOKEN") {
        return End::NeedsLogin(format!("{error}; log in anew and put the new token into `access_token`"));
    }
    if error.says("M_USER_DEACTIVATED") {
        return End::Refused(error.to_string());
    }
    error.end(|_, _, _| None::<&str>)
}
