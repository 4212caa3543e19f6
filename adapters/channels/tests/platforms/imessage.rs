//! The iMessage adapter with a Mac that is switched off and on.

use dmgate_channels::Options;
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::imessage::Imsg;

use crate::running::{Running, setup};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_repeated_over_runs_of_imsg_and_of_ours() {
    let mut mac = Imsg::start();
    let (setup, options) = (setup("imessage"), Options::new().with("command", mac.words()));
    let mut written = 0;
    for round in 0..3 {
        let mut running = Running::start(&setup, &options);
        // What was written while we were off comes first; at the first start nothing that is old does.
        if round == 0 {
            running.ready().await;
            written += 1;
            mac.write(0, "1");
            let first = running.next().await;
            assert_eq!((first.text.as_str(), first.route.as_str()), ("1", "iMessage;-;+4917012345000"));
        } else {
            assert_eq!(running.next().await.text, written.to_string());
        }
        // It dies, and goes on.
        mac.die();
        written += 1;
        mac.write(0, &written.to_string());
        assert_eq!(running.next().await.text, written.to_string());
        assert!(running.end().await.is_empty());
        written += 1;
        mac.write(0, &written.to_string());
    }
}
