//! The Slack adapter against the stand-in (`tests/peers`), by sockets.

use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::slack::Slack;

use crate::running::{Running, options_of, setup};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_neither_loses_nor_repeats_what_came_by_socket() {
    let mut slack = Slack::by_socket();
    for texts in [["one", "two"], ["three", "four"]] {
        // Written while nobody is there.
        slack.write(0, texts[0]);
        let mut running = Running::start(&setup("slack"), &options_of(&slack.settings()));
        assert_eq!(running.next().await.text, texts[0]);
        slack.write(0, texts[1]);
        assert_eq!(running.next().await.text, texts[1]);
        assert!(running.end().await.is_empty());
    }
}
