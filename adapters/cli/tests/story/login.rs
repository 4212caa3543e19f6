//! Logging in with a telephone, while the program runs.

use std::io::Write;
use std::process::Stdio;

use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::openclaw_weixin::Weixin;

use crate::program::{Program, Said, code_in};

/// `dmgate channels login` with somebody who types these lines.
fn log_in(program: &Program, arguments: &[&str], typed: &str) -> Said {
    let mut command = program.command(&[&["channels", "login", "openclaw-weixin"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    Said::of(child.wait_with_output().unwrap())
}

#[test]
fn weixin_is_logged_in_while_it_runs_and_again_when_that_has_expired() {
    let mut weixin = Weixin::start();
    let mut program = Program::configured(&format!("[channels.openclaw-weixin]\n{}", weixin.place()));
    program.run(&[]);
    program.await_line(|line| line.contains("nobody is logged in: dmgate channels login openclaw-weixin"));

    let wrong = log_in(&program, &[], "7\n");
    assert_eq!(
        (wrong.code, wrong.stdout.matches("Type the").count()),
        (1, 2),
        "{}{}",
        wrong.stdout,
        wrong.stderr
    );
    let said = log_in(&program, &[], "7\n42\n");
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{}", said.stdout);
    for part in
        ["█", "https://liteapp.weixin.qq.com/q/stand-in", "login-openclaw-weixin-default.png", "Logged in as"]
    {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    assert!(!said.stdout.contains("token-"), "{}", said.stdout);
    assert!(!program.state().join("login-openclaw-weixin-default.png").exists(), "nobody needs it any more");
    let ann = weixin.id(0);
    assert!(said.stdout.contains(&format!("dmgate allow add openclaw-weixin {ann}")), "{}", said.stdout);
    program.await_line(|line| line.contains("receiving"));

    // Who scanned is a stranger, until the owner says otherwise.
    weixin.write(0, "It is me");
    code_in(&weixin.read(0));
    let said = log_in(&program, &["--allow"], "42\n");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.contains("logged in already")
            && said.stdout.contains(&format!("Added openclaw-weixin sender {ann}."))
    );
    weixin.write(0, "first words");
    assert!(weixin.read(0).contains("first words"));

    weixin.expire();
    weixin.write(1, "Is anybody there?");
    program.await_line(|line| line.contains("the login has expired: dmgate channels login openclaw-weixin"));
    assert_eq!(log_in(&program, &[], "42\n").code, 0);
    // What was written in between is not lost.
    code_in(&weixin.read(1));
    program.end();
}
