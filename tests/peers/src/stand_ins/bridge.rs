//! A bridge (`docs/channels/BRIDGE.md`) to a platform that has people and nothing else.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use crate::line_program::LineProgram;
use crate::{Letters, Platform};

/// A bridge to a platform, for one channel.
#[derive(Debug)]
pub struct Bridge {
    channel: &'static str,
    /// What else the adapter is told.
    also: &'static str,
    id: fn(usize) -> String,
    letters: Arc<Letters>,
    program: LineProgram,
    /// Ids of what was said and not yet answered.
    unanswered: Arc<(Mutex<Vec<u64>>, Condvar)>,
    next: u64,
}

impl Bridge {
    /// A bridge for this channel, whose people have these ids.
    pub fn start(channel: &'static str, id: fn(usize) -> String) -> Self {
        let letters = Arc::new(Letters::default());
        let unanswered: Arc<(Mutex<Vec<u64>>, Condvar)> = Arc::default();
        let (to, open) = (Arc::clone(&letters), Arc::clone(&unanswered));
        let hear = move |said: &Value| match said["method"].as_str() {
            None => {
                open.0.lock().unwrap().retain(|id| json!(id) != said["id"]);
                open.1.notify_all();
                Vec::new()
            }
            Some(method) => answer(channel, method, said, &to),
        };
        Self { channel, also: "", id, letters, program: LineProgram::new(|| (), hear), unanswered, next: 1 }
    }

    /// The same, for an adapter that is told something more, in TOML.
    #[must_use]
    pub fn with(self, also: &'static str) -> Self {
        Self { also, ..self }
    }

    /// Ends the bridge of now, as if it broke down.
    pub fn die(&self) {
        self.program.die();
    }
}

/// What it says to a call, as the protocol has it.
fn answer(channel: &str, method: &str, said: &Value, letters: &Letters) -> Vec<Value> {
    let (id, params) = (&said["id"], &said["params"]);
    assert_eq!(said["jsonrpc"], "2.0", "{said}");
    let result = match method {
        "hello" => {
            assert_eq!((params["protocol"].as_u64(), params["channel"].as_str()), (Some(1), Some(channel)));
            json!({ "protocol": 1, "state": "ready" })
        }
        "send" => {
            let to = params["chat"].as_str().or(params["user"].as_str()).expect("somebody to send it to");
            let key = params["key"].as_str().expect("a key");
            assert!(!key.is_empty());
            letters.put(to, params["text"].as_str().expect("a text"));
            json!({ "id": key })
        }
        "typing" => return Vec::new(),
        "ping" => json!({}),
        _ => {
            let error = json!({ "code": -32601, "message": "there is no such method" });
            return vec![json!({ "jsonrpc": "2.0", "id": id, "error": error })];
        }
    };
    vec![json!({ "jsonrpc": "2.0", "id": id, "result": result })]
}

impl Platform for Bridge {
    fn channel(&self) -> &'static str {
        self.channel
    }

    fn settings(&self) -> String {
        format!("{}bridge = {}\n", self.also, json!(self.program.words()))
    }

    fn id(&self, person: usize) -> String {
        (self.id)(person)
    }

    fn write(&mut self, person: usize, text: &str) {
        let (id, from) = (self.next, self.id(person));
        self.next += 1;
        self.unanswered.0.lock().unwrap().push(id);
        let message = json!({
            "id": format!("m{id}"),
            "chat": { "id": from, "kind": "direct" },
            "from": { "id": from, "name": format!("person {person}") },
            "text": text,
        });
        self.program.say(&json!({ "jsonrpc": "2.0", "id": id, "method": "message", "params": message }));
        let open = self.unanswered.0.lock().unwrap();
        let is_open = |open: &mut Vec<u64>| open.contains(&id);
        let (open, _) =
            self.unanswered.1.wait_timeout_while(open, crate::process::PATIENCE, is_open).unwrap();
        assert!(!open.contains(&id), "`{text}` was not taken");
    }

    fn read(&mut self, person: usize) -> String {
        self.letters.take(&self.id(person))
    }

    fn unread(&mut self, person: usize) -> usize {
        self.letters.count(&self.id(person))
    }
}
