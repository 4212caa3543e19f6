//! A configuration, whatever is in it: it is an error on one line, or each account has the policy and the senders that
//! a plain reader of TOML finds; and what `config show` shows says the same again.

use std::collections::HashSet;

use dmgate::{AccountKey, AccountPolicy, DmPolicy, SenderId};
use dmgate_cli::testing::{Configuration, configuration};
use toml::{Table, Value};

/// `data` is the file.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = match configuration(text) {
        Ok(read) => read,
        Err(why) => {
            assert!(!why.trim().is_empty() && !why.contains('\n'), "{why:?}");
            return;
        }
    };
    let plain: Table = text.parse().expect("read, though it is no TOML");
    assert_eq!((read.fallback.dm(), read.fallback.everyone()), (DmPolicy::Pairing, false));
    assert!(read.fallback.allow_from().is_empty());
    for (key, policy) in &read.policies {
        is_as_written(&plain, key, policy);
    }
    says_the_same_again(&read);
}

fn is_as_written(plain: &Table, key: &AccountKey, policy: &AccountPolicy) {
    let channel = named(plain["channels"].as_table().unwrap(), key.channel().as_str()).unwrap();
    let account = match key.account().is_default() {
        true => channel,
        false => named(channel["accounts"].as_table().unwrap(), key.account().as_str()).unwrap(),
    };
    let word = |table: &Table| table.get("dm_policy").map(|word| word.as_str().unwrap().to_owned());
    let dm = word(account).or_else(|| word(channel)).unwrap_or_else(|| "pairing".to_owned());
    assert_eq!(policy.dm().as_str(), dm, "{key}");

    let entries: Vec<String> = match account.get("allow_from") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries.iter().map(entry).collect(),
        Some(one) => vec![entry(one)],
    };
    let (all, ids): (Vec<String>, Vec<String>) = entries.into_iter().partition(|entry| entry.trim() == "*");
    assert_eq!(policy.everyone(), !all.is_empty(), "{key}");
    assert!(!policy.everyone() || matches!(policy.dm(), DmPolicy::Open | DmPolicy::Disabled), "{key}");
    let parse = |text: &String| SenderId::parse_entry(key.channel(), text).unwrap();
    let (written, listed): (HashSet<SenderId>, HashSet<SenderId>) =
        (ids.iter().map(parse).collect(), policy.allow_from().iter().cloned().collect());
    assert_eq!(listed, written, "{key}");
}

/// Names are forgiven upper case and blanks.
fn named<'a>(table: &'a Table, name: &str) -> Option<&'a Table> {
    let is_it = |key: &String| key.trim().to_ascii_lowercase() == name;
    table.iter().find(|(key, _)| is_it(key)).and_then(|(_, value)| value.as_table())
}

fn entry(value: &Value) -> String {
    value.as_integer().map_or_else(|| value.as_str().unwrap().to_owned(), |number| number.to_string())
}

/// Secrets are masked there, and decide nothing.
fn says_the_same_again(read: &Configuration) {
    let plain = |value: &String| if value.starts_with("***") { "\"s\"".to_owned() } else { value.clone() };
    let written = read.shown.iter().filter(|(.., is_written)| *is_written);
    let lines: Vec<String> = written.map(|(key, value, _)| format!("{key} = {}", plain(value))).collect();
    let text = lines.join("\n");
    let again = configuration(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    // An account of which nothing is written has nothing to show.
    assert!(again.policies.iter().all(|policy| read.policies.contains(policy)), "{text}");
    let is_shown = |key: &AccountKey| again.policies.iter().any(|(shown, _)| shown == key);
    let listed =
        read.policies.iter().filter(|(_, policy)| policy.everyone() || !policy.allow_from().is_empty());
    assert!(listed.map(|(key, _)| key).all(is_shown), "{text}");
}
