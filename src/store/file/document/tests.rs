//! Documents are read as others write them, and edited without loss.

use proptest::prelude::*;

use super::{AllowDocument, DocumentError, PendingDocument, StoredRequest, visit_allow_entries};

const ALLOW: &str =
    "{\n  \"version\": 1,\n  \"allowFrom\": [\n    \"12345678\",\n    \"U\\u0041\",\n    \"zoë\"\n  ]\n}\n";

const PENDING: &str = r#"{
  "version": 1,
  "requests": [
    {
      "id": "12345678",
      "code": "ABCDEFGH",
      "createdAt": "2026-03-01T00:00:00.250Z",
      "lastSeenAt": "2026-03-01T00:10:00.000Z",
      "meta": {
        "username": "alice",
        "accountId": "default"
      }
    },
    {
      "id": "9",
      "code": "HGFEDCBA",
      "createdAt": "2026-03-01T00:00:01.000Z",
      "lastSeenAt": "2026-03-01T00:00:01.000Z",
      "meta": {
        "accountId": "work"
      },
      "requestId": "r-1",
      "source": "telegram"
    }
  ]
}
"#;

/// As a hand or a later program would write it, in nobody's form.
const FOREIGN: &str = r#"{ "note":{"a" : [1,  2]},"allowFrom":["a", 42,-7,{"id":"b" , "x":1.50}, null,
 1.0, "a\"b", "\ud800", "c"], "\u0065xtra": 1e2 }"#;

fn entries(document: &AllowDocument) -> Vec<String> {
    document.entries().map(Into::into).collect()
}

fn visited(bytes: &[u8]) -> Result<Vec<String>, DocumentError> {
    let mut entries = Vec::new();
    visit_allow_entries(bytes, |entry| entries.push(entry.to_owned())).map(|()| entries)
}

fn alice() -> StoredRequest {
    StoredRequest {
        id: "12345678".to_owned(),
        code: "ABCDEFGH".to_owned(),
        created_at: Some(1_772_323_200_250),
        last_seen_at: Some(1_772_323_800_000),
        meta: vec![("username".to_owned(), "alice".to_owned())],
        account_id: Some("default".to_owned()),
        request_id: None,
        source: None,
    }
}

#[test]
fn new_documents_are_in_the_established_form() {
    assert_eq!(AllowDocument::empty().to_bytes(), b"{\n  \"version\": 1,\n  \"allowFrom\": []\n}\n");
    assert_eq!(PendingDocument::empty().to_bytes(), b"{\n  \"version\": 1,\n  \"requests\": []\n}\n");
    let mut allow = AllowDocument::empty();
    for sender in ["12345678", "UA", "zoë", "\"\\\n"] {
        allow.push(sender);
    }
    let expected = ALLOW.replace("\\u0041", "A").replace("zoë\"", "zoë\",\n    \"\\\"\\\\\\n\"");
    assert_eq!(String::from_utf8(allow.to_bytes()).unwrap(), expected);
}

#[test]
fn what_the_neighbour_wrote_comes_back_byte_for_byte() {
    assert_eq!(AllowDocument::parse(ALLOW.as_bytes()).unwrap().to_bytes(), ALLOW.as_bytes());
    assert_eq!(PendingDocument::parse(PENDING.as_bytes()).unwrap().to_bytes(), PENDING.as_bytes());
    for empty in [AllowDocument::empty().to_bytes(), b"{\n  \"allowFrom\": []\n}\n".to_vec()] {
        assert_eq!(AllowDocument::parse(&empty).unwrap().to_bytes(), empty);
    }
    // One of its plugins writes no final newline.
    assert_eq!(AllowDocument::parse(ALLOW.trim_end().as_bytes()).unwrap().to_bytes(), ALLOW.as_bytes());
}

#[test]
fn what_we_write_reads_back_as_what_was_meant() {
    let mut document = PendingDocument::empty();
    document.push(&alice());
    let bob = StoredRequest {
        id: "9".to_owned(),
        code: "HGFEDCBA".to_owned(),
        created_at: Some(1_772_323_201_000),
        last_seen_at: Some(1_772_323_201_000),
        meta: Vec::new(),
        account_id: Some("work".to_owned()),
        request_id: Some("r-1".to_owned()),
        source: Some("telegram".to_owned()),
    };
    document.push(&bob);
    assert_eq!(String::from_utf8(document.to_bytes()).unwrap(), PENDING);
    let read = PendingDocument::parse(PENDING.as_bytes()).unwrap();
    assert_eq!(read.requests().collect::<Vec<_>>(), [alice(), bob]);
}

#[test]
fn foreign_fields_and_entries_survive() {
    let mut document = AllowDocument::parse(FOREIGN.as_bytes()).unwrap();
    assert_eq!(entries(&document), ["a", "42", "-7", "a\"b", "c"]);
    assert_eq!(visited(FOREIGN.as_bytes()).unwrap(), entries(&document));
    assert_eq!(document.remove_where(|entry| entry == "42" || entry == "c"), 2);
    assert_eq!(document.remove_where(|_| false), 0);
    document.push("d");
    let expected = r#"{
  "note": {"a" : [1,  2]},
  "allowFrom": [
    "a",
    -7,
    {"id":"b" , "x":1.50},
    null,
    1.0,
    "a\"b",
    "\ud800",
    "d"
  ],
  "\u0065xtra": 1e2
}
"#;
    assert_eq!(String::from_utf8(document.to_bytes()).unwrap(), expected);
    assert_eq!(AllowDocument::parse(expected.as_bytes()).unwrap().to_bytes(), expected.as_bytes());
}

#[test]
fn a_request_survives_with_everything_that_it_holds() {
    let odd = PENDING
        .replace("\"username\": \"alice\"", "\"age\":  7, \"cut\": \"\\ud83d\"")
        .replace("\"code\": \"ABCDEFGH\"", "\"code\": \"ABCDEFGH\", \"later\": {\"x\" :[ ]}");
    let mut document = PendingDocument::parse(odd.as_bytes()).unwrap();
    assert_eq!(document.requests().next().unwrap(), StoredRequest { meta: Vec::new(), ..alice() });
    assert_eq!(document.retain(|request| request.id != "9"), 1);
    let text = String::from_utf8(document.to_bytes()).unwrap();
    let end = odd.find(",\n    {\n      \"id\": \"9\"").unwrap();
    assert_eq!(text, format!("{}\n  ]\n}}\n", odd.get(..end).unwrap()));
}

#[test]
fn the_account_of_a_request_cannot_be_forged_by_its_meta_data() {
    let forged = ("accountId".to_owned(), "work".to_owned());
    let mut document = PendingDocument::empty();
    document.push(&StoredRequest { meta: vec![forged, alice().meta[0].clone()], ..alice() });
    let text = String::from_utf8(document.to_bytes()).unwrap();
    assert_eq!(text.matches("accountId").count(), 1);
    assert!(document.requests().eq([alice()]));
}

#[test]
fn entries_that_are_no_usable_requests_are_kept_and_told_apart() {
    let text = r#"{"requests":[
        null, 3, "x", [],
        {"id":1,"code":"A","createdAt":"2026-03-01T00:00:00.250Z"},
        {"id":"no-time","code":"A"},
        {"id":"zero","code":"A","createdAt":"1970-01-01T00:00:00.000Z"},
        {"id":"bad","code":"A","createdAt":"soon"},
        {"id":"twice","id":"good","code":"A","createdAt":"2026-03-01T01:00:00.250+01:00","meta":3}
    ]}"#;
    let mut document = PendingDocument::parse(text.as_bytes()).unwrap();
    let seen: Vec<_> = document.requests().map(|request| (request.id, request.created_at)).collect();
    let expected = [("zero", None), ("bad", None), ("good", Some(1_772_323_200_250))];
    assert_eq!(seen, expected.map(|(id, at)| (id.to_owned(), at)));
    assert_eq!(
        document.unusable().collect::<Vec<_>>(),
        [None, None, None, None, Some(1_772_323_200_250), None]
    );
    assert_eq!(document.retain(|_| false), 3);
    assert_eq!(document.unusable().count(), 6);
}

#[test]
fn i7_every_truncation_is_an_error() {
    for text in [ALLOW, FOREIGN] {
        let text = text.trim_end();
        for end in 0..text.len() {
            let prefix = text.as_bytes().get(..end).unwrap();
            assert!(AllowDocument::parse(prefix).is_err(), "{end}");
            assert!(visited(prefix).is_err(), "{end}");
        }
    }
    let text = PENDING.trim_end();
    for end in 0..text.len() {
        assert!(PendingDocument::parse(text.as_bytes().get(..end).unwrap()).is_err(), "{end}");
    }
}

#[test]
fn every_flipped_bit_is_read_or_refused_by_both_readers_alike() {
    for text in [ALLOW, FOREIGN, PENDING] {
        for (at, bit) in (0..text.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let allow = AllowDocument::parse(&bytes);
            assert_eq!(allow.as_ref().map(entries).map_err(Clone::clone), visited(&bytes));
            if let Ok(document) = allow {
                let again = AllowDocument::parse(&document.to_bytes()).unwrap();
                assert_eq!(entries(&again), entries(&document));
            }
            if let Ok(document) = PendingDocument::parse(&bytes) {
                let again = PendingDocument::parse(&document.to_bytes()).unwrap();
                assert!(again.requests().eq(document.requests()));
            }
        }
    }
}

#[test]
fn i7_each_kind_of_damage_has_its_error() {
    let check = |bytes: &[u8], expected: DocumentError| {
        assert_eq!(AllowDocument::parse(bytes).unwrap_err(), expected, "{}", bytes.escape_ascii());
        assert_eq!(visited(bytes).unwrap_err(), expected, "{}", bytes.escape_ascii());
    };
    let wrong = |key| DocumentError::WrongType { key };
    check(b"", DocumentError::Empty);
    check(b" \n", DocumentError::Empty);
    check(b"\xef\xbb\xbf{\"allowFrom\":[]}", DocumentError::ByteOrderMark);
    check(b"{\"allowFrom\":[\"\xff\"]}", DocumentError::NotUtf8 { offset: 15 });
    check(b"{\"allowFrom\":[\n\"a\"", DocumentError::Truncated { line: 2, column: 3 });
    check(b"{\"allowFrom\":[\"a\",]}", DocumentError::Syntax { line: 1, column: 19 });
    check(b"{\"allowFrom\":[]} x", DocumentError::Syntax { line: 1, column: 18 });
    check(b"{\"allowFrom\":[]}{}", DocumentError::Syntax { line: 1, column: 17 });
    check(b"{\"allowFrom\": tru", DocumentError::Truncated { line: 1, column: 17 });
    check(b"{\"allowFrom\": tru}", DocumentError::Syntax { line: 1, column: 18 });
    check(b"[\"a\"]", DocumentError::WrongRoot);
    check(b"null", DocumentError::WrongRoot);
    check(b"\"allowFrom\"", DocumentError::WrongRoot);
    check(b"[1,", DocumentError::Truncated { line: 1, column: 3 });
    check(b"{}", DocumentError::MissingList { key: "allowFrom" });
    check(b"{\"AllowFrom\":[]}", DocumentError::MissingList { key: "allowFrom" });
    for list in ["null", "{}", "\"a\"", "1", "true", "{\"a\":[]}"] {
        check(format!("{{\"allowFrom\": {list}}}").as_bytes(), wrong("allowFrom"));
    }
    check(b"{\"allowFrom\":[],\"allowFrom\":[]}", DocumentError::DuplicateKey);
    check(b"{\"allowFrom\":[],\"\\u0061llowFrom\":[]}", DocumentError::DuplicateKey);
    check(b"{\"x\":1,\"allowFrom\":[],\"x\":1}", DocumentError::DuplicateKey);
    for version in ["\"1\"", "null", "[1]", "0", "-1", "0.5"] {
        check(format!("{{\"version\":{version},\"allowFrom\":[]}}").as_bytes(), wrong("version"));
    }
    check(b"{\"version\":2,\"allowFrom\":[]}", DocumentError::FutureVersion(2));
    check(b"{\"allowFrom\":[],\"version\":1.5}", DocumentError::FutureVersion(2));
    check(b"{\"version\":1e300,\"allowFrom\":[]}", DocumentError::FutureVersion(u64::MAX));
    assert!(AllowDocument::parse(b"{\"allowFrom\":[]}").is_ok());
    assert!(AllowDocument::parse(b"{\"allowFrom\":[],\"version\":1.0}").is_ok());
    let deep = format!("{{\"x\":{}{},\"allowFrom\":[]}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(AllowDocument::parse(deep.as_bytes()).is_ok(), visited(deep.as_bytes()).is_ok());
}

#[test]
fn i12_no_code_and_no_content_in_debug_or_errors() {
    let document = PendingDocument::parse(PENDING.as_bytes()).unwrap();
    let request = document.requests().next().unwrap();
    let shown = format!("{document:?} {request:?} {:?}", AllowDocument::parse(ALLOW.as_bytes()));
    assert!(!shown.contains("ABCDEFGH") && !shown.contains("HGFEDCBA"), "{shown}");
    for damage in [("ABCDEFGH\"", "ABCDEFGH"), ("1,", "\"ABCDEFGH\","), ("{\n  \"v", "[\"ABCDEFGH\", \"v")] {
        let error = PendingDocument::parse(PENDING.replacen(damage.0, damage.1, 1).as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ABCDEFGH"), "{error:?}");
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::json!(n).to_string()),
        any::<String>().prop_map(|s| serde_json::json!(s).to_string()),
        prop_oneof![
            Just("\"\\ud800\""),
            Just("\"\\u00e9\""),
            Just("-0"),
            Just("1E5"),
            Just("tru"),
            Just("\"")
        ]
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|members| {
                let members =
                    members.iter().map(|(key, value)| format!("{}:{value}", serde_json::json!(key)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn allow_text() -> impl Strategy<Value = String> {
    let key = prop_oneof![4 => Just("allowFrom"), 2 => Just("version"), 1 => Just("note"), 1 => Just("allow\\u0046rom")];
    let list = prop::collection::vec(json(), 0..6).prop_map(|items| format!("[{}]", items.join(",\n")));
    let value = prop_oneof![6 => list, 3 => Just("1".to_owned()), 1 => json()];
    let members = prop::collection::vec((key, value), 0..4);
    (members, prop_oneof![9 => Just(""), 1 => Just(","), 1 => Just("\u{feff}")]).prop_map(
        |(members, tail)| {
            let members = members.iter().map(|(key, value)| format!(" \"{key}\" : {value}"));
            format!("{{{}}}{tail}", members.collect::<Vec<_>>().join(","))
        },
    )
}

proptest! {
    #[test]
    fn both_readers_of_an_allow_file_agree(text in allow_text()) {
        let parsed = AllowDocument::parse(text.as_bytes());
        prop_assert_eq!(parsed.as_ref().map(entries).map_err(Clone::clone), visited(text.as_bytes()));
        // Whatever is accepted here is JSON for an independent reader too.
        if let Ok(document) = parsed {
            let value: Result<serde_json::Value, _> = serde_json::from_str(&text);
            let again: Result<serde_json::Value, _> = serde_json::from_slice(&document.to_bytes());
            prop_assert_eq!(value.ok(), again.ok());
            prop_assert_eq!(AllowDocument::parse(&document.to_bytes()).unwrap().to_bytes(), document.to_bytes());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = PendingDocument::parse(&bytes);
        prop_assert_eq!(AllowDocument::parse(&bytes).map(|it| entries(&it)), visited(&bytes));
    }

    #[test]
    fn any_sender_and_request_survives_the_file(
        id in any::<String>(),
        code in any::<String>(),
        meta in prop::collection::vec(("[a-zA-Z]{1,8}|\\PC{0,4}", any::<String>()), 0..4),
        account in prop::option::of(any::<String>()),
        source in prop::option::of(any::<String>()),
    ) {
        let meta: Vec<_> = meta.into_iter().filter(|(key, _)| key != "accountId").collect();
        let request = StoredRequest { id: id.clone(), code, meta, account_id: account, source, ..alice() };
        let mut pending = PendingDocument::empty();
        pending.push(&request);
        let read = PendingDocument::parse(&pending.to_bytes()).unwrap();
        prop_assert!(read.requests().eq([request]));
        let mut allow = AllowDocument::empty();
        allow.push(&id);
        prop_assert_eq!(visited(&allow.to_bytes()).unwrap(), [id]);
    }
}
