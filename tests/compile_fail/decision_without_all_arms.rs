//! Every outcome is met by whoever matches on a decision, also one that a later version adds.

use dmgate::Decision;

fn forgets_trouble(decision: Decision) -> bool {
    match decision {
        Decision::Admit(_) => true,
        Decision::Challenge(_) | Decision::Ignore(_) => false,
    }
}

fn main() {}
