//! A call of Telegram's web hook, whatever its body: without the secret nothing comes of it; with it, whoever is let in
//! is the person whom the update names as its sender, in a chat with that person alone.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use dmgate::{AccountKey, AccountPolicy, ChannelAdapter, Decision, DmGate, DmPolicy, Limits, Webhook};
use dmgate_channels::{Channel, Options, Setup};
use serde_json::Value;

use crate::scene::wait;

const OWNER: i64 = 42;

/// `data` is the body. A number that it begins with is made new, since an update counts once.
pub fn check(data: &[u8]) {
    ADAPTER.with(|(adapter, gate, count)| {
        count.set(count.get() + 1);
        let data = match data.strip_prefix(b"{\"update_id\":1,") {
            Some(rest) => [format!("{{\"update_id\":{},", count.get()).as_bytes(), rest].concat(),
            None => data.to_vec(),
        };
        for wrong in ["", "s3cre", "s3cret0", "S3CRET"] {
            let Webhook { response, messages, .. } = call(adapter, wrong, &data);
            assert!(response.status() == 401 && messages.is_empty(), "without the secret");
        }
        let Webhook { response, messages, .. } = call(adapter, "s3cret", &data);
        let update: Option<Value> = serde_json::from_slice(&data).ok();
        let is_update = update.as_ref().is_some_and(|update| update["update_id"].is_i64());
        assert_eq!(response.status().as_u16(), if is_update { 200 } else { 400 });
        assert!(messages.len() <= usize::from(is_update));
        for message in messages {
            assert_eq!(message.account, account());
            let update = update.as_ref().unwrap();
            match wait(gate.admit(&message)) {
                Decision::Admit(_) => is_owners(update),
                Decision::Unavailable(fault) => panic!("{fault}"),
                _ => assert!(message.sender.primary().as_str() != "42" || !is_plain(update), "kept out"),
            }
        }
    });
}

/// The update is a message or a press of a button, from the owner, who is a person, in the chat with the owner.
fn is_owners(update: &Value) {
    let body = ["message", "callback_query"].iter().find_map(|kind| update.get(kind));
    let body = body.expect("an event that acts");
    assert_eq!((&body["from"]["id"], &body["from"]["is_bot"]), (&OWNER.into(), &false.into()), "{update}");
    let chat = if body["chat"].is_object() { &body["chat"] } else { &body["message"]["chat"] };
    assert_eq!((&chat["type"], &chat["id"]), (&"private".into(), &OWNER.into()), "{update}");
    assert!(body["business_connection_id"].is_null() && body["sender_chat"].is_null(), "{update}");
}

/// What has nothing in it but what a plain message has.
fn is_plain(update: &Value) -> bool {
    let is_small = |value: &Value, most: usize| value.as_object().is_some_and(|fields| fields.len() <= most);
    let body = &update["message"];
    is_small(update, 2)
        && is_small(body, 5)
        && body["text"].is_string()
        && (&body["chat"]["type"], &body["chat"]["id"]) == (&"private".into(), &OWNER.into())
        && body["from"]["is_bot"] == false
        && body["from"]["id"] == OWNER
        && body["date"].is_i64()
        && body["message_id"].is_i64()
}

thread_local! {
    static ADAPTER: (Arc<dyn ChannelAdapter>, DmGate, Cell<u64>) = (adapter(), gate(), Cell::new(0));
}

fn account() -> AccountKey {
    AccountKey::parse("telegram", "default").unwrap()
}

fn adapter() -> Arc<dyn ChannelAdapter> {
    let setup = Setup { public_url: Some("https://gate.test".to_owned()), ..Setup::new(account()) };
    let options =
        Options::new().with("token", "111:t").with("mode", "webhook").with("webhook_secret", "s3cret");
    let channel = Channel::of(account().channel()).unwrap();
    channel.open(setup, &options).unwrap()
}

fn gate() -> DmGate {
    let listed = ["42"];
    let policy = AccountPolicy::new(account().channel(), DmPolicy::Allowlist, listed, Limits::default());
    DmGate::builder().account(account(), policy.unwrap()).build()
}

fn call(adapter: &Arc<dyn ChannelAdapter>, secret: &str, body: &[u8]) -> Webhook {
    let request = http::Request::post("/").header("x-telegram-bot-api-secret-token", secret);
    wait(adapter.webhook(request.body(Bytes::copy_from_slice(body)).unwrap()))
}
