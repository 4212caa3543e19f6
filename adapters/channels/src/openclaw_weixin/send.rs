//! Texts to WeChat.

use std::sync::PoisonError;
use std::time::Duration;

use dmgate::{OutboundText, ReplyRoute, SendError};
use serde_json::{Value, json};

use super::Weixin;
use super::route::Route;
use super::session::Session;

/// How long WeChat may take to show that we are writing.
const TYPING: Duration = Duration::from_secs(3);

impl Weixin {
    /// Sends one text, plain, with the token of the last message of its receiver that is known.
    pub(super) async fn send(&self, route: &ReplyRoute, text: &OutboundText) -> Result<(), SendError> {
        let Some(route) = Route::parse(route) else {
            return Err(SendError::Impossible { reason: "this is no way to a person".to_owned() });
        };
        let Some(session) = self.session() else {
            let reason = "nobody is logged in to WeChat yet".to_owned();
            return Err(SendError::Failed { reason, retry_after: None });
        };
        let message = json!({ "msg": {
            "from_user_id": "",
            "to_user_id": route.person,
            // The same for each try. That WeChat drops a second one is not promised.
            "client_id": format!("dmgate-{}", text.idempotency_key),
            "message_type": 2,
            "message_state": 2,
            "context_token": self.token_of(&route).await,
            "item_list": [{ "type": 1, "text_item": { "text": text.body } }],
        }});
        let sent = session.link.call("ilink/bot/sendmessage", message).await;
        // No refusal is known after which no further try could help: the next message brings a new token.
        sent.map(drop).map_err(|error| error.outcome(|_, _| false))
    }

    /// Shows that we are writing; the answer itself does not wait for it for long.
    pub(super) async fn type_to(&self, route: &ReplyRoute) {
        if let (Some(route), Some(session)) = (Route::parse(route), self.session()) {
            let _ = tokio::time::timeout(TYPING, self.show(&session, &route)).await;
        }
    }

    async fn show(&self, session: &Session, route: &Route<'_>) -> Option<()> {
        let person = route.person;
        let held =
            self.tickets.lock().unwrap_or_else(PoisonError::into_inner).get(&person.to_owned()).cloned();
        let ticket = match held {
            Some(ticket) => ticket,
            None => {
                let asked = json!({ "ilink_user_id": person, "context_token": self.token_of(route).await });
                let answer = session.link.call("ilink/bot/getconfig", asked).await.ok()?;
                let ticket = answer.get("typing_ticket")?.as_str().filter(|ticket| !ticket.is_empty())?;
                ticket.to_owned()
            }
        };
        let typing = json!({ "ilink_user_id": person, "typing_ticket": ticket, "status": 1 });
        // A ticket that is not taken is asked for anew the next time.
        session.link.call("ilink/bot/sendtyping", typing).await.ok()?;
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.put(person.to_owned(), ticket);
        Some(())
    }

    /// The newest token that there is. Strangers may have pushed it out of those that are kept; the route's own stays.
    async fn token_of(&self, route: &Route<'_>) -> Value {
        let newest = self.kept.look(|place| place.tokens.get(&route.person.to_owned()).cloned()).await;
        newest.or_else(|| route.token.map(str::to_owned)).map_or(Value::Null, Value::String)
    }
}
