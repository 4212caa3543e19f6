//! A history, one operation a line: on every store and in the model the verdicts, codes and listings are the same.
//!
//! A line is a letter and digits: `k03` is a knock on account 0 by sender 3; `operation` below has them all.

use crate::operation::{By, Operation};
use crate::play::{Play, Which};
use crate::scene::wait;

/// `data` is the history, at most 48 operations.
pub fn check(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n');
    let operations: Vec<Operation> = lines.filter_map(operation).take(48).collect();
    if operations.is_empty() {
        return;
    }
    for which in [Which::Memory, Which::Files] {
        let mut play = Play::begin(which);
        for (at, operation) in operations.iter().enumerate() {
            if let Err(difference) = wait(play.step(operation)) {
                panic!("{which:?}, at step {at}, {operation:?}: {difference}");
            }
        }
        wait(play.compare()).unwrap_or_else(|difference| panic!("{which:?}, in the end: {difference}"));
    }
}

fn operation(line: &[u8]) -> Option<Operation> {
    use Operation::*;
    let (letter, digits) = line.split_first()?;
    let digit = |at: usize| usize::from(digits.get(at).copied().unwrap_or(b'0').wrapping_sub(b'0'));
    let (first, second) = (digit(0), digit(1));
    let (channel, account, place) = (first % 2, first % 4, second % 4);
    let by = || [By::Code, By::Sender, By::Request][digit(2) % 3];
    let is = |at: usize| digit(at) % 2 == 1;
    Some(match letter {
        b'k' => Knock { account, sender: second % 7 },
        b'a' => Approve { channel, place, by: by(), remote: is(3), named: is(4) },
        b'o' => ApproveOld { channel, place, remote: is(2) },
        b'w' => WrongCode { channel, remote: is(1), reject: is(2) },
        b'r' => Reject { channel, place, by: by(), remote: is(3), block: is(4) },
        b'l' => Allow { account, id: second % 10 },
        b'u' => Revoke { account, id: second % 10 },
        b'b' => Block { account, id: second % 10 },
        b'f' => Unblock { account, id: second % 10 },
        b't' => Advance { minutes: [1, 10, 19, 20, 21, 59, 60, 61][first % 8] },
        b's' => Step { off: [0, -120, -10, 120][first % 4] },
        b'R' => Reopen,
        b'S' => Switch,
        b'A' => ForeignAdd { account, sender: second % 7 },
        b'P' => ForeignApprove { place: first % 4 },
        b'D' => ForeignDrop { place: first % 4 },
        b'U' => ForeignUnlist { account, id: second % 10 },
        _ => return None,
    })
}
