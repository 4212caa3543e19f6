//! The Telegram adapter against an emulator of the Bot API (`tests/peers`), behind a real gate.

use std::sync::Arc;

use crate::kept_alive::KeptAlive;
use crate::running::{Running, setup, soon};
use crate::web_server::WebServer;
use async_trait::async_trait;
use dmgate::pairing::{Approval, Surface, Target};
use dmgate::store::{Actor, MemoryStore};
use dmgate::{
    AccountKey, Agent, AgentError, ChannelAdapter, DmGate, DmPolicy, InboundMessage, Pipeline, ReplyRoute,
    Sender, SenderId, Turn, World,
};
use dmgate_channels::{Channel, Options};
use dmgate_test_peers::TelegramEmulator;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "111:token";

fn adapter(public_url: Option<String>, options: Options) -> Arc<dyn ChannelAdapter> {
    let mut setup = setup("telegram");
    setup.public_url = public_url;
    let channel = Channel::of(setup.account.channel()).unwrap();
    channel.open(setup, &options.with("token", TOKEN)).unwrap()
}

/// Runs blocking calls of the emulator beside the adapter.
async fn ask<T: Send + 'static>(
    emulator: &Arc<TelegramEmulator>,
    call: impl FnOnce(&TelegramEmulator) -> T + Send + 'static,
) -> T {
    let emulator = Arc::clone(emulator);
    tokio::task::spawn_blocking(move || call(&emulator)).await.unwrap()
}

async fn emulator() -> Arc<TelegramEmulator> {
    Arc::new(tokio::task::spawn_blocking(|| TelegramEmulator::start(TOKEN)).await.unwrap())
}

struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        Ok(vec![format!("you said: {}", turn.message().text)])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_neither_loses_nor_repeats_what_came_by_poll() {
    let emulator = emulator().await;
    let options = Options::new().with("api_base", emulator.base_url());
    ask(&emulator, |emulator| {
        emulator.send_message(42, "ann", "one");
        emulator.send_message(43, "bob", "two");
    })
    .await;

    let mut first = Running::of(adapter(None, options.clone()));
    assert_eq!(first.texts(2).await, ["one", "two"]);
    first.end().await;

    ask(&emulator, |emulator| emulator.send_message(42, "ann", "three")).await;
    let mut second = Running::of(adapter(None, options));
    assert_eq!(second.texts(1).await, ["three"]);
    ask(&emulator, |emulator| emulator.send_message(42, "ann", "four")).await;
    assert_eq!(second.texts(1).await, ["four"], "the emulator wakes the long poll");
    assert!(second.end().await.is_empty());
    let left = ask(&emulator, |emulator| emulator.bot("getUpdates", &json!({ "offset": 0 }))).await;
    assert_eq!(left["result"], json!([]), "all is confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_one_code_and_an_approved_sender_an_answer() {
    let emulator = emulator().await;
    let channel = adapter(None, Options::new().with("api_base", emulator.base_url()));
    let account = channel.meta().account.clone();
    let gate = DmGate::builder().store(MemoryStore::new(World::default())).policy(DmPolicy::Pairing).build();
    let pipeline = Pipeline::new(gate.clone(), Arc::new(Echo), vec![channel]);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (pipeline, shutdown) = (pipeline.clone(), shutdown.clone());
        async move { pipeline.run(shutdown).await }
    });

    ask(&emulator, |emulator| {
        let group = json!({ "id": -5, "type": "group", "title": "All" });
        let ann = json!({ "id": 42, "is_bot": false, "first_name": "Ann" });
        emulator.send(json!({ "from": ann, "chat": group, "text": "in a group" }));
        let bot = json!({ "id": 44, "is_bot": true, "first_name": "Bot" });
        let chat = json!({ "id": 44, "type": "private" });
        emulator.send(json!({ "from": bot, "chat": chat, "text": "from a bot" }));
        emulator.send_message(42, "ann", "hello");
        emulator.send_message(42, "ann", "hello again");
        emulator.send_message(43, "bob", "hello");
    })
    .await;
    // Updates are decided one after another: when Bob has his code, Ann's second message is decided.
    ask(&emulator, |emulator| emulator.wait_for_replies(43, 1)).await;
    let challenge = ask(&emulator, |emulator| emulator.wait_for_replies(42, 1)).await;
    assert!(challenge[0].contains("Your Telegram user id: 42"), "{challenge:?}");
    let pending = gate.store().pending(account.channel()).await.unwrap();
    assert_eq!(pending.len(), 2, "Ann and Bob; neither the group nor the bot");
    assert!(challenge[0].contains(pending[0].code.reveal()));

    approve(&gate, &account, "42").await;
    let welcome = ask(&emulator, |emulator| emulator.wait_for_replies(42, 2)).await;
    assert!(welcome[1].contains("let you in"), "{welcome:?}");
    ask(&emulator, |emulator| emulator.send_message(42, "ann", "at last")).await;
    let replies = ask(&emulator, |emulator| emulator.wait_for_replies(42, 3)).await;
    assert_eq!(replies[2], "you said: at last");
    assert_eq!(ask(&emulator, |emulator| emulator.replies(-5)).await, [""; 0]);
    assert_eq!(ask(&emulator, |emulator| emulator.replies(44)).await, [""; 0]);

    shutdown.cancel();
    soon(running).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_hook_takes_over_and_a_poll_takes_it_back() {
    let emulator = emulator().await;
    ask(&emulator, |emulator| emulator.send_message(42, "ann", "one")).await;
    let server = WebServer::start().await;
    let options = Options::new()
        .with("api_base", emulator.base_url())
        .with("mode", "webhook")
        .with("webhook_secret", "s3cret");
    let channel = adapter(Some(server.base()), options);
    let running = Running::of(Arc::clone(&channel));

    // What came in before is called in, with the secret; a caller without it gets nothing.
    let call = server.call().await;
    assert_eq!(call.request.uri().path(), "/webhooks/telegram/default");
    let mut forged = call.request.clone();
    forged.headers_mut().remove("x-telegram-bot-api-secret-token").unwrap();
    let refused = channel.webhook(forged).await;
    assert_eq!((refused.response.status().as_u16(), refused.messages.len()), (401, 0));
    let taken = channel.webhook(call.request.clone()).await.taken();
    assert_eq!(taken.messages[0].text, "one");
    let again = channel.webhook(call.request.clone()).await.taken();
    assert_eq!((again.response.status().as_u16(), again.messages.len()), (200, 0));
    call.answer(taken.response).await;
    ask(&emulator, |emulator| emulator.send_message(43, "bob", "two")).await;
    let call = server.call().await;
    let taken = channel.webhook(call.request.clone()).await.taken();
    assert_eq!(taken.messages[0].text, "two");
    call.answer(taken.response).await;
    let hook = ask(&emulator, |emulator| emulator.bot("getWebhookInfo", &json!({}))).await;
    assert_eq!(hook["result"]["url"], json!(format!("{}/webhooks/telegram/default", server.base())));
    running.end().await;
    let hook = ask(&emulator, |emulator| emulator.bot("getWebhookInfo", &json!({}))).await;
    assert_ne!(hook["result"]["url"], json!(""), "what comes in between waits for the next run");

    let mut running = Running::of(adapter(None, Options::new().with("api_base", emulator.base_url())));
    // Sent before or after the web hook is gone: the emulator keeps what nobody takes.
    drop(server);
    ask(&emulator, |emulator| emulator.send_message(42, "ann", "three")).await;
    assert_eq!(running.texts(1).await, ["three"]);
    running.end().await;
    let hook: Value = ask(&emulator, |emulator| emulator.bot("getWebhookInfo", &json!({}))).await;
    assert_eq!(hook["result"]["url"], json!(""));
}

/// Answers as often as it may.
struct Patient(Arc<Semaphore>);

#[async_trait]
impl Agent for Patient {
    async fn respond(&self, _turn: Turn) -> Result<Vec<String>, AgentError> {
        self.0.acquire().await.unwrap().forget();
        Ok(vec!["yes".to_owned()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_there_before_typing_is_shown_costs_no_connection() {
    let mut server = KeptAlive::start().await;
    let channel = adapter(None, Options::new().with("api_base", server.base()));
    let account = channel.meta().account.clone();
    let ann = SenderId::parse(account.channel(), "42").unwrap();
    let gate = DmGate::builder().store(MemoryStore::new(World::default())).build();
    let actor = Actor { name: "owner".to_owned(), surface: Surface::Local };
    gate.store().allow(&account, &ann, &actor).await.unwrap();
    let may_answer = Arc::new(Semaphore::new(0));
    // It is not run, so there is no poll among the calls.
    let pipeline = Pipeline::new(gate, Arc::new(Patient(Arc::clone(&may_answer))), vec![channel]);
    for _ in 0..16 {
        let mut message = InboundMessage::direct(account.clone(), Sender::new(ann.clone()), "hello");
        message.route = ReplyRoute::new("42");
        assert!(pipeline.inbox().deliver(message).await);
        let typing = server.call().await;
        assert!(typing.path.ends_with("/sendChatAction"), "{}", typing.path);
        may_answer.add_permits(1);
        let answer = server.call().await;
        assert!(answer.path.ends_with("/sendMessage"), "{}", answer.path);
        typing.answer(json!({ "ok": true, "result": true }));
        answer.answer(json!({ "ok": true, "result": {} }));
    }
    // Two at the same time, and a few more where one came back a moment too late.
    assert!(server.connections() < 6, "{} connections", server.connections());
}

async fn approve(gate: &DmGate, account: &AccountKey, sender: &str) {
    let approval = Approval {
        target: Target::Sender(SenderId::parse(account.channel(), sender).unwrap()),
        account: Some(account.account().clone()),
        notify: true,
    };
    let actor = Actor { name: "owner".to_owned(), surface: Surface::Local };
    gate.store().approve(account.channel(), approval, &actor).await.unwrap();
}
