//! What an owner does about devices from chat.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use dmgate::device::{MOST_REQUESTS, Refused};

#[tokio::test(start_paused = true)]
async fn i17_a_phone_is_paired_from_chat_and_its_code_serves_nobody_else() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    let instruction = say(&running, &mut sends, "/pair").await;
    let code = sends.next().await.text.body;
    assert!(instruction.contains("wss://gate.example.org") && !instruction.contains(&code), "{instruction}");
    let refused = |connected| matches!(connected, Connected::Refused(Refused::Bootstrap));

    let waits = office.connect(phone(1), token(&code)).await;
    assert!(matches!(waits, Connected::Pairing { request: Some(_), .. }), "{waits:?}");
    assert!(refused(office.connect(phone(2), token(&code)).await), "another key");
    assert_eq!(sends.next().await.text.kind, TextKind::Notice, "who asked for a code is told");
    let pending = say(&running, &mut sends, "/pair pending").await;
    assert!(pending.contains("“phone 1” (“ios”)") && pending.contains("asks to be node"), "{pending}");
    let approved = say(&running, &mut sends, "/pair approve").await;
    assert!(approved.starts_with("✅ “phone 1” (“ios”) is in as node."), "{approved}");
    assert!(refused(office.connect(phone(2), token(&code)).await), "another key, after that");

    let Connected::In(admission) = office.connect(phone(1), token(&code)).await else { panic!("not in") };
    assert!(
        refused(office.connect(phone(2), token(&code)).await)
            && refused(office.connect(phone(1), token(&code)).await)
    );
    let held = Credential::Token(admission.token.reveal().to_owned());
    assert!(matches!(office.connect(phone(1), held).await, Connected::In(_)));
    let audit = fs::read_to_string(office.state.path().join("audit.jsonl")).unwrap();
    assert!(audit.contains("\"actor\":\"chat:telegram:default:42\",\"surface\":\"remote\""), "{audit}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn i17_only_what_the_owner_saw_is_approved_without_its_id() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    assert!(say(&running, &mut sends, "/pair approve").await.starts_with("No device waits."));
    office.knock(phone(1)).await;
    let looked = say(&running, &mut sends, "/pair approve").await;
    assert!(looked.starts_with("Look first") && looked.contains("phone 1"), "{looked}");

    // The device asks for more meanwhile: what was seen is not there any more.
    let more = Scopes::parse(["operator.admin"]).unwrap();
    let greedy = Ask { role: Role::Operator, scopes: more, ..phone(1) };
    office.knock(greedy).await;
    let looked = say(&running, &mut sends, "/pair approve latest").await;
    assert!(looked.starts_with("Look first") && looked.contains("scopes operator.admin"), "{looked}");
    assert!(office.devices.view().devices.paired.is_empty());
    assert!(say(&running, &mut sends, "/pair approve latest").await.starts_with("✅"));

    // Of several the id says which; its beginning will do, if it is long enough.
    let (one, other) = (office.knock(phone(3)).await, office.knock(phone(4)).await);
    let several = say(&running, &mut sends, "/pair approve").await;
    assert!(several.starts_with("Several wait"), "{several}");
    assert!(several.contains(one.id.as_str()) && several.contains(other.id.as_str()), "{several}");
    let short = &one.id.as_str()[..7];
    assert!(
        say(&running, &mut sends, &format!("/pair approve {short}")).await.starts_with("No such request")
    );
    let begin = one.id.as_str()[..8].to_uppercase();
    assert!(say(&running, &mut sends, &format!("/pair approve {begin}")).await.starts_with("✅ “phone 3”"));
    assert!(
        say(&running, &mut sends, &format!("/pair approve {begin}")).await.starts_with("No such request")
    );
    assert!(say(&running, &mut sends, "/pair reject").await.starts_with("Rejected: “phone 4”"));
    assert!(office.devices.view().devices.pending.is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_devices_say_is_shown_escaped_and_what_is_new_is_marked() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    office.knock(phone(1)).await;
    say(&running, &mut sends, "/pair pending").await;
    say(&running, &mut sends, "/pair approve").await;
    let description = Description {
        display_name: Some("x” is in\n\u{202e}✅ \u{1b}[2J".into()),
        platform: Some("android".into()),
        device_family: Some("“pixel".into()),
        ..Description::default()
    };
    let scopes = Scopes::parse(["operator.write"]).unwrap();
    office.knock(Ask { description, scopes, role: Role::Operator, ..phone(1) }).await;
    let pending = say(&running, &mut sends, "/pair status").await;
    let name = "“x' is in\\u{a}\\u{202e}✅ \\u{1b}[2J” (“android”, “'pixel”)";
    assert!(pending.contains(name), "{pending}");
    let new = "paired already with no scopes; new: the role operator, the scope operator.write, it says that it is \
               “android” and not “ios”";
    assert!(pending.contains(new), "{pending}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_house_is_listed_in_part_and_what_expired_is_not() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    for seed in 1..=u8::try_from(MOST_REQUESTS).unwrap() {
        office.ground.clock.advance(Duration::from_millis(10));
        office.knock(phone(seed)).await;
    }
    let pending = say(&running, &mut sends, "/pair pending").await;
    let at = |seed: usize| pending.find(&format!("“phone {seed}”"));
    assert!(at(32) < at(25) && at(32).is_some() && at(24).is_none(), "{pending}");
    assert!(pending.contains("And 24 that asked before"), "{pending}");
    assert!(say(&running, &mut sends, "/pair approve latest").await.starts_with("✅ “phone 32”"));
    office.ground.clock.advance(Duration::from_secs(300));
    assert!(say(&running, &mut sends, "/pair pending").await.starts_with("No device waits."));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn setup_codes_that_were_given_out_die_on_demand() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    say(&running, &mut sends, "/pair").await;
    let code = sends.next().await.text.body;
    say(&running, &mut sends, "/pair").await;
    sends.next().await;
    assert_eq!(say(&running, &mut sends, "/pair cleanup").await, "2 setup codes work no more.");
    let refused = office.connect(phone(1), token(&code)).await;
    assert_eq!(refused, Connected::Refused(Refused::Bootstrap));
    assert!(say(&running, &mut sends, "/pair whatever").await.starts_with("What I understand"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_code_has_the_form_that_suits_its_channel() {
    for (channel, limit, texts) in [("telegram", 4_096, 2), ("custom", 4_096, 1), ("custom", 400, 2)] {
        let office = Office::new().await;
        let account = AccountKey::parse(channel, "default").unwrap();
        let (adapter, mut sends) =
            adapter_of(ChannelMeta { text_limit: limit, ..roomy(channel) }, |_| Ok(()));
        let (running, desk) = office.open_with(adapter);
        let me = SenderId::parse(account.channel(), "42").unwrap();
        desk.set_owners([(account.clone(), me.clone())]);
        office.ground.store.allow(&account, &me, &crate::support::owner()).await.unwrap();
        running.inbox.deliver(InboundMessage::direct(account, Sender::new(me), "/pair")).await;
        let sent = [sends.next().await].into_iter();
        running.stop().await;
        let sent: Vec<Sent> = sent.chain(sends.so_far()).collect();
        // A channel of short messages gets the instruction in parts, and the code whole all the same.
        let last = sent.last().unwrap();
        assert!(sent.len() == texts || limit == 400, "{channel} {limit}: {}", sent.len());
        let code = last.text.body.lines().last().unwrap();
        assert!(SetupCode::decode(code).is_ok(), "{channel}: {code}");
        assert_eq!(last.text.body.len() == code.len(), texts == 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_is_a_picture_where_the_channel_sends_one_and_else_a_text() {
    for outcome in [Ok(()), Err(SendError::Impossible { reason: "this channel sends no pictures".into() })] {
        let office = Office::new().await;
        let (mut adapter, mut sends) = adapter_of(roomy("telegram"), |_| Ok(()));
        let pictures = Arc::new(Mutex::new(Vec::new()));
        let (seen, given) = (Arc::clone(&pictures), outcome.clone());
        adapter.expect_send_picture().returning(move |route, picture| {
            seen.lock().unwrap().push((route.as_str().to_owned(), picture.clone()));
            given.clone()
        });
        let (running, _) = office.open_with(adapter);
        running.inbox.deliver(message("42", "/pair qr")).await;
        running.stop().await;
        let texts = sends.so_far();
        let pictures = pictures.lock().unwrap();
        let [(to, picture)] = &pictures[..] else { panic!("{pictures:?}") };
        assert!(to == "42" && picture.png.starts_with(b"\x89PNG"));
        assert!(picture.caption.contains("wss://gate.example.org"), "{}", picture.caption);
        assert!(!format!("{picture:?}").contains("gate.example.org"));
        match outcome {
            Ok(()) => assert_eq!(texts.len(), 0),
            Err(_) => assert!(SetupCode::decode(&texts[1].text.body).is_ok()),
        }
        assert_eq!(office.devices.view().devices.bootstrap.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn i7_trouble_is_told_without_what_is_in_the_files_and_nothing_is_done() {
    let office = Office::new().await;
    let (running, mut sends, _) = office.open();
    office.knock(phone(1)).await;
    let pending = office.state.path().join("devices/pending.json");
    scribble(&pending, "{\"cut");
    for text in ["/pair pending", "/pair approve latest", "/pair reject latest"] {
        let said = say(&running, &mut sends, text).await;
        assert!(said.starts_with("That can't be done now") && !said.contains("pending.json"), "{said}");
    }
    assert_eq!(fs::read(&pending).unwrap(), b"{\"cut");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_no_device_reaches_has_no_setup_code() {
    let office = Office::new().await;
    let gate = office.ground.gate();
    let why = Err("set `token_file` in [gateway]".to_owned());
    let desk = Desk::new(Arc::new(Echo), gate.clone(), office.devices.clone(), office.state.path(), why);
    desk.set_owners([(account(), sender("42"))]);
    let (adapter, mut sends) = adapter_of(roomy("telegram"), |_| Ok(()));
    let running = start(gate, adapter, desk);
    for text in ["/pair", "/pair qr"] {
        let said = say(&running, &mut sends, text).await;
        assert_eq!(said, "There is no setup code: set `token_file` in [gateway]");
    }
    assert!(office.devices.view().devices.bootstrap.is_empty());
    running.stop().await;
}
