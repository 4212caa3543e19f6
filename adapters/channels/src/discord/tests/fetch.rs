//! Files that came with messages.

use super::*;

/// What is fetched from this address, where the test's server counts as Discord's file host.
async fn fetched(side: &Side, address: &str, limit: u64) -> Result<u64, FetchError> {
    let bot = side.bot();
    let mut file = Vec::new();
    let got = bot.api.fetch(address, &bot.files, limit, &mut file).await;
    if let Ok(length) = got {
        assert_eq!(file.len() as u64, length);
    }
    got
}

#[tokio::test]
async fn a_file_is_fetched_up_to_the_limit_without_the_token() {
    let side = Side::start().await;
    let address = format!("{}/attachments/1/2/a.png?ex=1&is=2&hm=3", side.server.base());
    for (bytes, is_whole) in [(10, true), (11, false)] {
        let (got, ()) = tokio::join!(fetched(&side, &address, 10), async {
            let call = side.server.call().await;
            assert_eq!(call.line, "GET /attachments/1/2/a.png?ex=1&is=2&hm=3");
            assert_eq!(call.header("authorization"), None, "the address is signed");
            call.answer(200, vec![1; bytes]).await;
        });
        assert_eq!(got.is_ok(), is_whole, "{got:?}");
    }
    let (got, ()) =
        tokio::join!(fetched(&side, &address, 10), async { side.server.call().await.answer(404, "").await });
    assert!(matches!(got, Err(FetchError::Failed(_))), "it is a day old: {got:?}");
}

#[tokio::test]
async fn only_discords_file_hosts_are_asked() {
    let files = Hosts::new(FILE_HOSTS, []);
    for good in
        ["https://cdn.discordapp.com/attachments/1/2/a.png", "https://media.discordapp.net/stickers/1.gif"]
    {
        assert!(files.allow(good).is_some(), "{good}");
    }
    let setup = Setup::new(account());
    let bot = Discord::open(setup, Config::new(Secret::new(TOKEN))).ok().unwrap();
    for bad in [
        "https://discord.com/api/v10/users/@me",
        "http://cdn.discordapp.com/a",
        "https://cdn.discordapp.com.evil.test/a",
        "https://evil.test/a",
        "http://169.254.169.254/",
    ] {
        let got = bot.api.fetch(bad, &bot.files, 10, &mut Vec::new()).await;
        assert!(matches!(got, Err(FetchError::Failed(_))), "{bad}: {got:?}");
    }
    let got = bot.api.fetch("sticker:5", &bot.files, 10, &mut Vec::new()).await;
    assert!(matches!(got, Err(FetchError::Unsupported)), "{got:?}");
    assert!(bot.gateways.allows_socket("wss://gateway-us-east1-b.discord.gg"));
    assert!(
        !bot.gateways.allows_socket("wss://discord.com")
            && !bot.gateways.allows_socket("ws://gateway.discord.gg")
    );
}
