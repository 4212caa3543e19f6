//! Pictures that came with messages.

use super::*;

fn attachment(kind: &str, reference: String) -> Attachment {
    Attachment { kind: kind.to_owned(), media_type: None, name: None, size: None, reference }
}

#[tokio::test]
async fn a_picture_is_fetched_up_to_the_limit_and_shown_no_token() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let picture = attachment("image", format!("{}/a/b.jpg", server.base()));
    for (bytes, expected) in [(10, Some(10)), (11, None)] {
        let mut file = Vec::new();
        let (got, ()) = tokio::join!(bot.api.fetch(&picture, 10, &mut file), async {
            let call = server.call().await;
            assert_eq!((call.line.as_str(), call.header("authorization")), ("GET /a/b.jpg", None));
            call.answer(200, vec![1; bytes]).await;
        });
        assert_eq!(got.ok(), expected);
    }
}

#[tokio::test]
async fn only_zalos_own_servers_are_asked() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    for elsewhere in [
        "http://169.254.169.254/a",
        "https://zdn.vn.example.org/a",
        "http://f1.zdn.vn/a",
        "file:///etc/passwd",
        "x",
    ] {
        let got = bot.api.fetch(&attachment("image", elsewhere.to_owned()), 10, &mut Vec::new()).await;
        assert!(matches!(got, Err(FetchError::Failed(_))), "{elsewhere}: {got:?}");
    }
    let got = bot.api.fetch(&attachment("sticker", "sticker:1".to_owned()), 10, &mut Vec::new()).await;
    assert!(matches!(got, Err(FetchError::Unsupported)), "{got:?}");
}
