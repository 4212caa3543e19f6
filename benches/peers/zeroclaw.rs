//! zeroclaw's answer to a direct message, as its channels get it: the list out of the configuration in memory, and a
//! look through it. It gives no codes to strangers, so there is nothing else to time.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

mod measure;

use std::hint::black_box;

use serde_json::json;
use zeroclaw_config::schema::{Config, peer_policy_admits};

fn main() {
    let (system, senders, _folder) = measure::order().unwrap();
    let known: Vec<String> = (0..senders).map(measure::known).collect();
    let mut config = Config::default();
    let group = json!({ "channel": "telegram", "external_peers": known });
    config.peer_groups.insert("friends".into(), serde_json::from_value(group).unwrap());

    let mut turn = 0;
    measure::measure(&system, senders, "known", |calls| {
        for _ in 0..calls {
            turn = (turn + 31) % senders;
            let list = config.channel_external_peers("telegram", "default");
            assert!(peer_policy_admits(&list, &[black_box(&known[turn])], |entry, user| entry == user));
        }
    });
}
