//! The WeChat adapter against a stand-in for the iLink server (`tests/peers`).

use std::sync::Arc;

use dmgate::{
    AccountKey, ChannelAdapter, ChannelError, ChannelStatus, InboundMessage, Inbox, OutboundText, ReplyRoute,
    SenderId, TextKind,
};
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::openclaw_weixin::Weixin;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, block_in_place};
use tokio_util::sync::CancellationToken;

/// An adapter that runs.
struct Running {
    weixin: Arc<dyn ChannelAdapter>,
    messages: mpsc::Receiver<InboundMessage>,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), ChannelError>>,
}

fn run(setup: &Setup, settings: &str) -> Running {
    let mut options = Options::new();
    for line in settings.lines() {
        let (key, value) = line.split_once(" = ").unwrap();
        options.set(key, value.trim_matches('"'));
    }
    let weixin = Channel::of(setup.account.channel()).unwrap().open(setup.clone(), &options).unwrap();
    let (inbox, messages) = Inbox::collecting(8);
    let shutdown = CancellationToken::new();
    let (task, until) = (Arc::clone(&weixin), shutdown.clone());
    let ended = tokio::spawn(async move { task.run(inbox, until).await });
    Running { weixin, messages, shutdown, ended }
}

impl Running {
    async fn next(&mut self) -> InboundMessage {
        self.messages.recv().await.unwrap()
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn text(body: &str) -> OutboundText {
    OutboundText { body: body.to_owned(), kind: TextKind::Notice, idempotency_key: "1".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was_and_can_answer_who_wrote_before() {
    let mut weixin = block_in_place(Weixin::start);
    let setup = Setup::new(AccountKey::parse("openclaw-weixin", "default").unwrap());
    let settings = weixin.settings();
    weixin.write(0, "one");
    weixin.write(1, "two");
    let mut running = run(&setup, &settings);
    assert_eq!(running.next().await.text, "one");
    let message = running.next().await;
    assert_eq!((message.text.as_str(), message.message_id.as_deref()), ("two", Some("7423918273645182736")));
    // The cursor moves behind what was taken.
    weixin.write(0, "three");
    assert_eq!(running.next().await.text, "three");
    running.end().await;

    weixin.write(1, "four");
    let mut running = run(&setup, &settings);
    let next = running.next().await.text;
    let next = if next == "three" { running.next().await.text } else { next };
    assert_eq!(next, "four");
    // Of person 0 there is nothing new: what is kept opens the way.
    let person = SenderId::parse(setup.account.channel(), &weixin.id(0)).unwrap();
    let route = running.weixin.route_to(&person).unwrap();
    running.weixin.show_typing(&route).await;
    running.weixin.send_text(&route, &text("you are in")).await.unwrap();
    assert_eq!(block_in_place(|| weixin.read(0)), "you are in");
    let nobody = running.weixin.send_text(&ReplyRoute::new("o9cq8person9@im.wechat"), &text("no")).await;
    assert!(nobody.is_err(), "somebody who never wrote");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_expires_is_told() {
    let mut weixin = block_in_place(Weixin::start);
    let setup = Setup::new(AccountKey::parse("openclaw-weixin", "work").unwrap());
    let mut running = run(&setup, &weixin.settings());
    weixin.write(0, "one");
    assert_eq!(running.next().await.text, "one");
    weixin.expire();
    weixin.write(0, "two");
    let reason = loop {
        if let ChannelStatus::NeedsLogin(reason) = running.weixin.status() {
            break reason;
        }
        tokio::task::yield_now().await;
    };
    assert!(reason.contains("dmgate channels login openclaw-weixin --account work"), "{reason}");
    running.end().await;
}
