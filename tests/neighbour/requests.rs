//! Requests of one program, and what the other makes of them.

use dmgate::{AccountPolicy, DmGate, DmPolicy, Limits, Reason, Sender, Strength, World};
use serde_json::{Value, json};

use crate::{House, account, approve, challenge, is_in, message, sender};

#[tokio::test(flavor = "multi_thread")]
async fn its_command_line_lists_and_approves_a_code_of_ours() {
    let house = House::new();
    let gate = house.gate();
    let named = Sender::with_parts(sender("42"), Vec::new(), Strength::Authenticated, Some("Ann"));
    let decision = gate.admit(&dmgate::InboundMessage { sender: named, ..message("default", "42") }).await;
    let dmgate::Decision::Challenge(ours) = decision else { panic!("{decision:?}") };

    let listed = house.openclaw.pairing_list("telegram");
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["code"]), (&json!("42"), &json!(ours.code.reveal())));
    assert_eq!(listed[0]["meta"], json!({ "name": "Ann", "accountId": "default" }));

    house.openclaw.pairing_approve("telegram", &ours.code.reveal().to_lowercase()).unwrap();
    assert!(is_in(&gate, "default", "42").await);
    assert!(gate.store().pending(account("default").channel()).await.unwrap().is_empty());
    assert!(!house.file("telegram-allowFrom.json").exists(), "it writes the scoped list");
}

#[tokio::test(flavor = "multi_thread")]
async fn we_list_and_approve_a_request_of_its() {
    let house = House::new();
    let gate = house.gate();
    let store = gate.store();
    let mut neighbour = house.openclaw.store();
    for name in ["default", "work"] {
        let request = neighbour.upsert("telegram", name, "42");
        let pending = store.pending(account(name).channel()).await.unwrap();
        let [listed] = pending.as_slice() else { panic!("{pending:?}") };
        assert_eq!((listed.id.as_str(), listed.code.reveal()), ("42", request.code.as_str()));
        assert_eq!((&listed.account, listed.ours), (account(name).account(), false));
        // It told the sender its code: we do not do that again, nor give another.
        assert_eq!(gate.admit(&message(name, "42")).await.reason(), Reason::AlreadyPending);
        let loaded = store.load(&account(name)).await;
        assert!(loaded.snapshot.pending.as_ref().unwrap().record.sends.is_empty());

        assert_eq!(approve(&**store, &request.code).await, "42");
        assert_eq!(neighbour.allow_from("telegram", name), ["42"]);
        assert!(neighbour.list("telegram", name).is_empty());
        assert!(is_in(&gate, name, "42").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_code_works_for_its_own_account_only() {
    let house = House::new();
    let gate = house.gate();
    let mut neighbour = house.openclaw.store();
    let ours = challenge(&gate, "work", "42").await;
    assert_eq!(neighbour.approve("telegram", ours.code.reveal()).as_deref(), Some("42"));
    assert!(is_in(&gate, "work", "42").await);
    assert!(!is_in(&gate, "default", "42").await);
    assert_eq!(neighbour.approve("telegram", ours.code.reveal()), None);
}

/// Where it prunes to three, a fourth of ours would throw somebody out.
#[tokio::test(flavor = "multi_thread")]
async fn i3_together_there_are_three() {
    let house = House::new();
    let ten = Limits { pending_max: 10, ..Limits::default() };
    let policy = AccountPolicy::new(account("default").channel(), DmPolicy::Pairing, [], ten).unwrap();
    let store = house.store(World::default());
    let gate = DmGate::builder().policy(policy).store(store).build();
    let mut neighbour = house.openclaw.store();
    assert!(neighbour.upsert("telegram", "default", "1").created);
    challenge(&gate, "default", "2").await;
    challenge(&gate, "work", "3").await;
    assert_eq!(gate.admit(&message("default", "4")).await.reason(), Reason::PendingFull);
    assert_eq!(neighbour.upsert("telegram", "default", "5").code, "");
    let listed = |neighbour: &mut dmgate_test_peers::openclaw::NeighbourStore| -> Vec<String> {
        let mut of = |name| neighbour.list("telegram", name);
        let ids = [of("default"), of("work")].concat();
        ids.iter().map(|request: &Value| request["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&mut neighbour), ["1", "2", "3"]);

    // A slot that gets free in one program is free in the other.
    let first = neighbour.list("telegram", "default")[0]["code"].as_str().unwrap().to_owned();
    approve(&**gate.store(), &first).await;
    assert!(neighbour.upsert("telegram", "default", "5").created);
    assert_eq!(gate.admit(&message("default", "4")).await.reason(), Reason::PendingFull);
}

/// A sender of ours writes to it as well: it keeps the code, and forgets that the request was ours.
#[tokio::test(flavor = "multi_thread")]
async fn i2_a_sender_of_ours_gets_no_second_code_by_way_of_it() {
    let house = House::new();
    let gate = house.gate();
    let mut neighbour = house.openclaw.store();
    let ours = challenge(&gate, "default", "42").await;
    let again = neighbour.upsert("telegram", "default", "42");
    assert_eq!((again.code.as_str(), again.created), (ours.code.reveal(), false));
    assert_eq!(gate.admit(&message("default", "42")).await.reason(), Reason::AlreadyPending);
    assert_eq!(approve(&**gate.store(), ours.code.reveal()).await, "42");
    assert!(is_in(&gate, "default", "42").await);
    gate.store().revoke(&account("default"), &sender("42"), &crate::owner()).await.unwrap();
    assert_eq!(gate.admit(&message("default", "42")).await.reason(), Reason::HourUsed);
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_a_request_of_ours_has_its_form() {
    let (house, other) = (House::new(), House::new());
    let gate = house.gate();
    challenge(&gate, "default", "42").await;
    other.openclaw.store().upsert("telegram", "default", "42");
    let (ours, its) = (house.read("telegram-pairing.json"), other.read("telegram-pairing.json"));
    // What differs from one request to the next, and what we add.
    let plain = |text: &str| -> Vec<String> {
        let document: Value = serde_json::from_str(text).unwrap();
        let request = &document["requests"][0];
        let mut text = text.to_owned();
        for key in ["code", "createdAt", "lastSeenAt"] {
            text = text.replace(request[key].as_str().unwrap(), key);
        }
        let own = format!(",\n      \"requestId\": {}", request["requestId"]);
        text.replace(&own, "").lines().map(str::to_owned).collect()
    };
    assert_eq!(plain(&ours), plain(&its));
    assert!(ours.contains("requestId") && !its.contains("requestId"));
    assert!(ours.ends_with("}\n") && its.ends_with("}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_what_others_wrote_survives_our_rewrites() {
    let house = House::new();
    let gate = house.gate();
    house.openclaw.store().upsert("telegram", "default", "41");
    // A later version's members and fields, an entry of nobody knows what, and odd ways to write their values.
    let before = house
        .read("telegram-pairing.json")
        .replace("\"version\": 1,", "\"version\": 1,\n  \"note\": {\"a\":[1,2.50,\"\\u00e9\"]},")
        .replace("\"meta\": {", "\"later\": [ ],\n      \"meta\": {")
        .replace("\n  ]\n}", ",\n    {\"id\":7}\n  ],\n  \"last\": null\n}");
    house.write("telegram-pairing.json", &before);
    let ours = challenge(&gate, "default", "42").await;
    assert_ne!(house.read("telegram-pairing.json"), before);
    approve(&**gate.store(), ours.code.reveal()).await;
    assert_eq!(house.read("telegram-pairing.json"), before);
}
