//! The same story on every platform, through the real program.

use dmgate_test_peers::stand_ins::line::Line;
use dmgate_test_peers::stand_ins::openclaw_weixin::Weixin;
use dmgate_test_peers::stand_ins::slack::Slack;
use dmgate_test_peers::{IrcNetwork, Platform, Synapse, TelegramEmulator, free_port};

use crate::program::{Program, code_in};

/// The code and the command in one line, since IRC takes lines one at a time.
const REPLY: &str = "[reply]\ntext = \"Pairing code: {code}\"\n";

/// A stranger gets one code; approved, an answer; revoked, silence.
fn story(mut platform: impl Platform) {
    let channel = platform.channel();
    let address = format!("127.0.0.1:{}", free_port());
    let mut program = Program::configured(&format!(
        "[gateway]\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\n{REPLY}[channels.{channel}]\n{}",
        platform.settings()
    ));
    program.run(&[channel]);
    platform.call_at(&format!("http://{address}/webhooks/{channel}/default"));

    platform.write(0, "May I come in?");
    let code = code_in(&platform.read(0));
    platform.write(0, "Hello?");
    let (sender, pending) = program.only_pending(channel);
    assert_eq!((sender, &pending), (platform.id(0), &code));

    program.done(&["pairing", "approve", channel, &code.to_lowercase(), "--notify"]);
    assert!(platform.read(0).contains("let you in"));
    platform.write(0, "first words");
    assert!(platform.read(0).contains("first words"));

    program.done(&["allow", "remove", channel, &platform.id(0)]);
    platform.write(0, "lost words");
    // Messages are taken in order: when the later one has its code, the earlier one was decided.
    platform.write(1, "Me too?");
    code_in(&platform.read(1));
    assert_eq!(platform.unread(0), 0, "one code, a notice, an answer, and then silence");
    program.end();
}

#[test]
fn irc() {
    story(IrcNetwork::start());
}

#[test]
fn line() {
    story(Line::start());
}

#[test]
fn matrix() {
    story(Synapse::start());
}

#[test]
fn openclaw_weixin() {
    story(Weixin::start());
}

#[test]
fn slack() {
    story(Slack::by_socket());
}

#[test]
fn slack_by_web_hook() {
    story(Slack::by_hook());
}

#[test]
fn telegram() {
    story(TelegramEmulator::start("111:token-of-the-story"));
}
