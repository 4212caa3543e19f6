//! C. Only a stable id that the platform vouches for matches, whole; never a name, a part, or another kind of id.
//!
//! CVE-2026-28480, CVE-2026-53811, CVE-2026-28471, CVE-2026-53849, GHSA-4cqv-h74h-93j4, CVE-2026-53857,
//! GHSA-c29c-2q9c-pc86, GHSA-7w4v-g4m6-j88v, GHSA-j4xf-96qf-rx69, CVE-2026-28474, CVE-2026-53860, CVE-2026-32975,
//! CVE-2026-35624, CVE-2026-35617, GHSA-chm2-m3w2-wcxm, CVE-2026-32039, GHSA-f6h3-846h-2r8w, CVE-2026-62196,
//! CVE-2026-28446, CVE-2026-100579, CVE-2026-110768, CVE-2026-33654.
//!
//! Also: `i15_an_alias_lets_in_who_held_it_first_and_nobody_after`, `i15_with_services_only_who_is_logged_in_is_known`
//! (IRC nicks), `i14_what_is_refused_by_its_envelope_changes_nothing` (ids that nobody vouches for),
//! `c_nobody_speaks_for_another_by_a_line_of_their_own` (towards the agent), `i15_ids_hold_nothing_invisible`.

use dmgate::{
    AccountKey, AccountPolicy, ChannelId, DmGate, DmPolicy, InboundMessage, Limits, Sender, SenderId,
};
use proptest::prelude::*;
use serde_json::json;

use crate::a_groups::other_chats;
use crate::ground::{Ground, key, message, person, policy, private, text};

/// An id of each known channel, and of one that is nobody's.
const IDS: [(&str, &str); 26] = [
    ("bluebubbles", "ann@example.org"),
    ("bluebubbles", "+4915112345678"),
    ("discord", "80351110224678912"),
    ("feishu", "ou_7d8a6e6df7621556ce0d21922b676706"),
    ("googlechat", "users/117345678901234567890"),
    ("imessage", "+4915112345678"),
    ("irc", "account:ann"),
    ("irc", "ann!~a@host.example.org"),
    ("line", "U4af4980629a1b2c3"),
    ("matrix", "@ann:example.org"),
    ("mattermost", "8hk4k3ywbjbqtn3cfzi5qj6pne"),
    ("msteams", "29:1a-b_c"),
    ("nextcloud-talk", "karl.siek"),
    ("nostr", "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"),
    ("openclaw-weixin", "o9cq80@im.wechat"),
    ("signal", "uuid:5e7d29a1-1f7a-4d8e-9a3b-1c2d3e4f5a6b"),
    ("signal", "+4915112345678"),
    ("slack", "U0123ABCD"),
    ("slack", "T1:U0123ABCD"),
    ("synology-chat", "12"),
    ("telegram", "12345678"),
    ("twitch", "12345678"),
    ("webchat", "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"),
    ("whatsapp", "+4915112345678"),
    ("zalo", "1234567890"),
    ("mybot", "Ann <ann@example.org>"),
];

/// One change to a text, at a place.
#[derive(Clone, Debug)]
enum Edit {
    /// Something stands before what is there.
    Add(&'static str),
    /// Something stands in place of what is there.
    Put(&'static str),
    /// What is there has another case, or is a letter that looks like it or is often folded into it.
    Alike(prop::sample::Index),
}

const PARTS: [&str; 36] = [
    "", "a", "A", "0", "1", "9", "*", "?", "%", ".", "@", ":", "!", "/", "+", " ", "  ", "\t", "\n", "\0",
    "tg:", "user:", "users/", "uuid:", "account:", "slack:", "matrix:", "\u{200b}", "\u{feff}", "\u{202e}",
    "\u{fe0f}", "\u{301}", "\u{a0}", "é", "ß", "-",
];

fn edit() -> impl Strategy<Value = (prop::sample::Index, Edit)> {
    let part = || prop::sample::select(PARTS.to_vec());
    let what = prop_oneof![
        part().prop_map(Edit::Add),
        part().prop_map(Edit::Put),
        any::<prop::sample::Index>().prop_map(Edit::Alike),
    ];
    (any::<prop::sample::Index>(), what)
}

fn edited(text: &str, edits: &[(prop::sample::Index, Edit)]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (at, edit) in edits {
        let at = at.index(letters.len() + 1);
        let (end, by) = match edit {
            Edit::Add(by) => (at, (*by).to_owned()),
            Edit::Put(by) => (at + 1, (*by).to_owned()),
            Edit::Alike(which) => {
                let others: Vec<char> = letters.get(at).map(|letter| alike(*letter)).unwrap_or_default();
                (
                    at + 1,
                    others.get(which.index(others.len().max(1))).map(char::to_string).unwrap_or_default(),
                )
            }
        };
        letters.splice(at..end.min(letters.len()), by.chars());
    }
    letters.into_iter().collect()
}

fn alike(letter: char) -> Vec<char> {
    let other_case =
        if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
    let mut others = vec![other_case];
    if letter.is_ascii_graphic() {
        others.extend(char::from_u32(u32::from(letter) + 0xfee0));
    }
    others.extend(letter.to_digit(10).and_then(|digit| char::from_u32(0x660 + digit)));
    others.extend(
        match letter {
            'k' => "\u{212a}\u{3ba}",
            'i' => "\u{131}\u{130}\u{456}",
            's' => "\u{17f}\u{455}",
            'a' => "\u{430}å",
            'o' => "\u{43e}0",
            'e' => "\u{435}é",
            '.' => "\u{3002}\u{2024}",
            _ => "",
        }
        .chars(),
    );
    others
}

/// What a channel's ids may differ in and be the same: the case of plain letters, the marks in telephone numbers, the
/// heads that say what kind of id it is. Everything is dropped that any channel drops, and no more.
fn folded(channel: &str, id: &str) -> String {
    let lower = id.to_ascii_lowercase();
    let cased =
        ["feishu", "line", "matrix", "msteams", "openclaw-weixin", "zalo", "mybot"].contains(&channel);
    let text = if cased { id } else { &lower };
    let text = match channel {
        "googlechat" => text.trim_start_matches("users/"),
        "signal" => text.trim_start_matches("uuid:"),
        _ => text,
    };
    if text.starts_with('+') { text.replace([' ', '-', '(', ')', '.'], "") } else { text.to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever has an id that is nearly the listed one is out, or has no id at all; and every id comes back from a list
    /// as itself.
    #[test]
    fn c_only_the_whole_id_is_in(
        of in prop::sample::select(IDS.to_vec()),
        edits in prop::collection::vec(edit(), 0..3),
    ) {
        let (channel, listed) = of;
        let account = AccountKey::default_of(ChannelId::parse(channel).unwrap());
        let near = edited(listed, &edits);
        let Ok(id) = SenderId::parse(account.channel(), &near) else { return Ok(()) };
        for again in [SenderId::parse(account.channel(), id.as_str()), SenderId::parse_entry(account.channel(), id.as_str())] {
            prop_assert_eq!(again.as_ref(), Ok(&id), "{:?} comes back as somebody else", near);
        }
        prop_assert!(!id.as_str().is_empty() && id.as_str().len() <= SenderId::MAX_BYTES);
        let listed_only = AccountPolicy::new(account.channel(), DmPolicy::Allowlist, [listed], Limits::default());
        let gate = DmGate::builder().policy(listed_only.unwrap()).build();
        let message = InboundMessage::direct(account, Sender::new(id), "hello");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let said = runtime.block_on(gate.admit(&message)).reason().as_str();
        let is_the_same = folded(channel, &near) == folded(channel, listed);
        prop_assert_eq!(said == "allowlisted", is_the_same, "{:?} beside {:?}: {}", near, listed, said);
    }
}

/// Names, user names and groups in the lists let nobody in who has such a name or writes in such a group; and where the
/// configuration has one, it is refused.
#[tokio::test]
async fn c_no_name_and_no_group_in_a_list_lets_anybody_in() {
    let names =
        ["@ann", "ann", "Ann", "tg:@ann", "4_2", "0x2a", "042", "+42", "4\u{ff12}", "-100777", "*42", "42*"];
    let ground = Ground::new(policy(DmPolicy::Pairing, &[]));
    ground.allow("1").await;
    for name in names {
        let made = AccountPolicy::new(key("default").channel(), DmPolicy::Open, [name], Limits::default());
        assert!(made.is_err(), "{name}");
    }
    let entries = names.map(|name| json!(name).to_string()).join(",");
    ground.put(
        "telegram-allowFrom.json",
        &format!(r#"{{"version":1,"allowFrom":["1",{entries},-100777,4.2e1,[42],null]}}"#),
    );
    assert_eq!(ground.says(&message("default", "1")).await, "allowlisted");
    ground.telegram(text(42, &private(42), "by name")).await;
    for chat in other_chats(42) {
        ground.telegram(text(42, &chat, "by group")).await;
    }
    assert_eq!(ground.end().await, [""; 0]);
}

/// A sender without an id, with none of a user, or with another's beside their own.
#[tokio::test]
async fn c_a_sender_on_telegram_is_the_number_of_who_wrote() {
    let ground = Ground::new(policy(DmPolicy::Open, &["*"]));
    let before = ground.files();
    let ids = [
        json!(null),
        json!(0),
        json!(-42),
        json!("42"),
        json!(""),
        json!(42.0),
        json!([42]),
        json!(1e300),
        json!(u64::MAX),
    ];
    for id in ids {
        let mut update = text(42, &private(42), "as nobody");
        update["message"]["from"]["id"] = id.clone();
        update["message"]["chat"]["id"] = id;
        ground.telegram(update).await;
    }
    let mut update = text(42, &private(42), "as nobody");
    update["message"].as_object_mut().unwrap().remove("from");
    ground.telegram(update).await;
    // The bot is who wrote the message that a button is under; whoever is named in a message did not write it.
    let mut update = text(43, &private(43), "as myself");
    update["message"]["reply_to_message"] = text(42, &private(42), "x")["message"].clone();
    update["message"]["forward_from"] = person(42);
    update["message"]["contact"] = json!({ "phone_number": "+42", "user_id": 42, "first_name": "Ann" });
    update["message"]["via_bot"] = person(42);
    ground.telegram(update).await;
    let mut under = text(42, &private(43), "x")["message"].clone();
    under["from"]["is_bot"] = json!(true);
    ground.telegram(json!({ "callback_query": { "id": "1", "from": person(43), "data": "pressed", "message": under } })).await;
    assert_eq!(ground.files(), before);
    assert_eq!(ground.end().await, ["43: as myself", "43: pressed"]);
}
