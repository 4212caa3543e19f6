//! Both programs at work on the same files, at the same time.

use std::collections::BTreeSet;
use std::thread;

use crate::{House, account, approve, challenge, is_in, owner, sender};

/// Five hundred entries each, in rounds: it waits a tenth of a second at least where it meets our lock, and would
/// otherwise be left behind.
#[tokio::test(flavor = "multi_thread")]
async fn i13_a_thousand_additions_to_one_list_lose_none() {
    let house = House::new();
    let name = "telegram-work-allowFrom.json";
    house.write(name, "{\n  \"version\": 1,\n  \"allowFrom\": []\n}\n");
    let gate = house.gate();
    let mut neighbour = house.openclaw.store();
    for round in 0..50 {
        let ids = |from: usize| -> Vec<String> {
            (0..10).map(|number| (1 + from + round * 10 + number).to_string()).collect()
        };
        let (ours, its) = (ids(100_000), ids(200_000));
        let writing = thread::spawn(move || {
            neighbour.add("telegram", "work", &its.iter().map(String::as_str).collect::<Vec<_>>());
            neighbour
        });
        for id in &ours {
            assert!(gate.store().allow(&account("work"), &sender(id), &owner()).await.unwrap());
        }
        neighbour = writing.join().unwrap();
    }
    let entries = gate.store().allowed(&account("work")).await.unwrap();
    assert_eq!(entries.len(), 1_000);
    assert_eq!(entries.iter().collect::<BTreeSet<_>>().len(), 1_000);
    assert_eq!(neighbour.allow_from("telegram", "work"), entries);
    // The rounds were no rounds if the two never alternated within one.
    let switches = entries.windows(2).filter(|pair| pair[0].as_bytes()[0] != pair[1].as_bytes()[0]).count();
    assert!(switches > 60, "{switches} switches");
    assert_eq!(house.leftovers(), [""; 0]);
}

/// Requests that come and are approved, at most two of them waiting at a time.
#[tokio::test(flavor = "multi_thread")]
async fn i4_every_approval_of_both_counts() {
    let house = House::new();
    house.write("telegram-pairing.json", "{\n  \"version\": 1,\n  \"requests\": []\n}\n");
    house.write("telegram-default-allowFrom.json", "{\n  \"version\": 1,\n  \"allowFrom\": []\n}\n");
    let gate = house.gate();
    let mut neighbour = house.openclaw.store();
    let mut approved = Vec::new();
    for round in 1..=40 {
        let writing = thread::spawn(move || {
            let id = round.to_string();
            let request = neighbour.upsert("telegram", "default", &id);
            assert!(request.created, "{id}");
            assert_eq!(neighbour.approve("telegram", &request.code).as_ref(), Some(&id));
            (neighbour, id)
        });
        for number in 0..5 {
            let id = (1_000 + 10 * round + number).to_string();
            let code = challenge(&gate, "default", &id).await.code;
            assert_eq!(approve(&**gate.store(), code.reveal()).await, id);
            approved.push(id);
        }
        let (back, id) = writing.join().unwrap();
        neighbour = back;
        approved.push(id);
    }
    assert!(neighbour.list("telegram", "default").is_empty());
    let its = neighbour.allow_from("telegram", "default");
    for id in approved {
        assert!(its.contains(&id), "{id}");
        assert!(is_in(&gate, "default", &id).await, "{id}");
    }
    assert_eq!(house.leftovers(), [""; 0]);
}
