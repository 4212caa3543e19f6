//! Files that came with messages.

use super::*;

fn attachment(reference: &str) -> Attachment {
    let (kind, reference) = ("file".to_owned(), reference.to_owned());
    Attachment { kind, media_type: None, name: None, size: None, reference }
}

#[tokio::test]
async fn a_file_is_fetched_with_our_token_up_to_the_limit() {
    let server = FakeServer::start().await;
    let bot = bot(&server, &Arc::default(), |_| {});
    for (bytes, expected) in [(10, Some(10)), (11, None)] {
        let mut file = Vec::new();
        let what = attachment("mxc://media.example.org:8448/AbC-1");
        let (got, ()) = tokio::join!(bot.api.fetch(&what, 10, &mut file), async {
            let call = server.call().await;
            assert_eq!(call.line, "GET /_matrix/client/v1/media/download/media.example.org%3A8448/AbC-1");
            assert_eq!(call.header("authorization"), Some("Bearer syt_t0ken"));
            call.answer(200, vec![1; bytes]).await;
        });
        assert_eq!(got.ok(), expected);
    }
    let mut file = Vec::new();
    let what = attachment("mxc://example.org/a");
    let (got, ()) = tokio::join!(bot.api.fetch(&what, 10, &mut file), async {
        let away = "HTTP/1.1 302 X\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
        server.call().await.raw(away, "").await;
    });
    assert!(matches!(got, Err(FetchError::Failed(_))), "a token goes nowhere else: {got:?}");
}

#[tokio::test]
async fn what_is_no_file_is_not_asked_for() {
    let server = FakeServer::start().await;
    let bot = bot(&server, &Arc::default(), |_| {});
    for reference in ["geo:1,2", "", "mxc://x/../y", "https://example.org/a"] {
        let outcome = bot.api.fetch(&attachment(reference), 10, &mut Vec::new()).await;
        assert!(matches!(outcome, Err(FetchError::Unsupported)), "{reference}");
    }
}
