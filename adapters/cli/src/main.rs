//! The program `dmgate`.
fn main() {}
