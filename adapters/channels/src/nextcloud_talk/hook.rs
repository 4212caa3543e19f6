//! Calls of the server's.

use bytes::Bytes;
use dmgate::{Conversation, InboundMessage, Origin, ReplyRoute, Strength, Webhook};
use http::StatusCode;
use http::request::Parts;

use super::{NextcloudTalk, cloud, event, send};
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
    pub(super) async fn take(&self, request: http::Request<Bytes>) -> Webhook {
        let (head, body) = request.into_parts();
        let taken = self.proven(&head, &body).and_then(|is_new| Ok((is_new, whole(body)?)));
        let body = match taken {
            Ok((true, body)) => body,
            Ok((false, _)) => return Webhook::status(StatusCode::OK),
            Err(refused) => return Webhook::status(refused),
        };
        let mut answer = Webhook::status(StatusCode::OK);
        answer.messages.extend(self.read(&body).await);
        answer
    }

    /// Whether a call that is proven is the first with its random value.
    // INVARIANT I14: only a call that is proven uses its random value up, and a copy of one is none.
    fn proven(&self, head: &Parts, body: &[u8]) -> Result<bool, StatusCode> {
        let Proof { random, signature, backend } = proof(head)?;
        if !Signature::hmac(&self.secret, &[random.as_bytes(), body]).is_hex(signature) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        if cloud::canonical(backend).as_deref() != Some(&self.backend) {
            let (account, backend) = (&self.meta.account, dmgate::escape(backend));
            tracing::warn!(%account, "the server calls itself `{backend}`: if it is yours, put that into `backend`");
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(self.nonces.is_new(random.to_owned()))
    }

    async fn read(&self, body: &[u8]) -> Option<InboundMessage> {
        let account = &self.meta.account;
        let event = event::parse(account, self.own_uid(), body)
            .inspect_err(|reason| tracing::debug!(%account, "an event is dropped: {reason}"))
            .ok()?;
        let event::Event { mut message, room } = event;
        let Some(room) = room.filter(|room| send::is_token(room)) else { return Some(message) };
        if message.event.acts() {
            let id = message.message_id.clone();
            if id.is_some_and(|id| !self.seen.is_new((room.clone(), id))) {
                return None;
            }
            // Whoever is refused anyhow causes no question.
            if message.origin == Origin::Person && message.sender.strength() == Strength::Authenticated {
                message.conversation = self.conversation(&room).await;
            }
        }
        if message.conversation == Conversation::Direct {
            message.route = ReplyRoute::new(room);
        }
        Some(message)
    }

    fn own_uid(&self) -> &str {
        self.own_uid.get().map_or_else(|| self.cloud.user(), String::as_str)
    }
}
