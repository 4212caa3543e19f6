//! Our record, whatever its bytes: who is blocked stays out, whose hour runs gets no code, and a line that was not sealed
//! in its place makes all of it void.
//!
//! The input is the file itself, or, since no mutation finds a seal, its entries: those of the head, a line `--`, those
//! that were appended. These are sealed here.

use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::scene::{ALLOWED, RECORD, Scene, UNREADABLE, actor, alpha, id, now, wait};

/// `data` is the file, which begins with `[`, or its entries.
pub fn check(data: &[u8]) {
    let sealed = if data.starts_with(b"[") { data.to_vec() } else { seal(data) };
    let list = b"{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"in\",\n    \"alias\"\n  ]\n}\n";
    let scene = Scene::with(&[(RECORD, &sealed), (ALLOWED, list)]);
    let snapshot = scene.snapshot();
    let Some(entries) = read(&sealed).filter(|_| snapshot.record.is_ok()) else {
        for who in ["in", "stranger"] {
            assert_eq!(scene.says(&[&id(who)]), UNREADABLE);
        }
        scene.try_everything();
        assert_eq!(scene.read(RECORD), sealed, "what can't be trusted is overwritten");
        return;
    };
    let is_blocked = |who: &str| {
        let about = |entry: &&Value| entry["account"] == "default" && entry["id"] == who;
        let last = entries.iter().filter(about).rfind(|it| it["is"] == "blocked" || it["is"] == "unblocked");
        last.is_some_and(|entry| entry["is"] == "blocked")
    };
    for who in ["in", "stranger", "p"] {
        let said = scene.says(&[&id(who)]);
        assert_eq!(said == "blocked", is_blocked(who), "{who}: {said}");
        assert_eq!(said == "allowlisted", who == "in" && !is_blocked(who), "{who}: {said}");
        assert!(
            said != "pairing_required" || !has_hour(&entries, who),
            "{who}: a second code within the hour"
        );
    }
    // Whoever holds the listed alias is in only if nobody else was seen behind it.
    let about = |entry: &&Value| entry["account"] == "default" && entry["entry"] == "alias";
    let behind = entries.iter().filter(about).rfind(|it| it["is"] == "bound" || it["is"] == "unbound");
    let behind = behind.filter(|entry| entry["is"] == "bound").map(|entry| &entry["primary"]);
    let (primary, alias) = (id("q"), id("alias"));
    let is_in = scene.says(&[&primary, &alias]) == "allowlisted";
    let may = behind.is_none_or(|primary| primary == "q") && !is_blocked("q") && !is_blocked("alias");
    assert_eq!(is_in, may, "behind the alias: {behind:?}");

    // A block writes the record anew: nothing that lets somebody in is lost.
    let before = scene.snapshot().record.clone().unwrap().1;
    wait(scene.store().block(&alpha(), &id("bad"), &actor())).unwrap();
    let after = scene.snapshot().record.clone().unwrap().1;
    let bad = ("default".to_owned(), "bad".to_owned());
    assert!(after.blocks.contains(&bad) && before.blocks.iter().all(|block| after.blocks.contains(block)));
    assert_eq!((&after.bindings, after.wrong), (&before.bindings, before.wrong));
    for who in ["stranger", "in"].into_iter().filter(|who| has_hour(&entries, who)) {
        assert!(after.hours.iter().any(|hour| hour.ids.iter().any(|it| it == who)), "the hour of {who}");
    }
}

/// The entries of a file, if each is sealed in its place. The last line counts only if it has an end.
fn read(bytes: &[u8]) -> Option<Vec<Value>> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map(|end| &bytes[..end])?;
    let mut check = [0; 8];
    let mut entries = Vec::new();
    for line in whole.split(|byte| *byte == b'\n') {
        let (seal, entry): (&str, &RawValue) = serde_json::from_slice(line).ok()?;
        check = following(check, entry.get());
        let is_sealed = line == format!("[\"{}\",{}]", hex::encode(check), entry.get()).as_bytes();
        (seal == hex::encode(check) && is_sealed).then_some(())?;
        entries.push(serde_json::from_str(entry.get()).ok()?);
    }
    Some(entries.split_off(1))
}

/// The hour counts whatever became of the request; its stamp may lie ahead.
fn has_hour(entries: &[Value], who: &str) -> bool {
    let is_last = |at: usize, request: &Value| {
        !entries[at + 1..].iter().any(|later| later["hour"]["request"] == *request)
    };
    entries.iter().enumerate().any(|(at, entry)| {
        let hour = &entry["hour"];
        let is_theirs = hour["account"] == "default"
            && hour["ids"].as_array().is_some_and(|ids| ids.iter().any(|id| id == who));
        let is_now = hour["at"].as_i64() == Some(now().as_millis()) && hour["from"].is_null();
        (entry["is"] == "hour" || entry["is"] == "issued")
            && is_theirs
            && is_now
            && is_last(at, &hour["request"])
    })
}

fn seal(data: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(data).replace("NOW", &now().as_millis().to_string());
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let head = lines.iter().position(|line| *line == "--").unwrap_or(lines.len());
    let header = format!("{{\"dmgate\":1,\"head\":{head}}}");
    let mut check = [0; 8];
    let mut bytes = Vec::new();
    for entry in [header.as_str()].into_iter().chain(lines.into_iter().filter(|line| *line != "--")) {
        check = following(check, entry);
        bytes.extend(format!("[\"{}\",{entry}]\n", hex::encode(check)).into_bytes());
    }
    bytes
}

fn following(check: [u8; 8], entry: &str) -> [u8; 8] {
    let digest = Sha256::new().chain_update(check).chain_update(entry).finalize();
    std::array::from_fn(|at| digest[at])
}
