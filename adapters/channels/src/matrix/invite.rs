//! Invites: which are to a direct chat, and how we follow them.
//!
//! Everyone can invite us anywhere, as often as they like. So rooms are joined one after another, not too fast and not too
//! many of one person; what is no direct chat after all is left again.

use std::time::Duration;

use serde_json::Value;

use super::place::Invite;
use super::room::Members;
use super::route::{is_room, is_user};
use super::sync::is_of_the_room;
use super::{Matrix, event};
use crate::api::{ApiError, Trouble};
use crate::life::End;

/// How many direct chats one person may have with us; for a new one the oldest is left.
const ROOMS_EACH: usize = 3;

/// How often we try to join a room that can't be joined for now.
const TRIES: u32 = 5;

/// Why we don't follow an invite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NoChat {
    /// The room is encrypted; who invites us.
    Encrypted(String),
    Other(&'static str),
}

/// The invite in what is shown of a room before we join it.
pub(super) fn read(own: &str, room: &str, state: &[Value]) -> Result<Invite, NoChat> {
    let other = NoChat::Other;
    let invite = state.iter().find(|event| event::invites(event, own)).ok_or(other("there is none in it"))?;
    let inviter = event::sender(invite).filter(|inviter| is_user(inviter) && *inviter != own);
    let inviter = inviter.filter(|_| is_room(room)).ok_or(other("it is malformed"))?;
    if invite.pointer("/content/is_direct") != Some(&Value::Bool(true)) {
        return Err(other("it is not to a direct chat"));
    }
    let set = |kind: &str| state.iter().find(|event| event::text(event, "/type") == Some(kind));
    if set("m.room.encryption").is_some() {
        return Err(NoChat::Encrypted(inviter.to_owned()));
    }
    if set("m.room.create").and_then(|event| event::text(event, "/content/type")) == Some("m.space") {
        return Err(other("it is to a space"));
    }
    Ok(Invite { room: room.to_owned(), inviter: inviter.to_owned(), tries: 0 })
}

impl Matrix {
    /// Answers invites, one after another, as long as it is polled.
    pub(super) async fn answer_invites(&self, own: &str) -> End {
        loop {
            let Some(invite) = self.place.get().await.invites.into_iter().next() else {
                self.invited.notified().await;
                continue;
            };
            self.rooms.joining(&invite);
            let pause = match self.follow(own, &invite).await {
                Ok(()) => Duration::ZERO,
                Err(error) => self.put_off(&invite, &error).await,
            };
            if pause.is_zero() {
                self.rooms.joined(&invite.room);
                self.place.change(|place| place.uninvited(&invite.room)).await;
            }
            tokio::time::sleep(pause.max(self.pace.join)).await;
        }
    }

    /// After trouble: how long to wait before the next try, or zero where there is none.
    async fn put_off(&self, invite: &Invite, error: &ApiError) -> Duration {
        let asked = match &error.trouble {
            Trouble::Refused { retry_after, .. } => *retry_after,
            _ => None,
        };
        let tries = invite.tries + u32::from(asked.is_none());
        if is_of_the_room(error) || tries >= TRIES {
            tracing::warn!(account = %self.meta.account, "an invite can't be followed: {error}");
            return Duration::ZERO;
        }
        // It goes to the end: others need not wait for it.
        let again = Invite { tries, ..invite.clone() };
        self.place
            .change(|place| {
                place.invited(again);
            })
            .await;
        asked.unwrap_or(self.pace.join * 8).max(Duration::from_millis(1))
    }

    /// Joins a direct chat; done twice it does no harm.
    async fn follow(&self, own: &str, Invite { room, inviter, .. }: &Invite) -> Result<(), ApiError> {
        self.api.join(room).await?;
        let members = Members::of(&self.api.state(room).await?);
        if members.is_encrypted {
            self.tell_encrypted(room, inviter);
        }
        if members.is_encrypted || !members.is_between(own, inviter) {
            tracing::info!(account = %self.meta.account, "a room is left: it is no direct chat that we can read");
            return self.api.leave(room).await;
        }
        let mut direct = self.api.direct(own).await?;
        let rooms = direct.entry(inviter.clone()).or_default();
        if !rooms.contains(room) {
            rooms.push(room.clone());
        }
        let surplus = rooms.len().saturating_sub(ROOMS_EACH);
        let old: Vec<String> = rooms.drain(..surplus).collect();
        self.api.set_direct(own, &direct).await?;
        self.rooms.set_direct(&direct);
        for room in old {
            // Perhaps we left it long ago.
            let _ = self.api.leave(&room).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn invite(change: impl FnOnce(&mut Vec<Value>)) -> Result<Invite, NoChat> {
        let mut state = vec![
            json!({ "type": "m.room.create", "state_key": "", "sender": "@ann:x", "content": {} }),
            json!({
                "type": "m.room.member", "state_key": "@bot:x", "sender": "@ann:x",
                "content": { "membership": "invite", "is_direct": true },
            }),
        ];
        change(&mut state);
        read("@bot:x", "!r:x", &state)
    }

    #[test]
    fn only_an_invite_to_a_direct_chat_that_we_can_read_is_followed() {
        let followed = Invite { room: "!r:x".to_owned(), inviter: "@ann:x".to_owned(), tries: 0 };
        assert_eq!(invite(|_| {}), Ok(followed));
        let encryption = json!({ "type": "m.room.encryption", "state_key": "", "content": {} });
        assert_eq!(invite(|state| state.push(encryption)), Err(NoChat::Encrypted("@ann:x".to_owned())));
        type Change = fn(&mut Vec<Value>);
        let changes: [Change; 8] = [
            |state| drop(state.pop()),
            |state| state[1]["content"]["is_direct"] = json!(false),
            |state| state[1]["content"]["is_direct"] = json!("true"),
            |state| drop(state[1]["content"].as_object_mut().unwrap().remove("is_direct")),
            |state| state[1]["state_key"] = json!("@other:x"),
            |state| state[1]["content"]["membership"] = json!("join"),
            |state| state[1]["sender"] = json!("@bot:x"),
            |state| state[0]["content"]["type"] = json!("m.space"),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert!(matches!(invite(change), Err(NoChat::Other(_))), "{number}");
        }
    }
}
