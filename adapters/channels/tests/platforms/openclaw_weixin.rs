//! The WeChat adapter against a stand-in for the iLink server (`tests/peers`).

use dmgate::{AccountKey, ChannelStatus, ReplyRoute, SenderId};
use dmgate_channels::Setup;
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::openclaw_weixin::Weixin;
use tokio::task::block_in_place;

use crate::running::{Running, options_of, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was_and_can_answer_who_wrote_before() {
    let mut weixin = block_in_place(Weixin::start);
    let (setup, options) = (setup("openclaw-weixin"), options_of(&weixin.settings()));
    weixin.write(0, "one");
    weixin.write(1, "two");
    let mut running = Running::start(&setup, &options);
    assert_eq!(running.next().await.text, "one");
    let message = running.next().await;
    assert_eq!((message.text.as_str(), message.message_id.as_deref()), ("two", Some("7423918273645182736")));
    // The cursor moves behind what was taken.
    weixin.write(0, "three");
    assert_eq!(running.next().await.text, "three");
    running.end().await;

    weixin.write(1, "four");
    let mut running = Running::start(&setup, &options);
    let next = running.next().await.text;
    let next = if next == "three" { running.next().await.text } else { next };
    assert_eq!(next, "four");
    // Of person 0 there is nothing new: what is kept opens the way.
    let person = SenderId::parse(setup.account.channel(), &weixin.id(0)).unwrap();
    let route = running.adapter.route_to(&person).unwrap();
    running.adapter.show_typing(&route).await;
    running.adapter.send_text(&route, &text("you are in", "1")).await.unwrap();
    assert_eq!(block_in_place(|| weixin.read(0)), "you are in");
    let nobody =
        running.adapter.send_text(&ReplyRoute::new("o9cq8person9@im.wechat"), &text("no", "1")).await;
    assert!(nobody.is_err(), "somebody who never wrote");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_expires_is_told() {
    let mut weixin = block_in_place(Weixin::start);
    let setup = Setup::new(AccountKey::parse("openclaw-weixin", "work").unwrap());
    let mut running = Running::start(&setup, &options_of(&weixin.settings()));
    weixin.write(0, "one");
    assert_eq!(running.next().await.text, "one");
    weixin.expire();
    weixin.write(0, "two");
    let status = running.reach(|status| matches!(status, ChannelStatus::NeedsLogin(_))).await;
    let ChannelStatus::NeedsLogin(reason) = status else { panic!("{status:?}") };
    assert!(reason.contains("dmgate channels login openclaw-weixin --account work"), "{reason}");
    running.end().await;
}
