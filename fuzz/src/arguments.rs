//! A command line, whatever is typed: it is an error on one line, or the command and the sender are words of it as they
//! were typed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use dmgate_cli::testing::command_line;

/// Fields that say who and where; what is understood shows them with their names.
const NAMED: [&str; 4] = ["channel: \"", "sender: \"", "account: Some(\"", "request: Some(\""];

/// `data` is the words, one a line.
pub fn check(data: &[u8]) {
    let words: Vec<OsString> =
        data.split(|byte| *byte == b'\n').take(32).map(|word| OsString::from_vec(word.to_vec())).collect();
    let typed = || [OsString::from("dmgate")].into_iter().chain(words.iter().cloned());
    let understood = command_line(typed());
    assert_eq!(command_line(typed()), understood);
    match understood {
        Err(Some(why)) => assert!(!why.trim().is_empty() && !why.contains('\n'), "{why:?}"),
        Err(None) => {}
        Ok(understood) => {
            let shown: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            for field in NAMED {
                for (at, _) in understood.match_indices(field) {
                    let rest = &understood[at + field.len()..];
                    // To the quote that ends it: what is shown is escaped.
                    let mut ends = rest.match_indices('"').map(|(end, _)| end);
                    let end = ends.find(|end| !ends_in_escape(&rest[..*end])).unwrap();
                    let value = &rest[..=end];
                    let is_typed = shown
                        .iter()
                        .any(|word| word == &format!("\"{value}") || word.ends_with(&format!("={value}")));
                    assert!(is_typed, "{field}{value} was not typed: {words:?}");
                }
            }
            let command = understood.split("command: ").nth(1).unwrap_or_default();
            let name = command.split(['(', ' ', '{']).next().unwrap_or_default().to_lowercase();
            assert!(words.iter().any(|word| *word == *name), "{name} was not typed: {words:?}");
        }
    }
}

fn ends_in_escape(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}
