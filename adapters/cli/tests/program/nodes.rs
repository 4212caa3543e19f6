//! `dmgate nodes`: the older records.

use dmgate::World;
use dmgate::device::{NodeAsk, NodeStore};
use dmgate::store::FileOptions;
use serde_json::{Value, json};

use crate::place::Place;

/// A node asks; the id of its request.
fn ask(place: &Place, node: &str, name: &str) -> String {
    place.configure("");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = NodeStore::open(FileOptions::new(place.state()), World::default()).unwrap();
    let ask = NodeAsk {
        node_id: node.to_owned(),
        display_name: Some(name.to_owned()),
        commands: Some(vec!["camera.snap".to_owned()]),
        ..NodeAsk::default()
    };
    runtime.block_on(store.request(ask)).unwrap().unwrap().0.id.to_string()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_node_is_approved_and_its_token_is_shown_once() {
    let place = Place::new();
    let request = ask(&place, "kitchen", "Kitchen");
    assert_eq!(read(&place.ok("nodes pending --json"))[0]["requestId"], request.as_str());
    let pending = place.ok("nodes pending");
    assert!(pending.contains(&request) && pending.contains("kitchen offers camera.snap"), "{pending}");
    let done = read(&place.ok(&format!("nodes approve {request}")));
    assert_eq!((&done["requestId"], &done["node"]["nodeId"]), (&json!(request), &json!("kitchen")));
    let token = done["node"]["token"].as_str().unwrap();
    let (text, json) = (place.ok("nodes list"), place.ok("nodes list --json"));
    assert!(
        text.contains("Approved nodes (1)") && !text.contains(token) && !json.contains(token),
        "{text}{json}"
    );
    assert_eq!(read(&json)["paired"][0]["commands"], json!(["camera.snap"]));
    assert_eq!(place.ok("nodes pending --json"), "[]\n");
    assert!(place.fails(1, &format!("nodes approve {request}")).contains("unknown requestId"));
}

#[test]
fn a_node_is_rejected_or_renamed() {
    let place = Place::new();
    assert!(place.fails(3, "nodes list").contains("dmgate run"));
    let request = ask(&place, "kitchen", "Kitchen");
    let done = read(&place.ok(&format!("nodes reject {request}")));
    assert_eq!(done, json!({ "requestId": request, "nodeId": "kitchen" }));
    assert!(place.ok("nodes list").starts_with("No records of nodes"));
    for node in ["kitchen", "hall"] {
        place.ok(&format!("nodes approve {}", ask(&place, node, "Screen")));
    }
    assert!(place.fails(1, "nodes rename --node Screen --name X").contains("several"));
    assert!(place.fails(1, "nodes rename --node attic --name X").contains("unknown node"));
    place.fails_with(2, &["nodes", "rename", "--node", "hall", "--name", " "]);
    assert_eq!(place.ok("nodes rename --node hall --name Hall"), "Node hall is called Hall.\n");
    let done = read(&place.ok("nodes rename --node Hall --name Corridor --json"));
    assert_eq!(done, json!({ "nodeId": "hall", "displayName": "Corridor" }));
}

#[test]
fn f_what_a_node_says_of_itself_plays_no_tricks() {
    let place = Place::new();
    ask(&place, "n\u{1b}[2J\nx", &format!("N\u{202e}  {}Mother", "x".repeat(40)));
    let text = place.ok("nodes list");
    assert!(!text.contains(['\u{1b}', '\u{202e}']) && !text.contains("Mother"), "{text:?}");
    assert_eq!(text.lines().count(), 4, "{text}");
}
