//! A process changes who is in, and says so; at the very next message, another one knows.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use dmgate::store::{FileOptions, FileStore};
use dmgate::{AccountKey, Decision, DmGate, InboundMessage, Sender, SenderId, World};

use crate::worker::actor;
use crate::{child, rounds, scratch, turn};

fn gate(state: &Path) -> DmGate {
    let store = FileStore::open(FileOptions::new(state), World::default()).unwrap();
    DmGate::builder().store(store).build()
}

fn one() -> (AccountKey, SenderId) {
    let account = AccountKey::parse("alpha", "default").unwrap();
    let id = SenderId::parse(account.channel(), "1").unwrap();
    (account, id)
}

#[test]
fn i1_i9_a_revocation_by_another_process_of_ours_holds_at_the_very_next_message() {
    shake_hands("handshakes::owner");
}

#[test]
fn i1_i9_a_revocation_by_another_program_holds_at_the_very_next_message() {
    shake_hands("handshakes::neighbour");
}

/// Lets `changer` put the sender on the list and off it, in turns.
fn shake_hands(changer: &str) {
    let _turn = turn();
    let temp = scratch();
    let (gate, (account, id)) = (gate(temp.path()), one());
    let hello = InboundMessage::direct(account, Sender::new(id), "hello");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut process = child::command(changer, temp.path(), &[]).stderr(Stdio::null()).spawn().unwrap();
    let (mut to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
    let mut lines = from.lines();
    let mut change = |to: &mut ChildStdin, word: &str| {
        writeln!(to, "{word}").unwrap();
        assert!(lines.any(|line| line.unwrap() == "DONE"), "it ended");
    };
    let rounds = rounds("DMGATE_HANDSHAKES", 500);
    for round in 0..rounds {
        let is_in = round % 2 == 0;
        change(&mut to, if is_in { "in" } else { "out" });
        let decision = runtime.block_on(gate.admit(&hello));
        assert_eq!(matches!(decision, Decision::Admit(_)), is_in, "handshake {round}: {decision:?}");
    }
    println!("{rounds} of {rounds} handshakes: {changer}");
    end(process, to);
}

fn end(mut process: Child, to: ChildStdin) {
    drop(to);
    assert!(process.wait().unwrap().success());
}

/// Does as it is told, and says when it is done.
fn obey(mut change: impl FnMut(bool)) {
    for word in std::io::stdin().lines() {
        change(word.unwrap() == "in");
        std::io::stdout().write_all(b"DONE\n").unwrap();
    }
}

/// The process that goes through our store.
#[test]
fn owner() {
    let Some(state) = child::state() else { return };
    let (gate, (account, id)) = (gate(&state), one());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    obey(|is_in| {
        runtime.block_on(async {
            if is_in {
                assert!(gate.store().allow(&account, &id, &actor()).await.unwrap());
            } else {
                assert_eq!(gate.store().revoke(&account, &id, &actor()).await.unwrap().entries, 1);
            }
        });
    });
}

/// The process that has none of our code: it renames a new list over the old one.
#[test]
fn neighbour() {
    let Some(state) = child::state() else { return };
    let dir = state.join("credentials");
    obey(|is_in| {
        let list = if is_in { r#"["1", "2"]"# } else { r#"["2"]"# };
        let text = format!(r#"{{ "version": 1, "allowFrom": {list} }}"#);
        let new = dir.join("alpha-allowFrom.json.other.tmp");
        std::fs::File::create(&new).and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
        rustix::fs::rename(&new, dir.join("alpha-allowFrom.json")).unwrap();
    });
}
