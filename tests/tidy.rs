//! What the sources keep to among themselves: invariants and their tests, sizes, spaces, manifests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Files longer than a page shows, and why.
const LONG: [(&str, &str); 3] = [
    ("src/store/file.rs", "the trait's methods, each a few lines"),
    ("tests/model/play.rs", "each operation on the store and on the model, side by side"),
    ("adapters/cli/src/config/tests.rs", "a table of settings and what each does"),
];

/// A page, roughly thrice: beyond it a file needs a reason.
const LONGEST: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below these folders with one of these extensions, as (path from the root, contents).
fn files(folders: &[&str], extensions: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            if !path.ends_with("target") {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else if path.extension().is_some_and(|is| extensions.iter().any(|wanted| is == *wanted)) {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            // Somebody may be at work beside us: what is gone by now was not kept.
            if let Ok(text) = fs::read_to_string(&path) {
                found.insert(name, text);
            }
        }
    }
    found
}

const EVERYWHERE: [&str; 6] = ["src", "adapters", "tests", "examples", "benches", "fuzz"];

/// The numbers that follow `before` in a text, as long as each is followed by one of `after`.
fn numbers<'a>(text: &'a str, before: &'a str, after: &'a [char]) -> impl Iterator<Item = u32> + 'a {
    text.match_indices(before).filter_map(move |(at, _)| {
        let rest = &text[at + before.len()..];
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        rest[end..].starts_with(after).then(|| rest[..end].parse().ok()).flatten()
    })
}

/// `i1_`, and also the others of a name that begins with several: `i1_i9_what_…`.
fn tested(text: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("fn i") {
        let name: &str = text[at + 3..].split('(').next().unwrap();
        for part in name.split('_') {
            match part.strip_prefix('i').and_then(|number| number.parse().ok()) {
                Some(number) => found.insert(number),
                None => break,
            };
        }
    }
    found
}

#[test]
fn every_invariant_is_marked_and_tested_and_told() {
    let code = files(&["src", "adapters"], &["rs"]);
    let marked: BTreeSet<u32> =
        code.values().flat_map(|text| numbers(text, "// INVARIANT I", &[':'])).collect();
    let sources = files(&EVERYWHERE, &["rs"]);
    // A suite is no test; what runs it is one.
    let is_test = |name: &str, text: &str| !name.starts_with("src/testing") && text.contains("test]");
    let tested: BTreeSet<u32> = sources
        .iter()
        .filter(|(name, text)| is_test(name, text))
        .flat_map(|(_, text)| tested(text))
        .collect();
    assert_eq!(marked, tested, "marks in the code, and tests");
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let told: BTreeSet<u32> = numbers(&page, "\n- **I", &['*']).collect();
    assert_eq!(marked, told, "marks in the code, and the list in docs/ARCHITECTURE.md");
    assert!(marked.is_superset(&(1..=17).collect()), "{marked:?}");
}

#[test]
fn files_are_of_a_size_to_be_read() {
    let sources = files(&EVERYWHERE, &["rs"]);
    let reasons: BTreeMap<_, _> = LONG.into_iter().collect();
    let mut trouble = Vec::new();
    for (name, text) in &sources {
        let lines = text.lines().count();
        if lines > LONGEST && !reasons.contains_key(name.as_str()) {
            trouble.push(format!("{name} has {lines} lines: split it, or say why in {}", file!()));
        }
    }
    for (name, _) in LONG {
        if sources.get(name).is_none_or(|text| text.lines().count() <= LONGEST) {
            trouble.push(format!("{name} is not long any more: take it off the list in {}", file!()));
        }
    }
    assert!(trouble.is_empty(), "{trouble:#?}");
}

#[test]
fn texts_are_clean() {
    let mut trouble = Vec::new();
    // Written in two parts, so that this file is clean too.
    let unfinished = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ign", "ore]")];
    for (name, text) in files(&EVERYWHERE, &["rs", "toml", "sh"]).into_iter().chain(files(&["docs"], &["md"]))
    {
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            trouble.push(format!("{name} does not end with one newline"));
        }
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            if line.ends_with([' ', '\t', '\r']) {
                trouble.push(format!("{name}:{number} ends with a blank"));
            }
            for word in unfinished.iter().filter(|word| line.contains(**word)) {
                trouble.push(format!("{name}:{number} has `{word}`: do it, or put it where work is planned"));
            }
        }
    }
    assert!(trouble.is_empty(), "{trouble:#?}");
}

#[test]
fn manifests_have_the_house_shape() {
    let mut manifests = files(&["adapters", "tests", "fuzz"], &["toml"]);
    manifests.retain(|name, _| name.ends_with("Cargo.toml"));
    manifests.insert("Cargo.toml".into(), fs::read_to_string(root().join("Cargo.toml")).unwrap());
    assert!(manifests.len() > 2, "{:?}", manifests.keys());
    let mut trouble = Vec::new();
    for (name, text) in &manifests {
        for line in ["[lints]\nworkspace = true", "edition.workspace = true", "license.workspace = true"] {
            if !text.contains(line) {
                trouble.push(format!("{name} lacks `{}`", line.replace('\n', " ")));
            }
        }
        // Each test binary is a theme with its own folder, and is declared.
        let folder = root().join(name).parent().unwrap().join("tests");
        let themes = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for theme in themes.filter(|path| path.join("main.rs").exists()) {
            let theme = theme.file_name().unwrap().to_str().unwrap().to_owned();
            let path = format!("path = \"tests/{theme}/main.rs\"");
            if !text.contains("autotests = true") && !text.contains(&path) {
                trouble.push(format!("{name} does not declare the test `{theme}`"));
            }
        }
    }
    assert!(trouble.is_empty(), "{trouble:#?}");
}

/// The ids of advisories in a text.
fn advisories(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.filter(|word| word.starts_with("CVE-") || word.starts_with("GHSA-")).collect()
}

#[test]
fn advisories_are_placed() {
    let page = fs::read_to_string(root().join("docs/ADVISORIES.md")).unwrap();
    let heads = heads_of_advisories();
    assert!(advisories(&heads).len() > 50);
    assert_eq!(advisories(&heads), advisories(&page), "the tests' heads, and docs/ADVISORIES.md");
}

fn heads_of_advisories() -> String {
    let heads: Vec<String> = files(&["tests/advisories"], &["rs"])
        .values()
        .flat_map(|text| text.lines().take_while(|line| line.starts_with("//!")).map(str::to_owned))
        .collect();
    heads.join("\n")
}

/// Whether a name is what a page writes, where `…` stands for anything.
fn is_written_as(name: &str, written: &str) -> bool {
    let parts: Vec<&str> = written.split('…').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let mut rest = name;
    let in_order = parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    });
    in_order && name.starts_with(first) && name.ends_with(last)
}

#[test]
fn tests_that_pages_name_exist() {
    let sources = files(&EVERYWHERE, &["rs"]);
    let functions: BTreeSet<&str> = sources
        .values()
        .flat_map(|text| text.split("fn ").skip(1).filter_map(|rest| rest.split_once('(')))
        .map(|(name, _)| name)
        .collect();
    let is_test = |word: &&str| {
        word.matches('_').count() > 2 && word.chars().all(|c| c.is_ascii_alphanumeric() || "_…".contains(c))
    };
    let page = |name: &str| fs::read_to_string(root().join("docs").join(name)).unwrap();
    let texts = ["ADVISORIES.md", "RELIABILITY.md", "MUTANTS.md"].map(page);
    let mut named = 0;
    for text in texts.iter().chain([&heads_of_advisories()]) {
        for written in text.split('`').skip(1).step_by(2).filter(is_test) {
            named += 1;
            assert!(
                functions.iter().any(|name| is_written_as(name, written)),
                "there is no test `{written}`"
            );
        }
    }
    assert!(named > 100, "{named}");
}
