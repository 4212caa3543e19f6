//! The real parts together: files, gate, pipeline, and Telegram by web hook.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use dmgate::pairing::{Approval, Surface, Target};
use dmgate::store::{Actor, FileOptions, FileStore, Store};
use dmgate::testing::ManualClock;
use dmgate::{
    AccountKey, AccountPolicy, Agent, AgentError, DmGate, DmPolicy, InboundMessage, Limits, Pipeline, Sender,
    SenderId, Turn,
};
use dmgate_channels::{Channel, Options, Setup};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) struct Ground {
    pub(crate) clock: ManualClock,
    pub(crate) gate: DmGate,
    pipeline: Pipeline,
    heard: Heard,
    /// Where the Bot API is said to be: nobody answers there.
    platform: TcpListener,
    temp: tempfile::TempDir,
}

/// An agent that notes who says what, and says nothing.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Agent for Heard {
    async fn respond(&self, turn: Turn) -> Result<Vec<String>, AgentError> {
        let message = turn.message();
        let said = format!("{}: {}", message.sender.primary(), message.text);
        self.0.lock().unwrap().push(said);
        Ok(Vec::new())
    }
}

pub(crate) fn key(account: &str) -> AccountKey {
    AccountKey::parse("telegram", account).unwrap()
}

pub(crate) fn id(text: &str) -> SenderId {
    SenderId::parse(key("default").channel(), text).unwrap()
}

pub(crate) fn owner() -> Actor {
    Actor { name: "test".into(), surface: Surface::Local }
}

pub(crate) fn message(account: &str, sender: &str) -> InboundMessage {
    InboundMessage::direct(key(account), Sender::new(id(sender)), "hello")
}

pub(crate) fn policy(dm: DmPolicy, allow_from: &[&str]) -> AccountPolicy {
    let channel = key("default");
    AccountPolicy::new(channel.channel(), dm, allow_from.iter().copied(), Limits::default()).unwrap()
}

/// What proves that Telegram calls an account's web hook.
pub(crate) fn secret_of(account: &str) -> String {
    format!("secret-of-{account}")
}

/// A person as Telegram describes one.
pub(crate) fn person(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": "Ann", "username": "ann" })
}

/// The chat that is between a person and the bot.
pub(crate) fn private(id: i64) -> Value {
    json!({ "id": id, "type": "private", "first_name": "Ann" })
}

/// A text as Telegram reports it.
pub(crate) fn text(from: i64, chat: &Value, text: &str) -> Value {
    json!({ "message": { "message_id": 1, "from": person(from), "chat": chat, "text": text } })
}

impl Ground {
    /// Two accounts of Telegram, `default` and `work`, both under this policy.
    pub(crate) fn new(policy: AccountPolicy) -> Self {
        let temp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let clock = ManualClock::now();
        let store = FileStore::open(FileOptions::new(temp.path().join("state")), clock.world()).unwrap();
        let gate = DmGate::builder().world(clock.world()).store(store).policy(policy).build();
        let platform = TcpListener::bind("127.0.0.1:0").unwrap();
        platform.set_nonblocking(true).unwrap();
        let base = format!("http://{}", platform.local_addr().unwrap());
        let open = |account: &str| {
            let mut setup = Setup::new(key(account));
            setup.public_url = Some("https://gate.example.org".to_owned());
            let options = Options::new().with("token", "111:token").with("api_base", base.as_str());
            let options = options.with("mode", "webhook").with("webhook_secret", secret_of(account));
            Channel::of(setup.account.channel()).unwrap().open(setup, &options).unwrap()
        };
        let heard = Heard::default();
        let channels = ["default", "work"].map(open).into();
        let pipeline = Pipeline::new(gate.clone(), Arc::new(heard.clone()), channels);
        Self { clock, gate, pipeline, heard, platform, temp }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.gate.store()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.temp.path().join("state/credentials")
    }

    /// The directory and every file in it: which file it is, when it changed, what is in it. A file that was written anew
    /// is another, and a lock that was taken changed the directory.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, (u64, i64, Vec<u8>)> {
        let entries = std::fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path());
        let look = |path: PathBuf| {
            let facts = std::fs::metadata(&path).unwrap();
            let contents = std::fs::read(&path).unwrap_or_default();
            (path, (facts.ino(), facts.mtime_nsec(), contents))
        };
        entries.chain([self.dir()]).map(look).collect()
    }

    /// Puts a file in its place in one step, as every program does.
    pub(crate) fn put(&self, name: &str, text: &str) {
        use std::os::unix::fs::OpenOptionsExt as _;
        let temp = self.dir().join("other.tmp");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temp).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        std::fs::rename(temp, self.dir().join(name)).unwrap();
    }

    pub(crate) async fn allow(&self, sender: &str) {
        self.store().allow(&key("default"), &id(sender), &owner()).await.unwrap();
    }

    pub(crate) async fn approve(&self, target: Target) -> Result<SenderId, String> {
        let approval = Approval { target, account: None, notify: false };
        let approved = self.store().approve(key("default").channel(), approval, &owner()).await;
        approved.map(|request| request.id).map_err(|error| error.to_string())
    }

    pub(crate) async fn says(&self, message: &InboundMessage) -> &'static str {
        self.gate.admit(message).await.reason().as_str()
    }

    /// Telegram calls an account's web hook with this update. Returns when it is decided.
    pub(crate) async fn call(&self, account: &str, secret: &str, update: &Value) -> u16 {
        let request = http::Request::post("/").header("x-telegram-bot-api-secret-token", secret);
        let request = request.body(Bytes::from(update.to_string())).unwrap();
        self.pipeline.webhook(&key(account), request).await.status().as_u16()
    }

    /// An update of the default account, each with a number of its own; it may be none that we understand.
    pub(crate) async fn telegram(&self, mut update: Value) {
        let number = dmgate::Clock::now(&self.clock).as_millis();
        self.clock.step(1);
        update["update_id"] = number.into();
        assert_eq!(self.call("default", &secret_of("default"), &update).await, 200, "{update}");
    }

    /// Whether nobody called the platform.
    pub(crate) fn is_quiet(&self) -> bool {
        self.platform.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Works off everything; what the agent heard.
    pub(crate) async fn end(self) -> Vec<String> {
        drop(self.platform);
        let end = CancellationToken::new();
        end.cancel();
        self.pipeline.run(end).await;
        std::mem::take(&mut self.heard.0.lock().unwrap())
    }
}
