//! The program `dmgate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dmgate_cli::main()
}
