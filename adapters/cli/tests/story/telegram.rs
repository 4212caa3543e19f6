//! Telegram, against the emulator of its Bot API: by long poll and by web hook.

use dmgate_test_peers::{TelegramEmulator, free_port};

use crate::program::{Program, code_in, secret_file};

const TOKEN: &str = "111:token-of-the-story";

fn by_poll(telegram: &TelegramEmulator) -> Program {
    Program::configured(&format!(
        "[channels.telegram]\ntoken = \"{TOKEN}\"\napi_base = \"{}\"\n",
        telegram.base_url()
    ))
}

fn by_web_hook(telegram: &TelegramEmulator) -> Program {
    let port = free_port();
    let program = Program::configured(&format!(
        "[gateway]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [channels.telegram]\nmode = \"webhook\"\napi_base = \"{}\"\ntoken_file = \"TOKEN\"\n\
         webhook_secret_env = \"STORY_SECRET\"\n",
        telegram.base_url()
    ));
    let token = secret_file(&program.state(), "token", TOKEN);
    let path = program.state().join("dmgate.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"TOKEN\"", &format!("{token:?}"));
    std::fs::write(path, text).unwrap();
    program
}

fn story(program: &mut Program, telegram: &TelegramEmulator) {
    let environment = [("STORY_SECRET", "a_secret-of-the-story")];
    program.run_with(&["telegram"], &environment);
    telegram.send_message(42, "ann", "May I come in?");
    let replies = telegram.wait_for_replies(42, 1);
    let code = code_in(&replies[0]);
    assert!(replies[0].contains(&format!("dmgate pairing approve telegram {code}")), "{}", replies[0]);

    // Whatever else arrives: no second text, and the fourth stranger meets silence.
    telegram.send_message(42, "ann", "Hello?");
    for stranger in [43, 44, 45] {
        telegram.send_message(stranger, "stranger", "me too");
    }
    telegram.wait_for_replies(43, 1);
    telegram.wait_for_replies(44, 1);
    assert_eq!(program.pending("telegram").len(), 3);

    let lower = code.to_lowercase();
    let approved = program.done(&["pairing", "approve", "telegram", &lower, "--notify"]);
    assert_eq!(approved.lines().next(), Some("Approved telegram sender 42."));
    assert_eq!(telegram.wait_for_replies(42, 2).len(), 2, "the code, then the notice");
    telegram.send_message(42, "ann", "first words");
    assert!(telegram.wait_for_replies(42, 3)[2].contains("first words"));

    // Shut out, then let in again: the message in between is not answered.
    program.done(&["pairing", "reject", "telegram", "--sender", "43"]);
    program.done(&["allow", "remove", "telegram", "42"]);
    telegram.send_message(42, "ann", "lost words");
    // Messages are taken in order: when the later one has its code, the earlier one was decided.
    telegram.send_message(47, "stranger", "takes the free slot");
    telegram.wait_for_replies(47, 1);
    program.done(&["allow", "add", "telegram", "tg:42"]);
    telegram.send_message(42, "ann", "last words");
    let replies = telegram.wait_for_replies(42, 4);
    assert!(replies[3].contains("last words"), "{replies:?}");
    assert_eq!(telegram.replies(45), [""; 0], "the fourth stranger met silence");

    // A restart neither sends a code again nor loses who is in.
    program.end();
    program.run_with(&["telegram"], &environment);
    telegram.send_message(42, "ann", "after the restart");
    let replies = telegram.wait_for_replies(42, 5);
    assert!(replies[4].contains("after the restart"), "{replies:?}");
    assert_eq!(telegram.replies(44).len(), 1);
    program.end();
}

#[test]
fn by_long_poll() {
    let telegram = TelegramEmulator::start(TOKEN);
    story(&mut by_poll(&telegram), &telegram);
}

#[test]
fn by_web_hook_with_its_secret() {
    let telegram = TelegramEmulator::start(TOKEN);
    story(&mut by_web_hook(&telegram), &telegram);
}
