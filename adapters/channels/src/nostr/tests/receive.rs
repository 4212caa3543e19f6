//! Connections to relays: what is asked for, what comes, and what outlives them.

use super::*;

#[tokio::test]
async fn two_days_and_a_margin_are_asked_for_and_a_relay_is_ready_when_it_gave_them() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 8);
    let (mut peer, question) = asked(&relay).await;
    let filter = json!({ "kinds": [1059, 4], "#p": [key("bot")], "since": NOW - 50 * 60 * 60 });
    assert_eq!(question, json!(["REQ", "dmgate", filter]));
    give(&mut peer, &made(&json!({ "text": "from before" }))).await;
    assert_eq!(running.text().await, "from before");
    assert_eq!(running.bot.status(), ChannelStatus::Connecting(None));
    peer.say(r#"["EOSE","dmgate"]"#).await;
    running.bot.relays[0].reach(|status| *status == ChannelStatus::Ready).await;
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    give(&mut peer, &made(&json!({ "kind": 4, "text": "from now" }))).await;
    assert_eq!(running.text().await, "from now");
    running.shutdown.cancel();
    assert_eq!(peer.closing().await, Some(1000));
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_relay_cuts_is_asked_for_page_after_page() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 8);
    let (mut peer, _) = asked(&relay).await;
    let at = |number: u64| NOW - 1_000 - number;
    for number in 0..50 {
        give(&mut peer, &made(&json!({ "kind": 4, "text": number.to_string(), "at": at(number) }))).await;
        assert_eq!(running.text().await, number.to_string());
    }
    peer.say(r#"["EOSE","dmgate"]"#).await;
    let more = peer.json().await;
    assert_eq!((more[1].as_str(), more[2]["until"].as_u64()), (Some("dmgate-older"), Some(at(49))));
    for number in 49..52 {
        let event = made(&json!({ "kind": 4, "text": number.to_string(), "at": at(number) }));
        peer.say(&json!(["EVENT", "dmgate-older", event]).to_string()).await;
        // The first one is no news where it is the very event; here it was made anew.
        assert_eq!(running.text().await, number.to_string());
    }
    peer.say(r#"["EOSE","dmgate-older"]"#).await;
    assert_eq!(peer.json().await, json!(["CLOSE", "dmgate-older"]));
    running.end().await;
}

#[tokio::test]
async fn a_page_of_one_time_does_not_hide_what_lies_below_it() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 64);
    let (mut peer, _) = asked(&relay).await;
    let at = NOW - 1_000;
    let flood: Vec<Value> =
        (0..50).map(|number| made(&json!({ "kind": 4, "text": number.to_string(), "at": at }))).collect();
    for event in &flood {
        give(&mut peer, event).await;
        running.text().await;
    }
    peer.say(r#"["EOSE","dmgate"]"#).await;
    for until in [at, at - 1] {
        assert_eq!(peer.json().await[2]["until"].as_u64(), Some(until));
        // The relay gives no more than a page, and what it gives first is the flood.
        let hidden = made(&json!({ "kind": 4, "text": "hidden", "at": at - 1 }));
        let page = if until == at { flood.clone() } else { vec![hidden] };
        for event in page {
            peer.say(&json!(["EVENT", "dmgate-older", event]).to_string()).await;
        }
        peer.say(r#"["EOSE","dmgate-older"]"#).await;
    }
    assert_eq!(running.text().await, "hidden");
    assert_eq!(peer.json().await, json!(["CLOSE", "dmgate-older"]));
    running.end().await;
}

#[tokio::test]
async fn a_relay_that_gives_the_same_whatever_it_is_asked_is_not_asked_for_ever() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 64);
    let (mut peer, _) = asked(&relay).await;
    let flood: Vec<Value> =
        (0..50).map(|number| made(&json!({ "kind": 4, "text": number.to_string() }))).collect();
    for event in &flood {
        give(&mut peer, event).await;
        running.text().await;
    }
    peer.say(r#"["EOSE","dmgate"]"#).await;
    for until in [NOW, NOW - 1] {
        assert_eq!(peer.json().await[2]["until"].as_u64(), Some(until));
        for event in &flood {
            peer.say(&json!(["EVENT", "dmgate-older", event]).to_string()).await;
        }
        peer.say(r#"["EOSE","dmgate-older"]"#).await;
    }
    assert_eq!(peer.json().await, json!(["CLOSE", "dmgate-older"]));
    running.end().await;
}

#[tokio::test]
async fn who_we_are_is_said_where_it_is_asked_and_then_everything_is_asked_for_again() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 8);
    let (mut peer, question) = asked(&relay).await;
    peer.say(r#"["AUTH","a challenge"]"#).await;
    peer.say(r#"["CLOSED","dmgate","auth-required: we serve no strangers"]"#).await;
    let answer = peer.json().await;
    assert_eq!(answer[0], "AUTH");
    let login: Event = serde_json::from_value(answer[1].clone()).unwrap();
    login.verify().unwrap();
    assert_eq!((login.kind, login.pubkey), (Kind::Authentication, keys("bot").public_key()));
    let tags: Vec<&[String]> = login.tags.iter().map(Tag::as_slice).collect();
    let url = running.bot.relays[0].url.to_string();
    assert_eq!(tags, [&["challenge".to_owned(), "a challenge".to_owned()][..], &["relay".to_owned(), url]]);
    peer.say(&json!(["OK", login.id, true, ""]).to_string()).await;
    assert_eq!(peer.json().await, question);
    give(&mut peer, &made(&json!({}))).await;
    assert_eq!(running.text().await, "hello");
    running.end().await;
}

#[tokio::test]
async fn a_relay_that_does_not_want_us_is_told_and_left_and_the_others_go_on() {
    let (one, other) = (FakeSocket::start().await, FakeSocket::start().await);
    let mut running = run(&bot(&[one.url(""), other.url("")], &Arc::default(), |_| {}), 8);
    let (mut bad, _) = asked(&one).await;
    bad.say(r#"["CLOSED","dmgate","restricted: members only\u0007"]"#).await;
    let told = running.bot.relays[0].reach(|status| *status != ChannelStatus::Connecting(None)).await;
    let ChannelStatus::Connecting(Some(reason)) = told else { panic!("{told:?}") };
    assert!(reason.contains("members only\\u{7}") && reason.contains("ws://127.0.0.1"), "{reason}");
    assert_eq!(running.bot.status(), ChannelStatus::Connecting(Some(reason)));
    let (mut good, _) = asked(&other).await;
    good.say(r#"["EOSE","dmgate"]"#).await;
    give(&mut good, &made(&json!({}))).await;
    assert_eq!(running.text().await, "hello");
    assert_eq!(running.bot.status(), ChannelStatus::Ready);
    running.end().await;
}

#[tokio::test]
async fn i14_what_several_relays_give_counts_once() {
    let (one, other) = (FakeSocket::start().await, FakeSocket::start().await);
    let mut running = run(&bot(&[one.url(""), other.url("")], &Arc::default(), |_| {}), 8);
    let ((mut first, _), (mut second, _)) = (asked(&one).await, asked(&other).await);
    let event = made(&json!({ "text": "once" }));
    give(&mut first, &event).await;
    give(&mut second, &event).await;
    // In another wrap, too.
    give(&mut second, &made(&json!({ "text": "once" }))).await;
    for (peer, text) in [(&mut first, "last of one"), (&mut second, "last of the other")] {
        give(peer, &made(&json!({ "text": text }))).await;
    }
    let mut texts = vec![running.text().await, running.text().await, running.text().await];
    texts.sort();
    assert_eq!(texts, ["last of one", "last of the other", "once"]);
    running.end().await;
}

#[tokio::test]
async fn i14_a_forged_event_uses_up_nothing_of_the_one_whose_id_it_bears() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 8);
    let (mut peer, _) = asked(&relay).await;
    let event = made(&json!({ "kind": 4 }));
    let mut forged = event.clone();
    forged["sig"] = json!("0".repeat(128));
    give(&mut peer, &forged).await;
    give(&mut peer, &event).await;
    assert_eq!(running.text().await, "hello");
    running.end().await;
}

#[tokio::test]
async fn a_restart_neither_loses_nor_repeats() {
    let relay = FakeSocket::start().await;
    let keeper = Arc::default();
    let mut running = run(&bot(&[relay.url("")], &keeper, |_| {}), 1);
    let (mut peer, _) = asked(&relay).await;
    let events: Vec<Value> =
        ["one", "two", "three"].iter().map(|text| made(&json!({ "text": text }))).collect();
    for event in &events {
        give(&mut peer, event).await;
    }
    assert_eq!(running.text().await, "one");
    running.shutdown.cancel();
    let mut taken = vec!["one".to_owned()];
    while let Some(message) = running.messages.recv().await {
        taken.push(message.text);
    }
    running.ended.await.unwrap().unwrap();

    let mut again = run(&bot(&[relay.url("")], &keeper, |_| {}), 8);
    let (mut peer, _) = asked(&relay).await;
    for event in &events {
        give(&mut peer, event).await;
    }
    give(&mut peer, &made(&json!({ "text": "last" }))).await;
    loop {
        match again.text().await {
            last if last == "last" => break,
            text => taken.push(text),
        }
    }
    assert_eq!(taken, ["one", "two", "three"]);
    again.end().await;
}

#[tokio::test]
async fn what_one_relay_brings_to_nobody_another_has_not_brought_either() {
    let (one, other) = (FakeSocket::start().await, FakeSocket::start().await);
    let keeper = Arc::default();
    let running = run(&bot(&[one.url(""), other.url("")], &keeper, |_| {}), 1);
    let ((mut first, _), (mut second, _)) = (asked(&one).await, asked(&other).await);
    let event = made(&json!({ "text": "waits for room" }));
    // What one relay gives is taken in order: the second waits for room when everything ends.
    give(&mut first, &made(&json!({ "text": "takes the room" }))).await;
    give(&mut first, &event).await;
    while running.messages.capacity() > 0 || running.bot.taken.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    give(&mut second, &event).await;
    second.say(r#"["EOSE","dmgate"]"#).await;
    running.bot.relays[1].reach(|status| *status == ChannelStatus::Ready).await;
    running.end_at_once().await;

    let mut again = run(&bot(&[one.url(""), other.url("")], &keeper, |_| {}), 8);
    let (mut first, _) = asked(&one).await;
    give(&mut first, &event).await;
    assert_eq!(again.text().await, "waits for room");
    again.end().await;
}

#[tokio::test]
async fn what_nobody_takes_is_not_noted() {
    let relay = FakeSocket::start().await;
    let keeper = Arc::default();
    let running = run(&bot(&[relay.url("")], &keeper, |_| {}), 1);
    let (mut peer, _) = asked(&relay).await;
    drop(running.messages);
    let event = made(&json!({}));
    give(&mut peer, &event).await;
    running.ended.await.unwrap().unwrap();
    let mut again = run(&bot(&[relay.url("")], &keeper, |_| {}), 1);
    let (mut peer, _) = asked(&relay).await;
    give(&mut peer, &event).await;
    assert_eq!(again.text().await, "hello");
    again.end().await;
}

#[tokio::test]
async fn ten_thousand_events_are_waited_for_and_none_that_is_new_is_lost() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 1);
    let (mut peer, _) = asked(&relay).await;
    let events: Vec<Value> =
        (0..500).map(|number| made(&json!({ "kind": 4, "text": number.to_string() }))).collect();
    let flood = async {
        // Each comes twenty times, as from a relay that repeats itself.
        for event in events.iter().flat_map(|event| std::iter::repeat_n(event, 20)) {
            give(&mut peer, event).await;
        }
    };
    let taken = async {
        for number in 0..500 {
            assert_eq!(running.text().await, number.to_string());
        }
    };
    tokio::join!(flood, taken);
    running.end().await;
}

#[tokio::test]
async fn our_inbox_is_published_when_a_relay_serves_us() {
    let relay = FakeSocket::start().await;
    let running = run(&bot(&[relay.url("")], &Arc::default(), |config| config.announce = true), 8);
    let (mut peer, _) = asked(&relay).await;
    peer.say(r#"["EOSE","dmgate"]"#).await;
    let published = peer.json().await;
    let list: Event = serde_json::from_value(published[1].clone()).unwrap();
    list.verify().unwrap();
    assert_eq!((list.kind, list.pubkey), (Kind::InboxRelays, keys("bot").public_key()));
    let tags: Vec<&[String]> = list.tags.iter().map(Tag::as_slice).collect();
    assert_eq!(tags, [&["relay".to_owned(), running.bot.relays[0].url.to_string()]]);
    peer.say(&json!(["OK", list.id, false, "blocked: no"]).to_string()).await;
    running.end().await;
}

#[tokio::test]
async fn every_end_of_a_connection_is_followed_by_another() {
    let relay = FakeSocket::start().await;
    let mut running = run(&bot(&[relay.url("")], &Arc::default(), |_| {}), 8);
    drop(relay.accept_raw().await);
    let (peer, _) = asked(&relay).await;
    peer.close(1011, "oh").await;
    let (peer, _) = asked(&relay).await;
    drop(peer);
    let (mut peer, _) = asked(&relay).await;
    assert!(matches!(running.bot.status(), ChannelStatus::Connecting(Some(_))));
    give(&mut peer, &made(&json!({}))).await;
    assert_eq!(running.text().await, "hello");
    running.end().await;
}

#[test]
fn what_cannot_be_a_key_or_a_relay_is_refused_and_not_shown() {
    let refusal = |secret: &str, relay: &str| {
        let config = Config::new(Secret::new(secret), vec![relay.to_owned()]);
        Nostr::open(Setup::new(account()), &config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let good = keys("bot").secret_key().to_bech32().unwrap();
    let none = "0".repeat(64);
    for secret in
        ["", "s3cret", "nsec1s3cret", &key("bot")[1..], &none, &keys("bot").public_key().to_bech32().unwrap()]
    {
        let refusal = refusal(secret, "wss://relay.example.org");
        assert!(refusal.starts_with("`secret_key`") && !refusal.contains("s3cret"), "{secret}: {refusal}");
    }
    for relay in ["", "relay.example.org", "https://relay.example.org", "wss://"] {
        assert!(refusal(&good, relay).starts_with("`relays`"), "{relay}");
    }
    assert_eq!(refusal(&good, "wss://relay.example.org/path"), "");
    assert_eq!(refusal(&keys("bot").secret_key().to_secret_hex(), "ws://127.0.0.1:7777"), "");
}
