//! The iMessage adapter with a Mac that is switched off and on.

use std::sync::Arc;

use dmgate::{AccountKey, ChannelAdapter, Inbox};
use dmgate_channels::kept::MemoryKeeper;
use dmgate_channels::{Channel, Options, Setup};
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::imessage::Imsg;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_repeated_over_runs_of_imsg_and_of_ours() {
    let mut mac = Imsg::start();
    let keeper = Arc::new(MemoryKeeper::default());
    let mut written = 0;
    for round in 0..3 {
        let keeper = Arc::clone(&keeper);
        let setup = Setup { keeper, ..Setup::new(AccountKey::parse("imessage", "default").unwrap()) };
        let channel = Channel::of(setup.account.channel()).unwrap();
        let adapter = channel.open(setup, &Options::new().with("command", mac.words())).unwrap();
        let (inbox, mut messages) = Inbox::collecting(8);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let (adapter, shutdown): (Arc<dyn ChannelAdapter>, _) = (Arc::clone(&adapter), shutdown.clone());
            async move { adapter.run(inbox, shutdown).await }
        });
        // What was written while we were off comes first; at the first start nothing that is old does.
        if round == 0 {
            while adapter.status() != dmgate::ChannelStatus::Ready {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            written += 1;
            mac.write(0, "1");
            let first = messages.recv().await.unwrap();
            assert_eq!((first.text.as_str(), first.route.as_str()), ("1", "iMessage;-;+4917012345000"));
        } else {
            assert_eq!(messages.recv().await.unwrap().text, written.to_string());
        }
        // It dies, and goes on.
        mac.die();
        written += 1;
        mac.write(0, &written.to_string());
        assert_eq!(messages.recv().await.unwrap().text, written.to_string());
        shutdown.cancel();
        running.await.unwrap().unwrap();
        drop(adapter);
        assert!(messages.recv().await.is_none());
        written += 1;
        mac.write(0, &written.to_string());
    }
}
