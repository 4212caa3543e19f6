//! Names and ids: each has one form, which is safe in a file's name and is the id itself when it is read again; no two
//! texts become one id but by the channel's own rule, said here a second time.
//!
//! The first line is a channel, the second an account, the rest an id.

use std::collections::HashSet;

use dmgate::pairing::PairingCode;
use dmgate::store::{FileOptions, FileStore, Places, Store};
use dmgate::{AccountId, AccountKey, ChannelId, IdSet, Known, SenderId, World, escape};

/// `data`: channel, account, id.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\n');
    let (channel, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let id = parts.next().unwrap_or_default();
    names(channel, account);
    let own = ChannelId::parse(channel).ok();
    let known = Known::all().map(|known| ChannelId::parse(known.name).unwrap());
    for channel in known.chain(own) {
        sender(&channel, id);
    }
    if let Ok(code) = PairingCode::parse(id) {
        assert_eq!(PairingCode::parse(code.reveal()).unwrap().reveal(), code.reveal());
        assert_eq!(code.reveal(), id.trim().to_ascii_uppercase());
    }
    let shown = escape(id);
    assert!(!shown.contains(char::is_control) && !shown.contains(['\u{202e}', '\u{200b}', '\u{feff}']));
}

fn names(channel: &str, account: &str) {
    let plain = |text: &str| text.trim().to_ascii_lowercase();
    let is_safe = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        (1..=64).contains(&name.len()) && name.bytes().all(is_plain) && !name.contains("..") && name != "."
    };
    if let Ok(id) = AccountId::parse(account) {
        assert_eq!(id.as_str(), plain(account));
        assert!(is_safe(id.as_str()));
    }
    let Ok(id) = ChannelId::parse(channel) else { return };
    assert_eq!(id.as_str(), plain(channel));
    assert!(is_safe(id.as_str()) && !id.as_str().contains(['.', '@']));

    // However a name is cut into a channel and an account: a file belongs to one of these.
    let stem = format!("{channel}-{account}");
    let cuts = stem.match_indices('-').map(|(at, _)| (&stem[..at], &stem[at + 1..]));
    let whole = [(stem.as_str(), "default"), (channel, "default")];
    let keys: HashSet<AccountKey> =
        cuts.chain(whole).filter_map(|(channel, account)| AccountKey::parse(channel, account).ok()).collect();
    let mut seen = HashSet::new();
    for key in &keys {
        let Places { allowed, .. } = places(key);
        for path in allowed {
            assert!(path.rsplit('/').nth(1) == Some("credentials"), "{path}");
            assert!(seen.insert(path.clone()), "{path} is of two accounts: {keys:?}");
        }
    }
}

fn places(key: &AccountKey) -> Places {
    thread_local! {
        static STORE: (FileStore, tempfile::TempDir) = {
            let temp = crate::scene::temp();
            let options = FileOptions { watch: false, ..FileOptions::new(temp.path()) };
            (FileStore::open(options, World::default()).unwrap(), temp)
        };
    }
    STORE.with(|(store, _)| store.places(key))
}

fn sender(channel: &ChannelId, text: &str) {
    if let Ok(id) = SenderId::parse(channel, text) {
        is_canonical(channel, &id);
        assert_eq!(id.as_str(), written(channel.as_str(), text), "{channel}: {text:?}");
        let set = IdSet::from_iter([&id]);
        assert!(set.contains(&id));
        for other in near(text) {
            if let Ok(other_id) = SenderId::parse(channel, &other) {
                let same = written(channel.as_str(), &other) == id.as_str();
                assert_eq!(other_id == id, same, "{channel}: {text:?} and {other:?}");
                assert_eq!(set.contains(&other_id), same, "{channel}: {text:?} and {other:?}");
            }
        }
    }
    if let Ok(id) = SenderId::parse_entry(channel, text) {
        is_canonical(channel, &id);
        if channel.as_str() == "nostr" && text.to_ascii_lowercase().contains("npub1") {
            return;
        }
        // Only words before the id are left out, never an end.
        let bare = |text: &str| {
            text.replace([' ', '-', '(', ')', '.'], "").replace(char::is_whitespace, "").to_ascii_lowercase()
        };
        let (whole, end) = (bare(text), bare(id.as_str()));
        let end = end.strip_prefix("users/").or(end.strip_prefix("uuid:")).unwrap_or(&end);
        let before = whole.strip_suffix(end).unwrap_or_else(|| panic!("{channel}: {text:?} is {id:?}"));
        assert!(before.is_empty() || before.ends_with([':', '@', '/']), "{channel}: {text:?} is {id:?}");
    }
}

/// The id is its own form, of a length and of letters that an id may have.
fn is_canonical(channel: &ChannelId, id: &SenderId) {
    let text = id.as_str();
    assert_eq!(SenderId::parse(channel, text).as_ref(), Ok(id), "{channel}");
    assert_eq!(SenderId::parse_entry(channel, text).as_ref(), Ok(id), "{channel}");
    assert!((1..=SenderId::MAX_BYTES).contains(&text.len()) && text.trim() == text && text != "*");
    assert!(
        !text.contains(char::is_control) && !text.contains(['\u{200b}', '\u{202e}', '\u{feff}', '\u{fe0f}'])
    );
}

/// How a channel's ids are written, in the plainest way.
fn written(channel: &str, text: &str) -> String {
    let dialled = |text: &str| {
        let digits = text.strip_prefix('+')?.replace([' ', '-', '(', ')', '.'], "");
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("+{digits}"))
    };
    let phone = |text: &str| dialled(text).unwrap_or_else(|| text.to_ascii_lowercase());
    match channel {
        "mattermost" | "nextcloud-talk" | "webchat" | "nostr" | "irc" => text.to_ascii_lowercase(),
        "imessage" | "bluebubbles" => phone(text),
        "whatsapp" if text.starts_with('+') => phone(text),
        "signal" if text.starts_with('+') => phone(text),
        "signal" => format!("uuid:{}", phone(text.trim_start_matches("uuid:"))),
        "googlechat" => format!("users/{}", text.trim_start_matches("users/")),
        "slack" => text.to_ascii_uppercase(),
        _ => text.to_owned(),
    }
}

/// Texts that somebody may hope are taken for this one.
fn near(text: &str) -> Vec<String> {
    let mut letters = text.chars();
    let without_first: String = letters.by_ref().skip(1).collect();
    let without_last: String = text.chars().rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect();
    let mut all = vec![text.to_lowercase(), text.to_uppercase(), without_first, without_last];
    for (from, to) in
        [("k", "\u{212a}"), ("s", "\u{17f}"), ("1", "\u{ff11}"), ("i", "\u{131}"), ("a", "\u{430}")]
    {
        all.push(text.to_lowercase().replace(from, to));
    }
    for more in ["*", "?", "x", "0", ".", "-", "\u{200b}", "\u{301}", "\u{fe0f}", "@", ":", "!", "/"] {
        all.push(format!("{text}{more}"));
        all.push(format!("{more}{text}"));
    }
    all.extend(["user:", "tg:", "users/", "uuid:", "account:", "+"].map(|head| format!("{head}{text}")));
    all
}
