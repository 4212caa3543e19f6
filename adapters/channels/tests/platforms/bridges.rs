//! The bridges that come with dmgate, with libraries in the tests' hands in the place of the real ones.

#![allow(clippy::disallowed_methods, reason = "files of a bridge, which is no part of dmgate")]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use std::fs;
use std::process::Command;

use dmgate_test_peers::{NodeBridge, Process};
use serde_json::{Value, json};

const BAILEYS: &str = include_str!("libraries/baileys.js");
const ZCA: &str = include_str!("libraries/zca-js.js");

/// A bridge that runs, with somebody logged in.
struct Running {
    bridge: NodeBridge,
    process: Process,
    asked: u64,
}

impl Running {
    /// The bridge to WhatsApp; its library does this.
    fn whatsapp(acts: &str) -> Self {
        let bridge = NodeBridge::whatsapp_with(&[("index.js", BAILEYS), ("acts.js", acts)]);
        fs::create_dir_all(bridge.folder().join("session")).unwrap();
        fs::write(bridge.folder().join("session/creds.json"), creds("first")).unwrap();
        Self::greeted(bridge, Value::Null)
    }

    /// The bridge to Zalo.
    fn zalo(acts: &str, cursor: Value) -> Self {
        let bridge = NodeBridge::zalo_with(&[("index.js", ZCA), ("acts.js", acts)]);
        fs::create_dir_all(bridge.folder()).unwrap();
        fs::write(bridge.folder().join("session.json"), "{}").unwrap();
        Self::greeted(bridge, cursor)
    }

    fn greeted(bridge: NodeBridge, cursor: Value) -> Self {
        let words = bridge.words();
        let process = Process::spawn("the bridge", Command::new(&words[0]).args(&words[1..]));
        let mut running = Self { bridge, process, asked: 0 };
        running.ask("hello", json!({ "protocol": 1, "purpose": "run", "cursor": cursor }));
        running
    }

    /// Asks for something; the number of the question.
    fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.asked += 1;
        let asked = json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params });
        self.process.write_line(&asked.to_string());
        self.asked
    }

    /// The next thing that it says that is wanted.
    fn said(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
        let line = self.process.await_line(|line| wanted(&parse(line)));
        parse(&line)
    }

    fn ready(&mut self) {
        self.said(|said| said["method"] == "status" && said["params"]["state"] == "ready");
    }

    /// The next message, which is taken.
    fn message(&mut self) -> Value {
        let said = self.said(|said| said["method"] == "message");
        let answer = json!({ "jsonrpc": "2.0", "id": said["id"], "result": {} });
        self.process.write_line(&answer.to_string());
        said["params"].clone()
    }
}

fn creds(name: &str) -> String {
    json!({ "name": name, "me": { "id": "15550783881@s.whatsapp.net" } }).to_string()
}

/// How the library hands on what Ann writes.
const HEARD: &str = r#"
const ann = { remoteJid: "16505551234@s.whatsapp.net", remoteJidAlt: "77@lid", fromMe: false };
const heard = (ev, ...messages) => ev.emit("messages.upsert", { messages });
const text = (id, key) => ({ key: { ...ann, id, ...key }, message: { conversation: `hello ${id}` }, messageTimestamp: 1 });
"#;

#[test]
fn what_can_t_be_read_yet_is_not_said_and_comes_with_its_text() {
    let mut running = Running::whatsapp(&format!(
        "{HEARD} export function entered(ev) {{
           heard(ev, {{ ...text('1'), message: undefined, messageStubType: 2 }}, {{ ...text('2'), messageStubType: 27 }}, text('1'));
         }}"
    ));
    let said: Vec<Value> = (0..2).map(|_| running.message()).collect();
    assert_eq!((said[0]["id"].as_str(), said[0]["kind"].as_str()), (Some("2"), Some("membership")));
    assert_eq!((said[1]["id"].as_str(), said[1]["text"].as_str()), (Some("1"), Some("hello 1")));
}

#[test]
fn i15_a_number_that_is_only_remembered_is_taken_if_it_is_theirs_now() {
    // Bob had the number once; it is Carol's now. Dave still has his. WhatsApp does not know whose the last one is.
    let mut running = Running::whatsapp(&format!(
        "{HEARD}
         export const remembered = {{
           '1@lid': '1555:0@s.whatsapp.net', '2@lid': '1555:0@s.whatsapp.net', '3@lid': '1666@s.whatsapp.net', '4@lid': '1777@s.whatsapp.net',
         }};
         export const owners = {{ '1555@s.whatsapp.net': '2@lid', '1666@s.whatsapp.net': '3@lid', '1888@s.whatsapp.net': '5@lid' }};
         export function entered(ev) {{
           const from = (remoteJid, remoteJidAlt) => text(remoteJid, {{ remoteJid, remoteJidAlt }});
           for (const jid of ['1@lid', '2@lid', '3@lid', '4@lid', '5@lid', '1888@s.whatsapp.net', '1999@s.whatsapp.net']) heard(ev, from(jid));
           heard(ev, from('9@lid', '1555@s.whatsapp.net'));
         }}"
    ));
    let mut from = || {
        let from = running.message()["from"].clone();
        (from["id"].as_str().unwrap().to_owned(), from["aliases"].clone())
    };
    assert_eq!(from(), ("1@lid".to_owned(), json!([])), "Bob is not Carol");
    assert_eq!(from(), ("+1555".to_owned(), json!(["2@lid"])), "Carol");
    assert_eq!(from(), ("+1666".to_owned(), json!(["3@lid"])), "Dave");
    assert_eq!(from(), ("4@lid".to_owned(), json!([])), "nobody says that it is theirs");
    assert_eq!(from(), ("5@lid".to_owned(), json!([])), "nothing is remembered");
    assert_eq!(from(), ("+1888".to_owned(), json!(["5@lid"])), "a number whose owner WhatsApp knows");
    assert_eq!(from(), ("+1999".to_owned(), json!([])), "a number that nobody has");
    assert_eq!(from(), ("+1555".to_owned(), json!(["9@lid"])), "what the message itself proves");
}

#[test]
fn it_ends_when_what_is_being_written_of_the_session_is_whole() {
    let mut running = Running::whatsapp(
        "import { writeFileSync } from 'node:fs';
         const place = `${process.argv[2]}/keys`;
         export async function write() {
           // As slow as a disk that begins when we are told to end.
           if (!process.stdin.readableEnded) await new Promise((resolve) => process.stdin.on('end', resolve));
           for (let turn = 0; turn < 1_000; turn++) await new Promise(setImmediate);
           writeFileSync(place, 'whole');
         }
         export async function entered(ev, { creds, keys }) {
           creds.name = 'later';
           ev.emit('creds.update');
           await keys.set({});
           // What goes on after that is waited for as well.
           await keys.set({});
         }",
    );
    running.ready();
    let folder = running.bridge.folder();
    assert!(running.process.finish().success());
    assert_eq!(fs::read_to_string(folder.join("keys")).unwrap(), "whole");
    let kept = fs::read_to_string(folder.join("session/creds.json")).unwrap();
    assert!(kept.contains("later"), "{kept}");
    assert!(!folder.join("session/creds.json.new").exists());
}

#[test]
fn a_bridge_that_breaks_down_ends() {
    let broken = BAILEYS.replace("mkdirSync(folder, { recursive: true });", "throw new Error('no disk');");
    let bridge = NodeBridge::whatsapp_with(&[("index.js", &broken), ("acts.js", "")]);
    fs::create_dir_all(bridge.folder().join("session")).unwrap();
    fs::write(bridge.folder().join("session/creds.json"), creds("first")).unwrap();
    let mut running = Running::greeted(bridge, Value::Null);
    running.process.await_line(|line| line == "it breaks down: no disk");
    assert_eq!(running.process.end().code(), Some(1), "its input is still open");
}

#[test]
fn a_new_login_takes_the_place_of_the_one_before_and_is_not_mixed_with_it() {
    let mut running = Running::whatsapp(
        "export const entered = (ev, { creds }) => console.error(`in as ${creds.name}`);
         // The old connection has something to write when it ends.
         export const left = (ev) => ev.emit('creds.update');",
    );
    running.process.await_line(|line| line == "in as first");
    let folder = running.bridge.folder();
    fs::create_dir(folder.join("session.new")).unwrap();
    fs::write(folder.join("session.new/creds.json"), creds("second")).unwrap();
    fs::rename(folder.join("session"), folder.join("session.old")).unwrap();
    fs::rename(folder.join("session.new"), folder.join("session")).unwrap();
    running.process.await_line(|line| line == "in as second");
    let kept = fs::read_to_string(folder.join("session/creds.json")).unwrap();
    assert_eq!(kept, creds("second"));
}

#[test]
fn what_waits_is_bounded_and_what_makes_nobody_act_goes_first() {
    let mut whatsapp = Running::whatsapp(&format!(
        "{HEARD} export function entered(ev) {{
           for (let n = 0; n < 10_000; n++) heard(ev, text(`g${{n}}`, {{ remoteJid: '1@g.us', participant: '2@lid' }}));
           for (let n = 0; n < 1_000; n++) heard(ev, text(`d${{n}}`));
         }}"
    ));
    let mut zalo = Running::zalo(
        "export const old = [];
         export function entered(listener) {
           const said = (type, id) => ({ type, threadId: '7', data: { msgId: id, uidFrom: '7', content: id, msgType: 'webchat', ts: String(Date.now()) } });
           for (let n = 0; n < 10_000; n++) listener.emit('message', said(1, `g${n}`));
           for (let n = 0; n < 1_000; n++) listener.emit('message', said(0, `d${n}`));
         }",
        Value::Null,
    );
    for running in [&mut whatsapp, &mut zalo] {
        // As many as may be are said before the first is answered, and the others wait.
        let is_lost = |line: &str| line.starts_with("messages are lost");
        let (mut came, mut unanswered, mut losses) = (Vec::new(), Vec::new(), 0);
        while came.last().is_none_or(|id| id != "d999") {
            let line =
                running.process.await_line(|line| is_lost(line) || line.contains(r#""method":"message""#));
            match serde_json::from_str::<Value>(&line) {
                Ok(said) => {
                    came.push(said["params"]["id"].as_str().unwrap().to_owned());
                    unanswered.push(said["id"].clone());
                }
                Err(_) => losses += 1,
            }
            if losses > 0 && came.len() >= 64 {
                for id in unanswered.drain(..) {
                    let answer = json!({ "jsonrpc": "2.0", "id": id, "result": {} });
                    running.process.write_line(&answer.to_string());
                }
            }
        }
        assert_eq!(losses, 1, "it is told once");
        assert!(came.len() <= 64 + 2_000, "{}", came.len());
        assert_eq!(came.iter().filter(|id| id.starts_with('d')).count(), 1_000, "nothing that acts is lost");
    }
}

#[test]
fn files_are_fetched_one_after_another_and_each_once() {
    let mut running = Running::whatsapp(&format!(
        "{HEARD} export function entered(ev) {{
           const file = (name) => ({{ ...text(name), message: {{ imageMessage: {{ directPath: name, mediaKey: 'k' }} }} }});
           heard(ev, file('one'), file('two'));
         }}"
    ));
    let references: Vec<Value> =
        (0..2).map(|_| running.message()["attachments"][0]["reference"].clone()).collect();
    let piece =
        |file: usize, offset: usize| json!({ "reference": references[file], "offset": offset, "length": 3 });
    let first = running.ask("fetch", piece(0, 0));
    assert_eq!(running.said(|said| said["result"]["data"].is_string())["id"], first);
    let (other, rest) = (running.ask("fetch", piece(1, 0)), running.ask("fetch", piece(0, 3)));
    let mut said = Vec::new();
    while said.len() < 3 {
        let line = running.process.await_line(|line| line.contains("loads") || line.contains("data"));
        said.push(serde_json::from_str::<Value>(&line).unwrap());
    }
    let answer = |id: u64, data: &str| json!({ "jsonrpc": "2.0", "id": id, "result": { "data": data, "end": id == rest } });
    // The second file waits for the end of the first, not for our being told of it.
    let mut expected = [answer(rest, "ZT4="), json!({ "loads": "two" }), answer(other, "PHR3")];
    if said.first() == expected.get(1) {
        expected.swap(0, 1);
    }
    assert_eq!(said, expected);
}

#[test]
fn what_came_to_zalo_while_the_bridge_was_off_is_said_once() {
    let acts = "
        const said = (id, ts) => ({ type: 0, threadId: '7', data: { msgId: id, uidFrom: '7', content: id, ts: String(ts) } });
        export const old = [said('new', 3_000), said('known', 2_000), said('past', 1_000), said('newer', 4_000)];
        export function entered(listener) {
          listener.emit('message', said('live', 5_000));
          setImmediate(() => setImmediate(() => {
            listener.emit('message', said('new', 3_000));
            listener.emit('message', said('last', 6_000));
          }));
        }";
    let cursor = json!({ "since": 1_000, "known": [["known", 2_000]] }).to_string();
    let mut running = Running::zalo(acts, json!(cursor));
    let mut ids = Vec::new();
    let mut last = Value::Null;
    while ids.last().is_none_or(|id| id != "last") {
        last = running.message();
        ids.push(last["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids, ["live", "new", "newer", "last"]);
    // The next run knows them all; the first one, which has no cursor, asks for nothing that was before it.
    drop(running);
    for (cursor, expected) in [(last["cursor"].clone(), "end"), (Value::Null, "live")] {
        let acts = format!("{acts}\nold.push(said('end', 9_000));");
        assert_eq!(Running::zalo(&acts, cursor).message()["id"], expected);
    }
}
