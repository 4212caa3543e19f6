//! The Twitch adapter against a stand-in (`tests/peers`) that twurple was shown to work with.

use dmgate::{ChannelStatus, Conversation};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::twitch::Twitch;

use crate::running::{Running, options_of, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_used_up_is_replaced_over_restarts_and_a_move_loses_nothing() {
    let mut twitch = tokio::task::spawn_blocking(Twitch::by_socket).await.unwrap();
    // As the owner wrote it once: each refresh token is good for one renewal.
    let (setup, options) = (setup("twitch"), options_of(&twitch.settings()));
    let mut first = Running::start(&setup, &options);
    first.ready().await;
    twitch.write(0, "one");
    let message = first.next().await;
    assert_eq!((message.text.as_str(), message.conversation), ("one", Conversation::Direct));
    assert_eq!(message.sender.primary().as_str(), twitch.id(0));
    for number in 0..5 {
        let body = format!("part {number}");
        first.adapter.send_text(&message.route, &text(&body, &body)).await.unwrap();
    }
    for number in 0..10 {
        if number == 5 {
            twitch.reconnect();
        }
        twitch.write(0, &number.to_string());
    }
    for number in 0..10 {
        assert_eq!(first.next().await.text, number.to_string());
    }
    assert_eq!(first.adapter.status(), ChannelStatus::Ready);
    first.end().await;

    let mut second = Running::start(&setup, &options);
    second.ready().await;
    twitch.write(0, "two");
    assert_eq!(second.next().await.text, "two");
    second.end().await;
    let read = tokio::task::spawn_blocking(move || (0..5).map(|_| twitch.read(0)).collect::<Vec<_>>());
    assert_eq!(read.await.unwrap(), ["part 0", "part 1", "part 2", "part 3", "part 4"], "none too fast");
}
