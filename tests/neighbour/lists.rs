//! Who is in: both programs' lists, read and written by both.

use dmgate::Reason;

use crate::{House, account, is_in, message, owner, sender};

#[tokio::test(flavor = "multi_thread")]
async fn i9_what_it_allows_and_revokes_counts_from_the_next_message_on() {
    let house = House::new();
    let gate = house.gate();
    let mut neighbour = house.openclaw.store();
    for name in ["default", "work"] {
        for number in 1..=50 {
            let id = number.to_string();
            neighbour.add("telegram", name, &[&id]);
            assert!(is_in(&gate, name, &id).await, "{id}");
            if number % 2 == 0 {
                neighbour.remove("telegram", name, &[&id]);
                assert!(!is_in(&gate, name, &id).await, "{id}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_lists_of_the_default_account_count() {
    let house = House::new();
    let gate = house.gate();
    let store = gate.store();
    let mut neighbour = house.openclaw.store();
    store.allow(&account("default"), &sender("1"), &owner()).await.unwrap();
    neighbour.add("telegram", "default", &["2"]);
    house.write(
        "telegram-default-allowFrom.json",
        &house.read("telegram-default-allowFrom.json").replace("\"2\"", "\"2\",\n    \"1\""),
    );
    assert!(house.read("telegram-allowFrom.json").contains("\"1\""));
    for id in ["1", "2"] {
        assert!(is_in(&gate, "default", id).await);
        assert!(!is_in(&gate, "work", id).await);
    }
    assert_eq!(store.allowed(&account("default")).await.unwrap(), ["1", "2"]);
    let mut read = neighbour.allow_from("telegram", "default");
    read.sort();
    assert_eq!(read, ["1", "2"]);

    let revoked = store.revoke(&account("default"), &sender("1"), &owner()).await.unwrap();
    assert_eq!(revoked.entries, 2);
    assert_eq!(neighbour.allow_from("telegram", "default"), ["2"]);
    assert!(!is_in(&gate, "default", "1").await);
}

/// Its command line does not know the channel's prefixes while the channel is not configured.
#[tokio::test(flavor = "multi_thread")]
async fn a_raw_id_of_its_command_line_is_the_sender() {
    let house = House::new();
    let gate = house.gate();
    let request = house.openclaw.store().upsert("telegram", "default", "tg:123");
    assert_eq!(gate.admit(&message("default", "123")).await.reason(), Reason::AlreadyPending);
    house.openclaw.pairing_approve("telegram", &request.code).unwrap();
    assert!(house.read("telegram-default-allowFrom.json").contains("\"tg:123\""));
    assert!(is_in(&gate, "default", "123").await);
    let store = gate.store();
    assert_eq!(store.revoke(&account("default"), &sender("123"), &owner()).await.unwrap().entries, 1);
    assert!(!is_in(&gate, "default", "123").await);
    assert!(!house.read("telegram-default-allowFrom.json").contains("123"));
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_both_write_a_list_byte_for_byte_the_same() {
    let (ours, its) = (House::new(), House::new());
    let gate = ours.gate();
    let mut neighbour = its.openclaw.store();
    let name = "telegram-work-allowFrom.json";
    for id in ["1", "2", "3"] {
        gate.store().allow(&account("work"), &sender(id), &owner()).await.unwrap();
        neighbour.add("telegram", "work", &[id]);
        assert_eq!(ours.read(name), its.read(name));
    }
    for id in ["2", "1", "3"] {
        gate.store().revoke(&account("work"), &sender(id), &owner()).await.unwrap();
        neighbour.remove("telegram", "work", &[id]);
        assert_eq!(ours.read(name), its.read(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_foreign_entries_and_members_of_a_list_survive_our_rewrites() {
    let house = House::new();
    let gate = house.gate();
    let name = "telegram-work-allowFrom.json";
    let before = "{\n  \"x\": [ 1 ],\n  \"allowFrom\": [\n    7,\n    \"tg:8\",\n    null,\n    \"*\"\n  ],\n  \"version\": 1.0\n}\n";
    house.write(name, before);
    let store = gate.store();
    store.allow(&account("work"), &sender("9"), &owner()).await.unwrap();
    assert_eq!(house.read(name), before.replace("\"*\"\n", "\"*\",\n    \"9\"\n"));
    for id in ["7", "8", "9"] {
        assert!(is_in(&gate, "work", id).await);
    }
    assert!(!is_in(&gate, "work", "10").await, "a star in a file never counts");
    store.revoke(&account("work"), &sender("9"), &owner()).await.unwrap();
    assert_eq!(house.read(name), before);
}
