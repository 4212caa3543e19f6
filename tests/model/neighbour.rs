//! The other program in the directory: it knows the established files, and nothing of our record.

use std::path::Path;

use dmgate::Timestamp;
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;

/// A file's document; an empty one where there is no file.
pub(crate) fn read(dir: &Path, name: &str, list: &str) -> Value {
    match std::fs::read(dir.join(name)) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
        Err(_) => json!({ "version": 1, list: [] }),
    }
}

fn write(dir: &Path, name: &str, document: &Value) {
    let temp = dir.join(format!("{name}.neighbour.tmp"));
    let mut text = serde_json::to_string_pretty(document).unwrap();
    text.push('\n');
    let mut file = std::fs::File::create(&temp).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    rustix::fs::rename(&temp, dir.join(name)).unwrap();
}

pub(crate) fn created_at(request: &Value) -> i64 {
    Timestamp::parse(request["createdAt"].as_str().unwrap()).unwrap().as_millis()
}

fn change_pending(dir: &Path, channel: &str, now: i64, change: impl FnOnce(&mut Vec<Value>)) {
    let name = format!("{channel}-pairing.json");
    let mut document = read(dir, &name, "requests");
    document["noted"] = json!({ "by": ["neighbour"] });
    let requests = document["requests"].as_array_mut().unwrap();
    requests.retain(|request| now - created_at(request) <= HOUR);
    change(requests);
    write(dir, &name, &document);
}

pub(crate) fn add(dir: &Path, channel: &str, account: &str, id: &str, code: &str, now: i64) {
    let stamp = Timestamp::from_millis(now).to_string();
    change_pending(dir, channel, now, |requests| {
        let same = |r: &Value| r["id"] == id && r["meta"]["accountId"] == account;
        if requests.len() < 3 && !requests.iter().any(same) {
            requests.push(json!({
                "id": id, "code": code, "createdAt": stamp, "lastSeenAt": stamp,
                "meta": { "name": "Ann", "accountId": account }, "noted": code,
            }));
        }
    });
}

/// Takes out the request with this code.
pub(crate) fn drop_request(dir: &Path, channel: &str, code: &str) {
    let name = format!("{channel}-pairing.json");
    let mut document = read(dir, &name, "requests");
    document["requests"].as_array_mut().unwrap().retain(|request| request["code"] != code);
    write(dir, &name, &document);
}

/// It writes the default account's senders into a file that names the account.
pub(crate) fn list(dir: &Path, channel: &str, account: &str, id: &str) {
    let name = format!("{channel}-{account}-allowFrom.json");
    let mut document = read(dir, &name, "allowFrom");
    let entries = document["allowFrom"].as_array_mut().unwrap();
    if !entries.iter().any(|entry| entry == id) {
        entries.push(id.into());
        write(dir, &name, &document);
    }
}

pub(crate) fn unlist(dir: &Path, channel: &str, account: &str, id: &str) {
    for name in [format!("{channel}-{account}-allowFrom.json"), format!("{channel}-allowFrom.json")] {
        if (account == "default" || name.contains(account)) && dir.join(&name).exists() {
            let mut document = read(dir, &name, "allowFrom");
            document["allowFrom"].as_array_mut().unwrap().retain(|entry| entry != id);
            write(dir, &name, &document);
        }
    }
}
