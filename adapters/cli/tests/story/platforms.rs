//! The same story on every platform, through the real program.

use dmgate_test_peers::stand_ins::bluebubbles::BlueBubbles;
use dmgate_test_peers::stand_ins::bridge::Bridge;
use dmgate_test_peers::stand_ins::discord::Discord;
use dmgate_test_peers::stand_ins::feishu::Feishu;
use dmgate_test_peers::stand_ins::googlechat::GoogleChat;
use dmgate_test_peers::stand_ins::imessage::Imsg;
use dmgate_test_peers::stand_ins::line::Line;
use dmgate_test_peers::stand_ins::mattermost::Mattermost;
use dmgate_test_peers::stand_ins::msteams::Teams;
use dmgate_test_peers::stand_ins::nextcloud_talk::NextcloudTalk;
use dmgate_test_peers::stand_ins::openclaw_weixin::Weixin;
use dmgate_test_peers::stand_ins::signal::Signal;
use dmgate_test_peers::stand_ins::slack::Slack;
use dmgate_test_peers::stand_ins::synology_chat::SynologyChat;
use dmgate_test_peers::stand_ins::twitch::Twitch;
use dmgate_test_peers::stand_ins::whatsapp::WhatsApp;
use dmgate_test_peers::stand_ins::zalo::Zalo;
use dmgate_test_peers::{NostrRelay, Platform, Synapse, TelegramEmulator, free_port, stand_ins};

use crate::program::{Program, code_in};

/// The code and the command in one line, since IRC takes lines one at a time.
const REPLY: &str = "[reply]\ntext = \"Pairing code: {code}\"\n";

/// The story on one platform.
fn story(platform: impl Platform + 'static) {
    let mut platforms: [Box<dyn Platform>; 1] = [Box::new(platform)];
    let mut program = run(&mut platforms);
    let [platform] = &mut platforms;
    play(&program, &mut **platform);
    program.end();
}

/// The program, receiving from these platforms, which know where to call it.
fn run(platforms: &mut [Box<dyn Platform>]) -> Program {
    let address = format!("127.0.0.1:{}", free_port());
    let gateway = format!("[gateway]\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\n");
    let channels = platforms.iter().map(|it| format!("[channels.{}]\n{}", it.channel(), it.settings()));
    let mut program = Program::configured(&(gateway + REPLY + &channels.collect::<String>()));
    program.run(&platforms.iter().map(|platform| platform.channel()).collect::<Vec<_>>());
    for platform in platforms {
        platform.call_at(&format!("http://{address}/webhooks/{}/default", platform.channel()));
    }
    program
}

/// A stranger gets one code; approved, an answer; revoked, silence.
fn play(program: &Program, platform: &mut dyn Platform) {
    let channel = platform.channel();
    platform.write(0, "May I come in?");
    let code = code_in(&platform.read(0));
    let (sender, pending) = program.only_pending(channel);
    assert_eq!((sender, &pending), (platform.id(0), &code));
    platform.write(0, "Hello?");
    // Messages are taken in order: when the later one has its code, the earlier one was decided.
    platform.write(1, "Me too?");
    code_in(&platform.read(1));

    program.done(&["pairing", "approve", channel, &code.to_lowercase(), "--notify"]);
    let notice = platform.read(0);
    assert!(notice.contains("let you in"), "{channel}: {notice}");
    platform.write(0, "first words");
    let answer = platform.read(0);
    assert!(answer.contains("first words"), "{channel}: {answer}");

    program.done(&["allow", "remove", channel, &platform.id(0)]);
    platform.write(0, "lost words");
    platform.write(2, "And me?");
    code_in(&platform.read(2));
    assert_eq!(platform.unread(0), 0, "{channel}: one code, a notice, an answer, and then silence");
}

/// One program on all of them, each with its own story at the same time.
#[test]
fn all_at_once() {
    let mut platforms = stand_ins::everyone();
    let mut program = run(&mut platforms);
    let listed = program.done(&["channels", "--json"]);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    let channels = listed.iter().map(|row| row["channel"].as_str().unwrap()).filter(|it| *it != "webchat");
    let missing: Vec<_> = channels.filter(|name| !platforms.iter().any(|it| it.channel() == *name)).collect();
    assert!(missing.is_empty(), "not among everyone: {missing:?}");
    let on = &program;
    std::thread::scope(|scope| {
        for platform in &mut platforms {
            scope.spawn(move || play(on, &mut **platform));
        }
    });
    program.end();
}

#[test]
fn bluebubbles() {
    story(BlueBubbles::start());
}

#[test]
fn discord() {
    story(Discord::start());
}

#[test]
fn feishu() {
    story(Feishu::by_socket());
}

#[test]
fn feishu_by_web_hook() {
    story(Feishu::by_hook());
}

#[test]
fn googlechat_as_an_add_on() {
    story(GoogleChat::as_add_on());
}

#[test]
fn googlechat_by_its_project() {
    story(GoogleChat::by_project());
}

#[test]
fn imessage() {
    story(Imsg::start());
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
fn mattermost() {
    story(Mattermost::start());
}

#[test]
fn msteams() {
    story(Teams::start());
}

#[test]
fn nextcloud_talk() {
    story(NextcloudTalk::start());
}

#[test]
fn nostr() {
    story(NostrRelay::start());
}

#[test]
fn openclaw_weixin() {
    story(Weixin::start());
}

#[test]
fn signal() {
    story(Signal::start());
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
fn synology_chat() {
    story(SynologyChat::start());
}

#[test]
fn telegram() {
    story(TelegramEmulator::start("111:token-of-the-story"));
}

#[test]
fn twitch() {
    story(Twitch::by_socket());
}

#[test]
fn twitch_by_web_hook() {
    story(Twitch::by_hook());
}

#[test]
fn whatsapp() {
    story(WhatsApp::start());
}

#[test]
fn whatsapp_by_web() {
    story(stand_ins::whatsapp::web());
}

#[test]
fn zalo() {
    story(Zalo::by_poll());
}

#[test]
fn zalo_by_web_hook() {
    story(Zalo::by_hook());
}

#[test]
fn zalouser() {
    story(Bridge::start("zalouser", |person| (1_234_567_890_123_456_700 + person).to_string()));
}
