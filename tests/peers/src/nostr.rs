//! A Nostr relay, and people at it who use the common client library.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nostr_relay_builder::prelude::{LocalRelay, RateLimit, RelayBuilder, RelayBuilderNip42};
use nostr_sdk::prelude::*;
use tokio::runtime::Runtime;

use crate::Platform;
use crate::platform::Letters;

/// A relay within this process, and one bot that uses it.
#[derive(Debug)]
pub struct NostrRelay {
    relay: LocalRelay,
    url: String,
    bot: Keys,
    people: HashMap<usize, Client>,
    letters: Arc<Letters>,
    runtime: Option<Runtime>,
}

impl NostrRelay {
    /// Starts a relay that serves everybody.
    pub fn start() -> Self {
        Self::of(RelayBuilder::default())
    }

    /// Starts one that gives messages to those only whom they are for (NIP-42).
    pub fn start_with_login() -> Self {
        Self::of(RelayBuilder::default().nip42(RelayBuilderNip42::default()).auth_dm(true))
    }

    fn of(builder: RelayBuilder) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let builder = builder.rate_limit(RateLimit { max_reqs: 10_000, notes_per_minute: 100_000 });
        let relay = LocalRelay::new(builder);
        let url = runtime.block_on(async {
            relay.run().await.expect("a relay");
            relay.url().await.to_string()
        });
        let (people, letters) = Default::default();
        Self { relay, url, bot: Keys::generate(), people, letters, runtime: Some(runtime) }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bot's key, in hex.
    pub fn bot(&self) -> String {
        self.bot.public_key().to_hex()
    }

    /// The bot's secret key.
    pub fn secret(&self) -> String {
        self.bot.secret_key().to_bech32().expect("a key can be written")
    }

    /// The bot is the one that has this secret key.
    pub fn serve_bot(&mut self, secret: &str) {
        self.bot = Keys::parse(secret).expect("a secret key");
    }

    /// A person writes in the older format (NIP-04), dated so many seconds ago.
    pub fn write_old(&mut self, person: usize, text: &str, ago: u64) {
        let (client, bot) = (self.person(person), self.bot.public_key());
        let keys = keys(person);
        let secret = nip04::encrypt(keys.secret_key(), &bot, text).expect("a text can be encrypted");
        let event = EventBuilder::new(Kind::EncryptedDirectMessage, secret).tag(Tag::public_key(bot));
        let event = event.custom_created_at(Timestamp::now() - Duration::from_secs(ago));
        let event = event.sign_with_keys(&keys).expect("an event can be signed");
        self.publish(&client, &event);
    }

    /// The next text in the older format that reaches a person.
    pub fn read_old(&mut self, person: usize) -> String {
        self.letters.take(&format!("{} in the older format", self.id(person)))
    }

    /// A person says where they want to be written to, at this relay.
    pub fn name_inbox(&mut self, person: usize, relays: &[&str]) {
        let client = self.person(person);
        let relays = relays.iter().map(|relay| Tag::custom(TagKind::Relay, [*relay]));
        let event = EventBuilder::new(Kind::InboxRelays, "").tags(relays);
        let event = event.sign_with_keys(&keys(person)).expect("an event can be signed");
        self.publish(&client, &event);
    }

    /// A person writes to the bot and to others, in one conversation.
    pub fn write_to_many(&mut self, person: usize, others: &[usize], text: &str) {
        let (client, bot) = (self.person(person), self.bot.public_key());
        let others = others.iter().map(|other| Tag::public_key(keys(*other).public_key()));
        let rumor =
            EventBuilder::new(Kind::PrivateDirectMessage, text).tag(Tag::public_key(bot)).tags(others);
        let rumor = rumor.build(keys(person).public_key());
        let wrapping = async { EventBuilder::gift_wrap(&keys(person), &bot, rumor, []).await };
        let event = self.runtime().block_on(wrapping).expect("an event can be wrapped");
        self.publish(&client, &event);
    }

    /// What is published that a filter names.
    pub fn published(&mut self, kind: u16, author: &str) -> Vec<String> {
        let client = self.person(usize::MAX);
        let author = PublicKey::from_hex(author).expect("a key");
        let filter = Filter::new().kind(Kind::from(kind)).author(author);
        let found =
            self.runtime().block_on(client.fetch_events(filter, PATIENCE)).expect("the relay answers");
        found.iter().map(JsonUtil::as_json).collect()
    }

    /// It ends all connections, and serves nobody any more.
    pub fn stop(&self) {
        self.relay.shutdown();
    }

    fn publish(&self, client: &Client, event: &Event) {
        let sent = self.runtime().block_on(client.send_event(event)).expect("the relay answers");
        assert!(!sent.success.is_empty(), "the relay refuses an event: {:?}", sent.failed);
    }

    fn person(&mut self, person: usize) -> Client {
        if let Some(client) = self.people.get(&person) {
            return client.clone();
        }
        let keys = keys(person);
        let client = Client::new(keys.clone());
        client.automatic_authentication(true);
        let (url, letters, own) = (self.url.clone(), Arc::clone(&self.letters), client.clone());
        self.runtime().block_on(async {
            client.add_relay(&url).await.expect("a relay's address");
            client.connect().await;
            let filter = Filter::new().kinds([Kind::GiftWrap, Kind::EncryptedDirectMessage]);
            let mut news = client.notifications();
            client.subscribe(filter.pubkey(keys.public_key()), None).await.expect("the relay answers");
            tokio::spawn(async move {
                while let Ok(news) = news.recv().await {
                    let RelayPoolNotification::Event { event, .. } = news else { continue };
                    receive(&own, &keys, &event, &letters).await;
                }
            });
        });
        self.people.insert(person, client.clone());
        client
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it runs until it is dropped")
    }
}

impl Platform for NostrRelay {
    fn channel(&self) -> &'static str {
        "nostr"
    }

    fn settings(&self) -> String {
        format!("secret_key = \"{}\"\nrelays = [\"{}\"]\n", self.secret(), self.url)
    }

    fn id(&self, person: usize) -> String {
        keys(person).public_key().to_hex()
    }

    fn write(&mut self, person: usize, text: &str) {
        let (client, bot) = (self.person(person), self.bot.public_key());
        let sent =
            self.runtime().block_on(client.send_private_msg(bot, text, [])).expect("the relay answers");
        assert!(!sent.success.is_empty(), "the relay refuses a message: {:?}", sent.failed);
    }

    fn read(&mut self, person: usize) -> String {
        self.letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        // From now on they are there, and what lies at the relay reaches them.
        self.person(person);
        self.letters.count(&self.id(person))
    }
}

impl Drop for NostrRelay {
    fn drop(&mut self) {
        // It may be dropped in a test that is asynchronous itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How long the relay may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody's keys, the same at every relay.
fn keys(person: usize) -> Keys {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&(person as u64).to_be_bytes());
    Keys::new(SecretKey::from_slice(&secret).expect("a key"))
}

/// Opens what reaches somebody, as the library does it.
async fn receive(client: &Client, keys: &Keys, event: &Event, letters: &Letters) {
    let to = keys.public_key().to_hex();
    if event.kind == Kind::GiftWrap {
        let gift = client.unwrap_gift_wrap(event).await.expect("a wrap that is for us");
        assert_eq!(gift.rumor.kind, Kind::PrivateDirectMessage);
        assert_eq!(gift.rumor.tags.public_keys().collect::<Vec<_>>(), [&keys.public_key()]);
        letters.put(&to, &gift.rumor.content);
    } else {
        let text =
            nip04::decrypt(keys.secret_key(), &event.pubkey, &event.content).expect("a text that is for us");
        letters.put(&format!("{to} in the older format"), &text);
    }
}
