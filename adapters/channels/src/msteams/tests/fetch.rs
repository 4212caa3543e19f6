//! Files that came with messages.

use super::*;

fn attachment(reference: &str) -> Attachment {
    Attachment {
        kind: "file".to_owned(),
        media_type: None,
        name: None,
        size: None,
        reference: reference.to_owned(),
    }
}

#[tokio::test]
async fn a_picture_is_fetched_with_the_token_up_to_the_limit() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    let picture = attachment(&format!("{}/amer/v3/attachments/1/views/original", server.base()));
    let (got, ()) = tokio::join!(async { bot.connector.fetch(&picture, 10, &mut Vec::new()).await }, async {
        give_token(server.call().await, "t0ken").await;
        let call = server.call().await;
        assert_eq!(call.header("authorization"), Some("Bearer t0ken"));
        call.answer(200, [1; 10]).await;
    });
    assert_eq!(got.unwrap(), 10);
    let (got, ()) = tokio::join!(async { bot.connector.fetch(&picture, 10, &mut Vec::new()).await }, async {
        server.call().await.answer(200, [1; 11]).await;
    });
    assert!(matches!(got, Err(FetchError::TooLarge(10))), "{got:?}");
}

#[tokio::test]
async fn what_lies_elsewhere_is_not_fetched_and_no_token_is_asked_for() {
    let server = FakeServer::start().await;
    let bot = bot(&server);
    for place in
        ["https://evil.test/a", "http://contoso.sharepoint.com/a", "http://169.254.169.254/", "a b", ""]
    {
        let (place, mut file) = (attachment(place), Vec::new());
        let got = tokio::select! {
            biased;
            _ = server.call() => panic!("somebody is called"),
            got = bot.connector.fetch(&place, 10, &mut file) => got,
        };
        assert!(matches!(got, Err(FetchError::Failed(_))), "{got:?}");
    }
}
