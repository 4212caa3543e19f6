//! Stand-ins for platforms that have no server to be had, one module each.

pub mod bluebubbles;
pub mod bridge;
pub mod discord;
pub mod feishu;
pub mod googlechat;
pub mod imessage;
pub mod line;
pub mod mattermost;
pub mod msteams;
pub mod nextcloud_talk;
pub mod openclaw_weixin;
pub mod signal;
pub mod slack;
pub mod synology_chat;
pub mod twitch;
pub mod whatsapp;
pub mod zalo;

use crate::{IrcNetwork, NostrRelay, Platform, Synapse, TelegramEmulator};

/// The platform of every channel, real or not, by the way in that is the channel's default.
pub fn everyone() -> Vec<Box<dyn Platform>> {
    let real: [Box<dyn Platform>; 4] = [
        Box::new(IrcNetwork::start()),
        Box::new(NostrRelay::start()),
        Box::new(Synapse::start()),
        Box::new(TelegramEmulator::start("111:token-of-everyone")),
    ];
    let others = [
        "bluebubbles",
        "discord",
        "feishu",
        "googlechat",
        "imessage",
        "line",
        "mattermost",
        "msteams",
        "nextcloud-talk",
        "openclaw-weixin",
        "signal",
        "slack",
        "synology-chat",
        "twitch",
        "whatsapp",
        "zalo",
        "zalouser",
    ];
    others.into_iter().filter_map(start).chain(real).collect()
}

/// The stand-in for a channel's platform, started; `None` where there is none of this name. A channel with two ways in
/// has a stand-in for each: `slack`, `slack-webhook`.
pub fn start(name: &str) -> Option<Box<dyn Platform>> {
    match name {
        "bluebubbles" => Some(Box::new(bluebubbles::BlueBubbles::start())),
        "discord" => Some(Box::new(discord::Discord::start())),
        "feishu" => Some(Box::new(feishu::Feishu::by_socket())),
        "feishu-webhook" => Some(Box::new(feishu::Feishu::by_hook())),
        "googlechat" => Some(Box::new(googlechat::GoogleChat::as_add_on())),
        "googlechat-project" => Some(Box::new(googlechat::GoogleChat::by_project())),
        "imessage" => Some(Box::new(imessage::Imsg::start())),
        "line" => Some(Box::new(line::Line::start())),
        "mattermost" => Some(Box::new(mattermost::Mattermost::start())),
        "msteams" => Some(Box::new(msteams::Teams::start())),
        "nextcloud-talk" => Some(Box::new(nextcloud_talk::NextcloudTalk::start())),
        "openclaw-weixin" => Some(Box::new(openclaw_weixin::Weixin::start())),
        "signal" => Some(Box::new(signal::Signal::start())),
        "slack" => Some(Box::new(slack::Slack::by_socket())),
        "slack-webhook" => Some(Box::new(slack::Slack::by_hook())),
        "synology-chat" => Some(Box::new(synology_chat::SynologyChat::start())),
        "twitch" => Some(Box::new(twitch::Twitch::by_socket())),
        "twitch-webhook" => Some(Box::new(twitch::Twitch::by_hook())),
        "whatsapp" => Some(Box::new(whatsapp::WhatsApp::start())),
        "whatsapp-web" => Some(Box::new(whatsapp::web())),
        "zalo" => Some(Box::new(zalo::Zalo::by_poll())),
        "zalo-webhook" => Some(Box::new(zalo::Zalo::by_hook())),
        "zalouser" => Some(Box::new(bridge::Bridge::start("zalouser", |person| {
            // As long as Zalo's are.
            (1_234_567_890_123_456_700 + person).to_string()
        }))),
        _ => None,
    }
}
