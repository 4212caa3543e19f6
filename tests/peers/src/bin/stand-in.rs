//! A stand-in by itself, for a client library in another language to be pointed at: `stand-in NAME`.
//!
//! It prints `settings` and the adapter's settings in one line of JSON. It reads `call URL` (where the bot's web hook is)
//! and `write TEXT` (the first person writes to the bot), answers each with `done`, and prints `read` and a text in JSON
//! whenever one reaches that person. It ends with its standard input.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of lines")]

use std::io::BufRead;
use std::process::ExitCode;

use serde_json::json;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(mut platform) = dmgate_test_peers::stand_ins::start(&name) else {
        eprintln!("there is no stand-in `{name}`");
        return ExitCode::FAILURE;
    };
    println!("settings {}", json!(platform.settings()));
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        while platform.unread(0) > 0 {
            println!("read {}", json!(platform.read(0)));
        }
        match lines.recv_timeout(std::time::Duration::from_millis(20)) {
            Ok(line) => {
                match line.split_once(' ') {
                    Some(("call", url)) => platform.call_at(url),
                    Some(("write", text)) => platform.write(0, text),
                    _ => eprintln!("not understood: {line}"),
                }
                println!("done");
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return ExitCode::SUCCESS,
        }
    }
}
