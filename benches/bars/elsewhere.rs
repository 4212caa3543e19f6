//! Lines that other commands measure.

use crate::table::{Line, Table};

pub(crate) fn lines(table: &mut Table) {
    table.add(Line::elsewhere(
        "20,000 revocations by another process: seen at once",
        "all",
        "RELIABILITY.md",
    ));
    table.add(Line::elsewhere("peers, 10,000 allowed, known sender", "≥ 1,000×", "PEERS.md"));
    table.add(Line::elsewhere("command line: cargo bench -p dmgate-cli", "≤ 10 ms", "--bench process"));
}
