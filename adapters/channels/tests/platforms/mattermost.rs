//! The Mattermost adapter against the stand-in (`tests/peers`): restarts, broken connections, a server with an authority of
//! its own.

use dmgate::ChannelStatus;
use dmgate_test_peers::Platform;
use dmgate_test_peers::stand_ins::mattermost::Mattermost;

use crate::encrypted;
use crate::running::{Running, options_of, setup, text};

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_restart_nor_a_broken_connection_loses_or_repeats_a_post() {
    let (mut server, setup) = (Mattermost::start(), setup("mattermost"));
    server.write(0, "before anything of ours ran");
    let options = options_of(&server.settings());
    let mut first = Running::start(&setup, &options);
    first.ready().await;
    server.write(0, "one");
    assert_eq!(first.next().await.text, "one");
    assert!(first.end().await.is_empty());

    server.write(0, "two");
    // Somebody who has never written before.
    server.write(1, "three");
    let mut second = Running::start(&setup, &options);
    let mut both = second.texts(2).await;
    both.sort();
    assert_eq!(both, ["three", "two"]);
    server.disconnect();
    server.write(0, "four");
    assert_eq!(second.next().await.text, "four");
    server.write(1, "five");
    assert_eq!(second.next().await.text, "five");
    assert!(second.end().await.is_empty());
}

/// The same server over TLS, with a certificate of an authority of its own.
async fn at_home(server: &Mattermost, folder: &std::path::Path) -> String {
    let behind = server.base().trim_start_matches("http://").trim_end_matches("/chat").to_owned();
    let port = encrypted::before(behind, folder).await;
    format!("https://localhost:{port}/chat")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_an_authority_of_its_own_is_trusted_if_the_owner_says_so() {
    let (mut server, folder) = (Mattermost::start(), tempfile::tempdir().unwrap());
    let base = at_home(&server, folder.path()).await;
    let settings = server.settings_at(&base);
    let doubting = Running::start(&setup("mattermost"), &options_of(&settings));
    doubting.reach(|status| matches!(status, ChannelStatus::Connecting(Some(_)))).await;
    assert!(doubting.end().await.is_empty());

    let trusting = format!("{settings}ca_file = \"{}\"\n", folder.path().join("ca.pem").display());
    let mut running = Running::start(&setup("mattermost"), &options_of(&trusting));
    running.ready().await;
    server.write(0, "hello");
    let message = running.next().await;
    assert_eq!(message.text, "hello");
    let answer = text("hi", "1");
    running.adapter.send_text(&message.route, &answer).await.unwrap();
    // Tried again, since nobody knew whether it arrived.
    running.adapter.send_text(&message.route, &answer).await.unwrap();
    assert_eq!(server.read(0), "hi");
    assert_eq!(server.unread(0), 0, "the server drops the second");
    running.end().await;
}
