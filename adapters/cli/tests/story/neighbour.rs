//! Beside OpenClaw in one state directory: each program's command line approves what the other one made.

use dmgate_test_peers::{OpenClaw, TelegramEmulator};

use crate::program::{Program, code_in};

const TOKEN: &str = "111:token-of-the-story";

#[test]
fn each_approves_what_the_other_made() {
    let telegram = TelegramEmulator::start(TOKEN);
    let mut program = Program::configured(&format!(
        "[store]\nshared_with_openclaw = true\n[channels.telegram]\ntoken = \"{TOKEN}\"\napi_base = \"{}\"\n",
        telegram.base_url()
    ));
    program.run(&["telegram"]);
    let neighbour = OpenClaw::at(program.state());

    // A stranger of ours, approved by its command line.
    telegram.send_message(42, "ann", "May I come in?");
    let code = code_in(&telegram.wait_for_replies(42, 1)[0]);
    let listed = neighbour.pairing_list("telegram");
    assert_eq!((listed[0]["id"].as_str(), listed[0]["code"].as_str()), (Some("42"), Some(&*code)));
    neighbour.pairing_approve("telegram", &code).unwrap();
    telegram.send_message(42, "ann", "first words");
    assert!(telegram.wait_for_replies(42, 2)[1].contains("first words"));

    // A stranger of its, approved by ours.
    let mut store = neighbour.store();
    let made = store.upsert("telegram", "default", "43");
    assert!(made.created);
    let approved = program.done(&["pairing", "approve", "telegram", &made.code]);
    assert_eq!(approved.lines().next(), Some("Approved telegram sender 43."));
    assert!(store.allow_from("telegram", "default").contains(&"43".to_owned()));
    telegram.send_message(43, "bob", "words of another");
    assert!(telegram.wait_for_replies(43, 1)[0].contains("words of another"));

    // Revoked by ours, from both of the default account's files.
    program.done(&["allow", "remove", "telegram", "42"]);
    assert_eq!(store.allow_from("telegram", "default"), ["43"]);
    assert_eq!(program.reason("telegram", "42"), "hour_used");
    program.end();
}
