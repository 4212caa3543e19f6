//! Who is told of new requests, and how often.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::support::{HOUR, failed, revoke};

fn book(office: &Office) -> Value {
    let text = fs::read_to_string(office.state.path().join("device-pair-notify.json")).unwrap();
    assert!(!text.ends_with('\n') && text.starts_with("{\n  \""), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_request_is_told_once_also_after_a_restart() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    office.knock(phone(1)).await;
    sends.silence(HOUR).await;
    let told = "You are told of every new request, here.";
    assert_eq!(say(&running, &mut sends, "/pair notify on").await, told);
    assert_eq!(say(&running, &mut sends, "/pair notify").await, told);
    sends.silence(HOUR).await;

    let request = office.knock(phone(2)).await;
    let notice = sends.next().await;
    assert_eq!((notice.to.as_str(), notice.text.kind), ("42", TextKind::Notice));
    assert!(notice.text.body.contains("phone 2") && !notice.text.body.contains("phone 1"));
    // Asked again it is the same request.
    office.knock(phone(2)).await;
    sends.silence(HOUR).await;
    let book = book(&office);
    let at = office.ground.clock.world().clock.now().as_millis();
    let subscriber =
        json!({ "to": "42", "accountId": "default", "route": "42", "mode": "persistent", "addedAtMs": at });
    assert_eq!(book["subscribers"], json!([subscriber]));
    assert_eq!(book["notifiedRequestIds"][request.id.as_str()], json!(at));
    // What was in a notice was seen.
    running.stop().await;

    let (running, mut sends, _) = office.open();
    sends.silence(HOUR).await;
    office.knock(phone(3)).await;
    assert!(sends.next().await.text.body.contains("phone 3"));
    assert!(say(&running, &mut sends, "/pair approve latest").await.starts_with("✅ “phone 3”"));
    assert_eq!(say(&running, &mut sends, "/pair notify off").await, "You are told of no requests.");
    office.knock(phone(4)).await;
    sends.silence(HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn once_is_once_and_a_code_asks_for_it_by_itself() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    let told = "You are told of the next new request, here, and then no more.";
    assert_eq!(say(&running, &mut sends, "/pair notify once").await, told);
    office.knock(phone(1)).await;
    sends.next().await;
    office.knock(phone(2)).await;
    sends.silence(HOUR).await;
    assert_eq!(say(&running, &mut sends, "/pair notify status").await, "You are told of no requests.");

    say(&running, &mut sends, "/pair").await;
    sends.next().await;
    assert_eq!(say(&running, &mut sends, "/pair notify status").await, told);
    // Whoever is told of all stays so.
    say(&running, &mut sends, "/pair notify on").await;
    say(&running, &mut sends, "/pair").await;
    sends.next().await;
    let all = "You are told of every new request, here.";
    assert_eq!(say(&running, &mut sends, "/pair notify status").await, all);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i9_who_is_no_owner_any_more_or_not_let_in_is_told_nothing() {
    let office = Office::new().await;
    let (running, mut sends, desk) = office.open();
    say(&running, &mut sends, "/pair notify on").await;
    desk.set_owners([]);
    office.knock(phone(1)).await;
    sends.silence(HOUR).await;
    desk.set_owners([(account(), sender("42"))]);
    revoke(&*office.ground.store, "42").await;
    office.knock(phone(2)).await;
    sends.silence(HOUR).await;
    allow(&*office.ground.store, "42").await;
    office.knock(phone(3)).await;
    assert!(sends.next().await.text.body.contains("phone 3"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_surely_did_not_arrive_is_sent_again_and_a_flood_is_told_together() {
    let office = Office::new().await;
    let mut outcomes = vec![Ok(()), failed(), failed()].into_iter();
    let (adapter, mut sends) = adapter_of(roomy("telegram"), move |_| outcomes.next().unwrap_or(Ok(())));
    let (running, _) = office.open_with(adapter);
    say(&running, &mut sends, "/pair notify on").await;
    office.knock(phone(1)).await;
    let tries = [sends.next().await, sends.next().await, sends.next().await];
    assert!(tries.iter().all(|sent| sent.text.body.contains("phone 1")));
    for seed in 2..20 {
        office.knock(phone(seed)).await;
    }
    let together = sends.next().await.text.body;
    assert!(together.contains("phone 19") && together.contains("And 10 that asked before"), "{together}");
    sends.silence(HOUR).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn on_every_channel_by_the_way_that_the_owner_wrote() {
    let office = Office::new().await;
    let (adapter, mut sends) = adapter_of(roomy("custom"), |_| Ok(()));
    let (running, desk) = office.open_with(adapter);
    let custom = AccountKey::parse("custom", "default").unwrap();
    let me = SenderId::parse(custom.channel(), "ann").unwrap();
    desk.set_owners([(custom.clone(), me.clone())]);
    office.ground.store.allow(&custom, &me, &crate::support::owner()).await.unwrap();
    let route = dmgate::ReplyRoute::new("room 7");
    let said = InboundMessage::direct(custom, Sender::new(me), "/pair notify on");
    running.inbox.deliver(InboundMessage { route, ..said }).await;
    sends.next().await;
    office.knock(phone(1)).await;
    let notice = sends.next().await;
    assert_eq!((notice.to.as_str(), notice.text.kind), ("room 7", TextKind::Notice));
    let subscriber = &book(&office)["subscribers"][0];
    assert_eq!((&subscriber["channel"], &subscriber["route"]), (&json!("custom"), &json!("room 7")));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i7_a_damaged_file_is_left_as_it_is_and_what_others_wrote_stays() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    let path = office.state.path().join("device-pair-notify.json");
    scribble(&path, "{\"subscribers\": [{}]}");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = say(&running, &mut sends, "/pair notify on").await;
    assert_eq!(said, "That can't be noted now; the log says why.");
    office.knock(phone(1)).await;
    sends.silence(HOUR).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"subscribers\": [{}]}");

    let theirs =
        r#"{"subscribers":[{"to":"42","mode":"once","addedAtMs":1,"messageThreadId":7}],"later":[1]}"#;
    scribble(&path, theirs);
    let status = say(&running, &mut sends, "/pair notify status").await;
    assert!(status.starts_with("You are told of the next"), "{status}");
    office.knock(phone(2)).await;
    sends.silence(HOUR).await;
    let book = book(&office);
    assert_eq!((&book["later"], &book["subscribers"][0]["messageThreadId"]), (&json!([1]), &json!(7)));
    running.stop().await;
}
