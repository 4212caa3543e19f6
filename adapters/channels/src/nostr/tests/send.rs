//! Texts: in which format, where to, and what becomes of them.

use ::nostr::nips::nip59::UnwrappedGift;

use super::*;
use crate::nostr::reach::{RELAYS_EACH, named};

fn route(format: &str) -> ReplyRoute {
    ReplyRoute::new(format!("{format} {}", key("ann")))
}

/// A list of somebody's inbox relays.
fn list(name: &str, relays: &[&str], at: u64) -> Event {
    let relays = relays.iter().map(|relay| Tag::custom("relay", [*relay]));
    let list = EventBuilder::new(Kind::InboxRelays, "").tags(relays);
    list.custom_created_at(Timestamp::from_secs(at)).finalize(&keys(name)).unwrap()
}

/// Answers the question for somebody's inbox.
async fn answer_question(relay: &FakeSocket, lists: &[Event]) {
    let (mut peer, question) = asked(relay).await;
    assert_eq!(question[2], json!({ "kinds": [10050], "authors": [key("ann")], "limit": 1 }));
    let subscription = question[1].as_str().unwrap();
    for list in lists {
        peer.say(&json!(["EVENT", subscription, list]).to_string()).await;
    }
    peer.say(&json!(["EOSE", subscription]).to_string()).await;
    peer.closing().await;
}

/// The event that is published at a relay, which says this of it.
async fn published(relay: &FakeSocket, is_taken: bool, reason: &str) -> Event {
    let (mut peer, said) = asked(relay).await;
    assert_eq!(said[0], "EVENT");
    let event: Event = serde_json::from_value(said[1].clone()).unwrap();
    event.verify().unwrap();
    peer.say(&json!(["OK", event.id, is_taken, reason]).to_string()).await;
    event
}

#[tokio::test]
async fn an_answer_in_the_newer_format_goes_to_the_inbox_of_its_receiver() {
    let (own, theirs) = (FakeSocket::start().await, FakeSocket::start().await);
    let bot = bot(&[own.url("")], &Arc::default(), |config| config.private_relays = true);
    let list = list("ann", &[&theirs.url("")], NOW);
    let (route, hi) = (route("nip17"), text("hi"));
    let (outcome, event) = tokio::join!(bot.send_text(&route, &hi), async {
        answer_question(&own, &[list]).await;
        published(&theirs, true, "").await
    });
    outcome.unwrap();
    let tags: Vec<&[String]> = event.tags.iter().map(Tag::as_slice).collect();
    assert_eq!((event.kind, tags), (Kind::GiftWrap, vec![&["p".to_owned(), key("ann")][..]]));
    assert_ne!(event.pubkey, keys("bot").public_key(), "who writes is not shown");
    let gift = UnwrappedGift::from_gift_wrap(&keys("ann"), &event).unwrap();
    assert_eq!((gift.sender, gift.rumor.content.as_str()), (keys("bot").public_key(), "hi"));
    assert_eq!(gift.rumor.created_at.as_secs(), NOW);
    // Where the inbox is need not be asked again; a second try is the same event.
    let (outcome, again) =
        tokio::join!(bot.send_text(&route, &hi), published(&theirs, false, "duplicate: have it"));
    outcome.unwrap();
    assert_eq!(again.id, event.id);
}

#[tokio::test]
async fn an_answer_goes_to_our_own_relays_in_the_older_format_and_where_no_inbox_is_known() {
    let own = FakeSocket::start().await;
    let bot = bot(&[own.url("")], &Arc::default(), |_| {});
    let (to, hi) = (route("nip04"), text("hi"));
    let (outcome, event) = tokio::join!(bot.send_text(&to, &hi), published(&own, true, ""));
    outcome.unwrap();
    assert_eq!((event.kind, event.pubkey), (Kind::EncryptedDirectMessage, keys("bot").public_key()));
    assert_eq!(nip04::decrypt(keys("ann").secret_key(), &event.pubkey, &event.content).unwrap(), "hi");
    let to = route("nip17");
    let (outcome, event) = tokio::join!(bot.send_text(&to, &hi), async {
        answer_question(&own, &[]).await;
        published(&own, true, "").await
    });
    outcome.unwrap();
    assert_eq!(event.kind, Kind::GiftWrap);
}

#[tokio::test]
async fn i6_what_relays_say_decides_what_became_of_a_text() {
    let (one, other) = (FakeSocket::start().await, FakeSocket::start().await);
    let bot = bot(&[one.url(""), other.url("")], &Arc::default(), |_| {});
    let (to, hi) = (route("nip04"), text("hi"));
    let (outcome, ..) = tokio::join!(
        bot.send_text(&to, &hi),
        published(&one, false, "blocked: no"),
        published(&other, true, "")
    );
    outcome.unwrap();
    let (outcome, ..) = tokio::join!(
        bot.send_text(&to, &hi),
        published(&one, false, "blocked: \u{7}"),
        published(&other, false, "rate-limited: slow down"),
    );
    let told = format!("{outcome:?}");
    assert!(matches!(outcome, Err(SendError::Failed { retry_after: Some(_), .. })), "{told}");
    assert!(told.contains("slow down") && told.contains("\\u{7}"), "{told}");
    let (outcome, ..) = tokio::join!(bot.send_text(&to, &hi), published(&one, false, "blocked: no"), async {
        // It takes the event and says nothing.
        drop(asked(&other).await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ..) =
        tokio::join!(bot.send_text(&to, &hi), async { drop(one.accept_raw().await) }, async {
            drop(other.accept_raw().await);
        },);
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "no hands were shaken: {outcome:?}");
    drop((one, other));
    let outcome = bot.send_text(&to, &hi).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn i6_silence_leaves_it_open_and_one_relay_that_has_it_is_enough() {
    let (one, other) = (FakeSocket::start().await, FakeSocket::start().await);
    let bot = bot(&[one.url(""), other.url("")], &Arc::default(), |_| {});
    let (to, hi) = (route("nip04"), text("hi"));
    let silent = async |relay: &FakeSocket| asked(relay).await.0;
    let (outcome, _peer, _) = tokio::join!(bot.send_text(&to, &hi), silent(&one), async {
        published(&other, true, "").await;
        tokio::time::pause();
    });
    tokio::time::resume();
    outcome.unwrap();
    let (outcome, _peers) = tokio::join!(bot.send_text(&to, &hi), async {
        let peers = (silent(&one).await, silent(&other).await);
        tokio::time::pause();
        peers
    });
    tokio::time::resume();
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_relay_that_wants_to_know_who_writes_is_told_and_no_other() {
    let own = FakeSocket::start().await;
    let bot = bot(&[own.url("")], &Arc::default(), |_| {});
    let (to, hi) = (route("nip04"), text("hi"));
    let (outcome, ()) = tokio::join!(bot.send_text(&to, &hi), async {
        let (mut peer, said) = asked(&own).await;
        peer.say(r#"["AUTH","a challenge"]"#).await;
        peer.say(&json!(["OK", said[1]["id"], false, "auth-required: who are you?"]).to_string()).await;
        let login = peer.json().await;
        assert_eq!((login[0].as_str(), login[1]["kind"].as_u64()), (Some("AUTH"), Some(22242)));
        peer.say(&json!(["OK", login[1]["id"], true, ""]).to_string()).await;
        assert_eq!(peer.json().await, said);
        peer.say(&json!(["OK", said[1]["id"], true, ""]).to_string()).await;
    });
    outcome.unwrap();
    let (outcome, ()) = tokio::join!(bot.send_text(&to, &hi), async {
        let (mut peer, said) = asked(&own).await;
        peer.say(&json!(["OK", said[1]["id"], false, "auth-required: and no challenge"]).to_string()).await;
    });
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
}

#[tokio::test]
async fn no_stranger_sends_us_into_a_private_network() {
    let (own, theirs) = (FakeSocket::start().await, FakeSocket::start().await);
    let bot = bot(&[own.url("")], &Arc::default(), |_| {});
    let (to, hi) = (route("nip17"), text("hi"));
    let lists =
        [list("ann", &[&theirs.url(""), "ws://localhost:1", "ws://10.0.0.1", "wss://169.254.169.254/"], NOW)];
    let outcome = tokio::select! {
        (outcome, ()) = async { tokio::join!(bot.send_text(&to, &hi), answer_question(&own, &lists)) } => outcome,
        _ = theirs.accept() => panic!("a relay in a private network was called"),
    };
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(format!("{outcome:?}").contains("private"), "{outcome:?}");
    for bad in [
        "ws://127.0.0.1:1",
        "ws://[::1]:1",
        "ws://[::ffff:10.0.0.1]",
        "ws://0.0.0.0",
        "http://x",
        "ws://192.168.0.1",
    ] {
        assert!(bot.reach.resolve(bad).await.is_err(), "{bad}");
    }
    let address = bot.reach.resolve("wss://1.1.1.1/path").await.unwrap();
    assert_eq!(address.place(), ("1.1.1.1", 443));
    assert!(bot.reach.resolve(&own.url("/")).await.is_ok(), "our own are the owner's choice");
}

#[test]
fn only_a_persons_own_newest_list_counts_and_few_relays_of_it() {
    let ann = keys("ann").public_key();
    let old = list("ann", &["wss://old.example"], 1);
    let new =
        list("ann", &["wss://new.example/", "wss://new.example", "https://no", "ws:", "file:///etc"], 2);
    let foreign = list("mallory", &["wss://evil.example"], 9);
    let mut forged = list("mallory", &["wss://evil.example"], 9);
    forged.pubkey = ann;
    assert_eq!(
        named(&[old.clone(), new.clone(), foreign.clone(), forged.clone()], &ann),
        ["wss://new.example"]
    );
    assert_eq!(named(&[foreign, forged], &ann), [""; 0]);
    let many: Vec<String> = (0..20).map(|number| format!("wss://{number}.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(named(&[list("ann", &many, 3), old, new], &ann).len(), RELAYS_EACH);
    let mut other_kind = EventBuilder::new(Kind::TextNote, "").tag(Tag::custom("relay", ["wss://x.example"]));
    other_kind.created_at = Some(Timestamp::from_secs(9));
    assert!(named(&[other_kind.finalize(&keys("ann")).unwrap()], &ann).is_empty());
}

#[tokio::test]
async fn the_longest_text_is_one_that_everybody_can_decrypt() {
    let own = FakeSocket::start().await;
    let bot = bot(&[own.url("")], &Arc::default(), |_| {});
    for letter in ["\u{1}", "\u{ffff}", "\u{1f600}"] {
        let longest = letter.repeat(TEXT_LIMIT / letter.encode_utf16().count());
        for format in [Format::Nip04, Format::Nip17] {
            let route = Route::new(format, &key("ann")).unwrap();
            let event = bot.packed(&route, &text(&longest)).unwrap();
            // 64 KiB and a little, as base64: more than that not every program decrypts.
            assert!(event.content.len() <= 87_600, "{}", event.content.len());
        }
        *bot.sent.lock().unwrap() = Latest::default();
    }
}
