//! The README's daemon, word for word: its configuration, its bot, and the commands that it names.

use dmgate_test_peers::TelegramEmulator;

use crate::program::{Program, code_in};

const README: &str = include_str!("../../../../README.md");

/// The first block of this language that holds `mark`.
fn block(language: &str, mark: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let mut blocks = README.split(&*fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(mark)).unwrap_or_else(|| panic!("no {language} block: {mark}"))
}

#[test]
fn the_daemon_of_the_readme_answers_with_the_bot_of_the_readme() {
    let telegram = TelegramEmulator::start("123456:token");
    let base = telegram.base_url();
    let mut program = Program::configured(block("toml", "[agent]"));
    std::fs::write(program.state().join("bot.py"), block("python", "json.loads")).unwrap();
    let environment = [
        ("TELEGRAM_TOKEN", "123456:token"),
        ("DMGATE_CHANNELS__TELEGRAM__API_BASE", base),
        ("DMGATE_LIMITS__FRESHNESS", "exact"),
    ];
    program.run_with(&["telegram"], &environment);
    telegram.send_message(42, "ann", "hello");
    let code = code_in(&telegram.wait_for_replies(42, 1)[0]);
    program.done(&["pairing", "approve", &code, "--notify"]);
    telegram.wait_for_replies(42, 2);
    telegram.send_message(42, "ann", "are you there?");
    assert_eq!(telegram.wait_for_replies(42, 3)[2], "You said: are you there?");
    program.end();
}

#[test]
fn the_readme_names_two_commands_to_begin_with() {
    let begin = README.split("## Try it").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands: Vec<&str> =
        begin.split("```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert_eq!(commands, ["cargo run -- run", "tests/all.sh"]);
}
