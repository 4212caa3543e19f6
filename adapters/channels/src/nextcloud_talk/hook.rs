//! Calls of the server's.

use bytes::Bytes;
use dmgate::{Conversation, Origin, ReplyRoute, Strength, Webhook};
use http::StatusCode;
use http::request::Parts;

use super::{NextcloudTalk, cloud, event, send};
use crate::dedupe::Again;
use crate::signature::Signature;
use crate::webhook::{header, is_post, whole};

/// The headers that prove where a call comes from.
pub(super) struct Proof<'a> {
    random: &'a str,
    signature: &'a str,
    backend: &'a str,
}

/// The proof that a head holds; the status for one that can't be right.
pub(super) fn proof(head: &Parts) -> Result<Proof<'_>, StatusCode> {
    is_post(head)?;
    let proof = Proof {
        random: header(head, "x-nextcloud-talk-random")?,
        signature: header(head, "x-nextcloud-talk-signature")?,
        backend: header(head, "x-nextcloud-talk-backend")?,
    };
    // The server takes 64 letters; without any, the same body would have the same signature for ever.
    if (32..=256).contains(&proof.random.len()) { Ok(proof) } else { Err(StatusCode::UNAUTHORIZED) }
}

impl NextcloudTalk {
    /// One call.
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Result<Webhook, StatusCode> {
        let (head, body) = request.into_parts();
        let random = self.proven(&head, &body)?;
        let mut answer = Webhook::status(StatusCode::OK);
        self.read(random, &whole(body)?, &mut answer).await?;
        Ok(answer)
    }

    /// The random value of a call that is proven.
    // INVARIANT I14: only a call that is proven uses its random value up, and a copy of one is none.
    fn proven<'a>(&self, head: &'a Parts, body: &[u8]) -> Result<&'a str, StatusCode> {
        let Proof { random, signature, backend } = proof(head)?;
        if !Signature::hmac(&self.secret, &[random.as_bytes(), body]).is_hex(signature) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if cloud::canonical(backend).as_deref() != Some(&self.backend) {
            let (account, backend) = (&self.meta.account, dmgate::escape(backend));
            tracing::warn!(%account, "the server calls itself `{backend}`: if it is yours, put that into `backend`");
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(random)
    }

    async fn read(&self, random: &str, body: &[u8], answer: &mut Webhook) -> Result<(), Again> {
        let account = &self.meta.account;
        let tell = |reason: &&str| tracing::debug!(%account, "an event is dropped: {reason}");
        let Ok(event) = event::parse(account, self.own_uid(), body).inspect_err(tell) else { return Ok(()) };
        let event::Event { mut message, room } = event;
        let room = room.filter(|room| send::is_token(room));
        // The random value is one call's, room and id are one message's.
        let mut ids = vec![random.to_owned()];
        if let (Some(room), Some(id), true) = (&room, &message.message_id, message.event.acts()) {
            ids.push(format!("{room} {id}"));
        }
        let Some(claim) = self.memory.claim(ids).await? else { return Ok(()) };
        if let Some(room) = room {
            // Whoever is refused anyhow causes no question.
            if message.event.acts()
                && message.origin == Origin::Person
                && message.sender.strength() == Strength::Authenticated
            {
                message.conversation = self.conversation(&room).await;
            }
            if message.conversation == Conversation::Direct {
                message.route = ReplyRoute::new(room);
            }
        }
        claim.answer(answer, message);
        Ok(())
    }

    fn own_uid(&self) -> &str {
        self.own_uid.get().map_or_else(|| self.cloud.user(), String::as_str)
    }
}
