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
async fn a_file_is_fetched_with_the_token_up_to_the_limit() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    let file = attachment("Clxzc/GFjZXM+_a=");
    let (got, ()) = tokio::join!(async { bot.api.fetch(&file, 10, &mut Vec::new()).await }, async {
        give_token(&server, "t0ken").await;
        let call = server.call().await;
        assert_eq!(call.line, "GET /v1/media/Clxzc/GFjZXM+_a=?alt=media");
        assert_eq!(call.header("authorization"), Some("Bearer t0ken"));
        call.answer(200, [1; 10]).await;
    });
    assert_eq!(got.unwrap(), 10);
    let (got, ()) = tokio::join!(async { bot.api.fetch(&file, 10, &mut Vec::new()).await }, async {
        server.call().await.answer(200, [1; 11]).await;
    });
    assert!(matches!(got, Err(FetchError::TooLarge(10))), "{got:?}");
}

#[tokio::test]
async fn what_is_no_upload_is_not_fetched() {
    let server = FakeServer::start().await;
    let bot = bot(&server, Way::Project);
    for bad in ["drive:1AbC", "", "/etc", "a/../b", "a?b", "a#b", "a%2e", "https://evil.test/"] {
        let outcome = bot.api.fetch(&attachment(bad), 10, &mut Vec::new()).await;
        assert!(matches!(outcome, Err(FetchError::Unsupported)), "{bad}: {outcome:?}");
    }
}
