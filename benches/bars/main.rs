//! The bars of speed and size, each with what was measured, its floor in the same run, and whether it is met.
//!
//! `cargo bench --bench bars` prints the table; `cargo bench --bench bars -- known memory` prints two parts of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a benchmark"
)]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures with the machine's clock")]

mod disk;
mod elsewhere;
mod handshake;
mod issuing;
mod known;
mod memory;
mod race;
mod reload;
mod scene;
mod steps;
mod strangers;
mod system_calls;
mod table;
mod threads;

use table::Table;

type Lines = fn(&mut Table);
type Child = fn(&str);

/// Some themes start this program once more, for what one process can't say of itself.
const CHILDREN: [(&str, Child); 3] = [
    (known::COUNTED, known::be_counted),
    (memory::GROWN, memory::grow),
    (handshake::WRITER, handshake::write),
];

const THEMES: [(&str, Lines); 8] = [
    ("known", known::lines),
    ("threads", threads::lines),
    ("strangers", strangers::lines),
    ("issuing", issuing::lines),
    ("memory", memory::lines),
    ("reload", reload::lines),
    ("handshake", handshake::lines),
    ("elsewhere", elsewhere::lines),
];

fn main() {
    for (name, child) in CHILDREN {
        if let Ok(setting) = std::env::var(name) {
            return child(&setting);
        }
    }
    steps::Steps::count();
    // `cargo bench` adds a word of its own, with hyphens.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut table = Table::default();
    Table::head();
    for (name, lines) in THEMES {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            lines(&mut table);
        }
    }
    println!("\n{}", table.sum());
}
