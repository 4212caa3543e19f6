//! The Zalo adapter against the stand-in for Zalo: what the stories do not show.

use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::zalo::Zalo;

use crate::running::{Running, options_of, setup};

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_while_we_are_off_waits_and_nothing_is_repeated() {
    let mut zalo = Zalo::by_poll();
    let (setup, options) = (setup("zalo"), options_of(&zalo.settings()));
    zalo.write(0, "one");
    zalo.write(1, "two");
    let mut first = Running::start(&setup, &options);
    assert_eq!(first.next().await.text, "one");
    assert_eq!(first.next().await.text, "two");
    first.end().await;

    // A poll that was cut off may take one update with it: at most once is what Zalo promises. The other one is taken.
    let mut second = Running::start(&setup, &options);
    let again = zalo.text(0, "three");
    zalo.send(again.clone());
    zalo.send(again);
    zalo.write(0, "four");
    assert_eq!(second.next().await.text, "three");
    assert_eq!(second.next().await.text, "four");
    assert!(second.end().await.is_empty());
}
