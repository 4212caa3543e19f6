//! Files that came with messages.

use super::*;

fn attachment(reference: &str, size: Option<u64>) -> Attachment {
    let kind = "image".to_owned();
    Attachment { kind, media_type: None, name: None, size, reference: reference.to_owned() }
}

#[tokio::test]
async fn a_file_is_fetched_up_to_the_limit() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    for (bytes, expected) in [(10, Some(10)), (11, None)] {
        let (what, mut file) = (attachment("at_0_F1-x", Some(1)), Vec::new());
        let (got, ()) = tokio::join!(bubbles.rest.fetch(&what, 10, &mut file), async {
            let call = server.call().await;
            assert_eq!(call.line, format!("GET /api/v1/attachment/at_0_F1-x/download?password={ENCODED}"));
            call.answer(200, vec![1; bytes]).await;
        });
        assert_eq!(got.ok(), expected);
    }
    let got = bubbles.rest.fetch(&attachment("a", Some(11)), 10, &mut Vec::new()).await;
    assert!(matches!(got, Err(FetchError::TooLarge(10))), "nobody is asked: {got:?}");
}

#[tokio::test]
async fn what_is_no_file_is_not_asked_for_and_no_error_shows_the_password() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    for reference in ["", "../x", "a/b", "a?b", "a%2e"] {
        let got = bubbles.rest.fetch(&attachment(reference, None), 10, &mut Vec::new()).await;
        assert!(matches!(got, Err(FetchError::Unsupported)), "{reference}: {got:?}");
    }
    let (what, mut file) = (attachment("a", None), Vec::new());
    let elsewhere = "HTTP/1.1 302 X\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let (got, ()) = tokio::join!(bubbles.rest.fetch(&what, 10, &mut file), async {
        server.call().await.raw(elsewhere, "").await;
    });
    assert!(matches!(&got, Err(FetchError::Failed(_))), "it leads elsewhere: {got:?}");
    drop(server);
    let got = bubbles.rest.fetch(&what, 10, &mut Vec::new()).await;
    let told = format!("{got:?}");
    assert!(matches!(got, Err(FetchError::Failed(_))) && !told.contains(ENCODED), "{told}");
}
