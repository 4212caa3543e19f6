//! Synapse: a Matrix homeserver, with one bot on it.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::JsonClient;
use crate::{Platform, Process, free_port, missing, peers_dir, scratch_dir};

/// A running Synapse that talks to no other server.
#[derive(Debug)]
pub struct Synapse {
    http: JsonClient,
    bot: Login,
    people: HashMap<usize, Person>,
    _process: Process,
    _dir: TempDir,
}

/// A logged-in user.
#[derive(Clone, Debug)]
pub struct Login {
    /// `@name:peers.test`.
    pub user: String,
    /// What its calls show.
    pub token: String,
}

/// Somebody, the direct chat that they have with the bot, and what they have not read there yet.
#[derive(Debug)]
struct Person {
    login: Login,
    room: String,
    place: String,
    unread: VecDeque<String>,
}

impl Synapse {
    /// Starts the homeserver, and registers the bot.
    pub fn start() -> Self {
        let python = peers_dir().join("synapse/bin/python");
        let python = if python.is_file() { python } else { missing("Synapse") };
        let dir = scratch_dir();
        let port = free_port();
        let config = dir.path().join("homeserver.yaml");
        fs::write(&config, configuration(dir.path(), port)).expect("Synapse's configuration");
        fs::write(dir.path().join("log.yaml"), LOG).expect("Synapse's configuration");
        let mut command = Command::new(python);
        command.args(["-m", "synapse.app.homeserver", "-c"]).arg(&config).current_dir(dir.path());
        let mut process = Process::spawn("Synapse", &mut command);
        process.await_line(|line| line.contains("now listening on TCP port"));
        let http = JsonClient::new(format!("http://127.0.0.1:{port}"));
        let bot = register(&http, "bot");
        Self { http, bot, people: HashMap::new(), _process: process, _dir: dir }
    }

    /// Where its client API is.
    pub fn base(&self) -> &str {
        self.http.base()
    }

    /// The bot.
    pub fn bot(&self) -> &Login {
        &self.bot
    }

    /// Registers somebody.
    pub fn register(&self, name: &str) -> Login {
        register(&self.http, name)
    }

    /// Calls the client API as a user; the answer may be a refusal.
    pub fn call(&self, login: &Login, method: &str, path: &str, body: &Value) -> Value {
        self.http.call(method, &format!("/_matrix/client/v3/{path}"), Some(&login.token), body)
    }

    /// A user makes a room.
    pub fn create_room(&self, login: &Login, settings: &Value) -> String {
        let room = self.call(login, "POST", "createRoom", settings);
        room["room_id"].as_str().unwrap_or_else(|| panic!("no room is made: {room}")).to_owned()
    }

    /// A user makes a direct chat with the bot.
    pub fn create_chat(&self, login: &Login) -> String {
        let (preset, invite) = ("trusted_private_chat", [&self.bot.user]);
        self.create_room(login, &json!({ "preset": preset, "invite": invite, "is_direct": true }))
    }

    /// A user sends an event; its id.
    pub fn send(&self, login: &Login, room: &str, kind: &str, content: &Value) -> String {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let sent = self.call(login, "PUT", &format!("rooms/{room}/send/{kind}/{number}"), content);
        sent["event_id"].as_str().unwrap_or_else(|| panic!("an event is refused: {sent}")).to_owned()
    }

    /// A user says something.
    pub fn say(&self, login: &Login, room: &str, text: &str) -> String {
        self.send(login, room, "m.room.message", &json!({ "msgtype": "m.text", "body": text }))
    }

    /// Uploads a file; its address.
    pub fn upload(&self, login: &Login, name: &str, media_type: &str, content: &[u8]) -> String {
        let path = format!("/_matrix/media/v3/upload?filename={name}");
        let answer = self.http.upload(&path, &login.token, media_type, content);
        answer["content_uri"].as_str().unwrap_or_else(|| panic!("a file is refused: {answer}")).to_owned()
    }

    /// The texts of a room, the oldest first, and who said them.
    pub fn texts(&self, login: &Login, room: &str) -> Vec<(String, String)> {
        let said = self.call(login, "GET", &format!("rooms/{room}/messages?dir=f&limit=1000"), &Value::Null);
        let said = said["chunk"].as_array().unwrap_or_else(|| panic!("a room is not shown: {said}"));
        let said = said.iter().filter(|event| event["type"] == "m.room.message");
        said.map(|event| (text_of(&event["sender"]), text_of(&event["content"]["body"]))).collect()
    }

    fn person(&mut self, person: usize) -> &mut Person {
        if !self.people.contains_key(&person) {
            let login = self.register(&name(person));
            let room = self.create_chat(&login);
            let known = Person { login, room, place: String::new(), unread: VecDeque::new() };
            self.people.insert(person, known);
        }
        self.people.get_mut(&person).expect("it was put there")
    }

    /// What has come to somebody, waited for so many milliseconds.
    fn receive(&mut self, person: usize, wait: u32) {
        self.person(person);
        let Some(mut known) = self.people.remove(&person) else { return };
        let since = if known.place.is_empty() { String::new() } else { format!("&since={}", known.place) };
        let filter = "%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A100%7D%7D%7D";
        let path = format!("sync?timeout={wait}&filter={filter}{since}");
        let news = self.call(&known.login, "GET", &path, &Value::Null);
        known.place = text_of(&news["next_batch"]);
        let said = &news["rooms"]["join"][&known.room]["timeline"]["events"];
        for event in said.as_array().into_iter().flatten() {
            if event["type"] == "m.room.message" && event["sender"] == self.bot.user.as_str() {
                known.unread.push_back(text_of(&event["content"]["body"]));
            }
        }
        self.people.insert(person, known);
    }
}

impl Platform for Synapse {
    fn channel(&self) -> &'static str {
        "matrix"
    }

    fn settings(&self) -> String {
        format!("homeserver = \"{}\"\naccess_token = \"{}\"\n", self.base(), self.bot.token)
    }

    fn id(&self, person: usize) -> String {
        format!("@{}:peers.test", name(person))
    }

    fn write(&mut self, person: usize, text: &str) {
        let Person { login, room, .. } = self.person(person);
        let (login, room) = (login.clone(), room.clone());
        self.say(&login, &room, text);
    }

    fn read(&mut self, person: usize) -> String {
        // A quarter of a minute twice, or something came.
        for _ in 0..2 {
            for wait in [0, 15_000] {
                if let Some(text) = self.person(person).unread.pop_front() {
                    return text;
                }
                self.receive(person, wait);
            }
        }
        self.person(person).unread.pop_front().unwrap_or_else(|| panic!("nothing reached {person}"))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.receive(person, 0);
        self.person(person).unread.len()
    }
}

/// Upper case is not what new users get, and yet ids are compared as they are.
fn name(person: usize) -> String {
    format!("person{person}")
}

fn register(http: &JsonClient, name: &str) -> Login {
    let auth = json!({ "type": "m.login.dummy" });
    let body = json!({ "auth": auth, "username": name, "password": "password" });
    let login = http.call("POST", "/_matrix/client/v3/register", None, &body);
    let text = |key: &str| {
        let value = login[key].as_str().unwrap_or_else(|| panic!("{name} is not registered: {login}"));
        value.to_owned()
    };
    Login { user: text("user_id"), token: text("access_token") }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

const LOG: &str = "version: 1
formatters: {plain: {format: '%(levelname)s %(message)s'}}
handlers: {console: {class: logging.StreamHandler, formatter: plain}}
root: {level: INFO, handlers: [console]}
disable_existing_loggers: false
";

/// It waits for nobody: no limits, cheap passwords; and it reaches nobody.
fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "server_name: peers.test
listeners:
  - port: {port}
    type: http
    tls: false
    bind_addresses: ['127.0.0.1']
    resources: [{{names: [client, media], compress: false}}]
database: {{name: sqlite3, args: {{database: '{dir}/database'}}}}
log_config: '{dir}/log.yaml'
media_store_path: '{dir}/media'
pid_file: '{dir}/pid'
signing_key: 'ed25519 a_test AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
macaroon_secret_key: test
form_secret: test
trusted_key_servers: []
federation_domain_whitelist: []
report_stats: false
enable_registration: true
enable_registration_without_verification: true
bcrypt_rounds: 4
presence: {{enabled: false}}
rc_message: &many {{per_second: 10000, burst_count: 10000}}
rc_registration: *many
rc_login: {{address: *many, account: *many, failed_attempts: *many}}
rc_joins: {{local: *many, remote: *many}}
rc_joins_per_room: *many
rc_invites: {{per_room: *many, per_user: *many, per_issuer: *many}}
rc_room_creation: *many
"
    )
}
