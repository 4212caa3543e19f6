//! The Matrix adapter against Synapse (`tests/peers`).

use std::sync::Arc;

use dmgate::pairing::Surface;
use dmgate::store::{Actor, MemoryStore};
use dmgate::{
    AccountKey, ChannelStatus, Conversation, Decision, DmGate, EventKind, InboundMessage, Origin, Permit,
    Sender, SenderId, World,
};
use dmgate_channels::{Options, Setup};
use dmgate_test_peers::Synapse;
use dmgate_test_peers::synapse::Login;
use serde_json::{Value, json};

use crate::running::{Running, setup, text};

async fn start() -> Arc<Synapse> {
    Arc::new(tokio::task::spawn_blocking(Synapse::start).await.unwrap())
}

/// Runs blocking calls of the homeserver beside the adapter.
async fn ask<T: Send + 'static>(
    synapse: &Arc<Synapse>,
    call: impl FnOnce(&Synapse) -> T + Send + 'static,
) -> T {
    let synapse = Arc::clone(synapse);
    tokio::task::spawn_blocking(move || call(&synapse)).await.unwrap()
}

fn run(synapse: &Synapse, setup: &Setup) -> Running {
    let options =
        Options::new().with("homeserver", synapse.base()).with("access_token", synapse.bot().token.as_str());
    Running::start(setup, &options)
}

/// The next message that is not about who is in a room.
async fn next(running: &mut Running) -> InboundMessage {
    loop {
        let message = running.next().await;
        if message.event != EventKind::Membership && message.origin != Origin::Own {
            return message;
        }
    }
}

/// The next message that would make the agent act, from somebody whom it may answer.
async fn heard(running: &mut Running) -> InboundMessage {
    loop {
        let message = next(running).await;
        if message.event.acts() && message.conversation == Conversation::Direct {
            return message;
        }
    }
}

/// Works until the room's members are so many.
fn wait_for_members(synapse: &Synapse, login: &Login, room: &str, count: usize) {
    for _ in 0..2_000 {
        let path = format!("rooms/{room}/joined_members");
        let joined = synapse.call(login, "GET", &path, &Value::Null)["joined"].clone();
        if joined.as_object().is_some_and(|joined| joined.len() == count) {
            return;
        }
    }
    panic!("the members of {room} never are {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_neither_lose_nor_repeat_and_a_gap_is_filled() {
    let synapse = start().await;
    let setup = setup("matrix");
    let mut running = run(&synapse, &setup);
    let (ann, room) = ask(&synapse, |synapse| {
        let ann = synapse.register("Ann");
        let room = synapse.create_chat(&ann);
        // Before the bot has joined.
        synapse.say(&ann, &room, "one");
        (ann, room)
    })
    .await;
    let first = heard(&mut running).await;
    assert_eq!((first.text.as_str(), first.sender.primary().as_str()), ("one", ann.user.as_str()));
    assert!(!room.contains(':'), "a room of version 12 names no server");
    assert_eq!(first.route.as_str(), format!("{room} {}", ann.user));
    running.end().await;

    let (login, chat) = (ann.clone(), room.clone());
    ask(&synapse, move |synapse| {
        (0..130).for_each(|number| drop(synapse.say(&login, &chat, &number.to_string())));
    })
    .await;
    let mut running = run(&synapse, &setup);
    for number in 0..130 {
        assert_eq!(heard(&mut running).await.text, number.to_string());
    }
    running.end().await;

    let mut running = run(&synapse, &setup);
    let (login, chat) = (ann.clone(), room.clone());
    ask(&synapse, move |synapse| synapse.say(&login, &chat, "at last")).await;
    assert_eq!(heard(&mut running).await.text, "at last", "nothing came twice");
    assert_eq!(running.adapter.status(), ChannelStatus::Ready);

    // The same key makes one text.
    let route = first.route.clone();
    for _ in 0..2 {
        running.adapter.send_text(&route, &text("an answer", "key:1")).await.unwrap();
    }
    running.adapter.send_text(&route, &text("another", "key:2")).await.unwrap();
    let (login, chat) = (ann.clone(), room.clone());
    let texts = ask(&synapse, move |synapse| synapse.texts(&login, &chat)).await;
    let answers: Vec<&str> =
        texts.iter().filter(|(user, _)| *user != ann.user).map(|(_, text)| text.as_str()).collect();
    assert_eq!(answers, ["an answer", "another"]);
    let long = "\u{1}".repeat(running.adapter.meta().text_limit);
    running.adapter.send_text(&route, &text(&long, "key:3")).await.unwrap();

    running.adapter.show_typing(&route).await;
    let (login, chat) = (ann.clone(), room.clone());
    let news = ask(&synapse, move |synapse| {
        synapse.call(&login, "GET", "sync?timeout=0", &Value::Null)["rooms"]["join"][&chat].clone()
    })
    .await;
    let typing = json!({ "type": "m.typing", "content": { "user_ids": [synapse.bot().user] } });
    assert!(news["ephemeral"]["events"].as_array().unwrap().contains(&typing), "{news}");

    // Logged out, it asks for a login.
    ask(&synapse, |synapse| synapse.call(synapse.bot(), "POST", "logout", &json!({}))).await;
    let (_, status) = running.fail().await;
    assert!(matches!(status, ChannelStatus::NeedsLogin(_)), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i16_only_a_chat_of_two_that_we_can_read_is_one() {
    let synapse = start().await;
    let mut running = run(&synapse, &setup("matrix"));
    let (ann, bob) = ask(&synapse, |synapse| (synapse.register("ann"), synapse.register("bob"))).await;

    // To a group, though it is said to be direct; to an encrypted chat; to a room: then the one that counts.
    let (one, other) = (ann.clone(), bob.clone());
    let (group, secret, room) = ask(&synapse, move |synapse| {
        let bot = &synapse.bot().user;
        let group = synapse.create_room(&one, &json!({ "preset": "private_chat", "invite": [bot, other.user], "is_direct": true }));
        let encryption = json!({ "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
        let secret = synapse.create_room(&one, &json!({
            "preset": "trusted_private_chat", "invite": [bot], "is_direct": true, "initial_state": [encryption],
        }));
        synapse.create_room(&one, &json!({ "preset": "private_chat", "invite": [bot] }));
        synapse.say(&one, &group, "in a group");
        let room = synapse.create_chat(&one);
        synapse.say(&one, &room, "hello");
        (group, secret, room)
    })
    .await;
    let heard = heard(&mut running).await;
    assert_eq!(heard.text, "hello");
    let (one, chat) = (ann.clone(), group.clone());
    ask(&synapse, move |synapse| {
        // It came and went.
        let members = |synapse: &Synapse| {
            synapse.call(&one, "GET", &format!("rooms/{chat}/members"), &Value::Null)["chunk"].clone()
        };
        let has_left = |members: &Value| {
            members.as_array().unwrap().iter().any(|event| {
                event["state_key"] == synapse.bot().user.as_str() && event["content"]["membership"] == "leave"
            })
        };
        assert!((0..2_000).any(|_| has_left(&members(synapse))), "{}", members(synapse));
        wait_for_members(synapse, &one, &secret, 1);
    })
    .await;

    // A third makes it a group; nothing is sent there while they are, or may come.
    let route = heard.route.clone();
    running.adapter.send_text(&route, &text("alone", "1")).await.unwrap();
    let (one, other, chat) = (ann.clone(), bob.clone(), room.clone());
    ask(&synapse, move |synapse| {
        synapse.call(&one, "POST", &format!("rooms/{chat}/invite"), &json!({ "user_id": other.user }))
    })
    .await;
    running.adapter.send_text(&route, &text("not any more", "2")).await.unwrap_err();
    let (other, chat) = (bob.clone(), room.clone());
    ask(&synapse, move |synapse| {
        synapse.call(&other, "POST", &format!("rooms/{chat}/join"), &json!({}));
        synapse.say(&other, &chat, "what is going on?");
    })
    .await;
    running.adapter.send_text(&route, &text("not any more", "3")).await.unwrap_err();
    let said = next(&mut running).await;
    assert_eq!((said.text.as_str(), said.conversation), ("what is going on?", Conversation::Unknown));
    let (one, chat) = (ann.clone(), room.clone());
    ask(&synapse, move |synapse| synapse.say(&one, &chat, "there are three of us")).await;
    assert_eq!(next(&mut running).await.conversation, Conversation::Group);
    // Synapse shows who left what is said afterwards: so it stays a group.
    let (other, one, chat) = (bob.clone(), ann.clone(), room.clone());
    let said = ask(&synapse, move |synapse| {
        synapse.call(&other, "POST", &format!("rooms/{chat}/leave"), &json!({}));
        synapse.say(&one, &chat, "without Bob");
        synapse.texts(&other, &chat)
    })
    .await;
    assert!(
        said.iter().any(|(_, text)| text == "without Bob"),
        "not any more; then two are alone again: {said:?}"
    );
    assert_eq!(next(&mut running).await.conversation, Conversation::Group);
    running.adapter.send_text(&route, &text("not any more", "4")).await.unwrap_err();
    let chat = room.clone();
    let said = ask(&synapse, move |synapse| synapse.texts(&ann, &chat)).await;
    assert!(said.iter().all(|(_, text)| text != "not any more"), "{said:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i14_what_is_no_message_of_a_person_makes_nobody_act_and_files_are_fetched() {
    let synapse = start().await;
    let mut running = run(&synapse, &setup("matrix"));
    let (ann, room) = ask(&synapse, |synapse| {
        let ann = synapse.register("ann");
        let room = synapse.create_chat(&ann);
        (ann, room)
    })
    .await;
    let (login, chat) = (ann.clone(), room.clone());
    let file = ask(&synapse, move |synapse| {
        wait_for_members(synapse, &login, &chat, 2);
        let id = synapse.say(&login, &chat, "hello");
        let send = |kind: &str, content: Value| synapse.send(&login, &chat, kind, &content);
        let replace = json!({ "rel_type": "m.replace", "event_id": id });
        let new = json!({ "msgtype": "m.text", "body": "hello!" });
        send(
            "m.room.message",
            json!({ "msgtype": "m.text", "body": "* hello!", "m.new_content": new, "m.relates_to": replace }),
        );
        send(
            "m.reaction",
            json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": id, "key": "x" } }),
        );
        send("m.room.message", json!({ "msgtype": "m.notice", "body": "beep" }));
        synapse.call(&login, "PUT", &format!("rooms/{chat}/redact/{id}/r1"), &json!({}));
        let file = synapse.upload(&login, "cat.txt", "text/plain", b"a cat");
        let info = json!({ "mimetype": "text/plain", "size": 5 });
        send(
            "m.room.message",
            json!({ "msgtype": "m.file", "body": "look", "filename": "cat.txt", "url": file, "info": info }),
        );
        file
    })
    .await;
    let mut kinds = Vec::new();
    let last = loop {
        let message = next(&mut running).await;
        assert_eq!(message.sender.primary().as_str(), ann.user);
        if !message.attachments.is_empty() {
            break message;
        }
        kinds.push((message.event, message.origin));
    };
    let person = |kind| (kind, Origin::Person);
    // Synapse shows a redacted message without what was in it.
    kinds.retain(|kind| *kind != person(EventKind::Message) && kind.0 != EventKind::Other);
    let expected = [
        person(EventKind::Edit),
        person(EventKind::Reaction),
        (EventKind::Message, Origin::Bot),
        person(EventKind::Edit),
    ];
    assert_eq!(kinds, expected);
    assert_eq!((last.text.as_str(), last.conversation), ("look", Conversation::Direct));
    let attachment = &last.attachments[0];
    assert_eq!((attachment.reference.as_str(), attachment.size), (file.as_str(), Some(5)));

    let permit = permit(&last.account, &ann.user).await;
    let mut fetched = Vec::new();
    let length = running.adapter.fetch(&permit, attachment, 5, &mut fetched).await.unwrap();
    assert_eq!((length, fetched.as_slice()), (5, &b"a cat"[..]));
    running.adapter.fetch(&permit, attachment, 4, &mut Vec::new()).await.unwrap_err();
    running.end().await;
}

/// What lets an adapter fetch files.
async fn permit(account: &AccountKey, sender: &str) -> Permit {
    let gate = DmGate::builder().store(MemoryStore::new(World::default())).build();
    let sender = SenderId::parse(account.channel(), sender).unwrap();
    let actor = Actor { name: "owner".to_owned(), surface: Surface::Local };
    gate.store().allow(account, &sender, &actor).await.unwrap();
    match gate.admit(&InboundMessage::direct(account.clone(), Sender::new(sender), "look")).await {
        Decision::Admit(permit) => permit,
        decision => panic!("{decision:?}"),
    }
}
