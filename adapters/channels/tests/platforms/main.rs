//! The adapters against their platforms: the real servers where they can be had, else stand-ins (`tests/peers`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bridges;
mod discord;
mod encrypted;
mod feishu;
mod imessage;
mod irc;
mod kept_alive;
mod line;
mod matrix;
mod mattermost;
mod nostr;
mod openclaw_weixin;
mod running;
mod signal;
mod slack;
mod synology_chat;
mod telegram;
mod twitch;
mod web_server;
mod whatsapp;
mod zalo;
mod zalouser;
