//! The Feishu adapter against a stand-in for Feishu (`tests/peers`).

use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::feishu::Feishu;
use tokio::task::block_in_place;

use crate::running::{Running, options_of, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_neither_loses_nor_repeats_and_a_text_arrives_once() {
    let mut feishu = Feishu::by_socket();
    let (setup, options) = (setup("feishu"), options_of(&feishu.settings()));
    let mut first = Running::start(&setup, &options);
    // Every second one comes in parts.
    for text in ["one", "two", "three"] {
        feishu.write(0, text);
        assert_eq!(first.next().await.text, text);
    }
    first.end().await;
    feishu.write(0, "four");
    let mut second = Running::start(&setup, &options);
    let message = second.next().await;
    assert_eq!(message.text, "four", "what was answered does not come again");

    let text = text("an answer", "the same");
    second.adapter.send_text(&message.route, &text).await.unwrap();
    second.adapter.send_text(&message.route, &text).await.unwrap();
    assert_eq!(block_in_place(|| feishu.read(0)), "an answer");
    assert_eq!(feishu.unread(0), 0, "Feishu drops the second");
    second.end().await;
}
