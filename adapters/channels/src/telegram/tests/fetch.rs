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

/// What is fetched when `getFile` gives `file`, and the download so many bytes.
async fn fetched(file: Value, bytes: usize, limit: u64) -> Result<u64, FetchError> {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let serve = async {
        let call = server.call().await;
        assert_eq!((call.method(), call.json()), ("getFile", json!({ "file_id": "AgAC-f_1" })));
        call.json_answer(200, ok(file)).await;
        let call = server.call().await;
        assert_eq!(call.line, format!("GET /file/bot{TOKEN}/photos/file_1.jpg"));
        call.answer(200, vec![1; bytes]).await;
        std::future::pending::<()>().await;
    };
    let (what, mut file) = (attachment("AgAC-f_1"), Vec::new());
    tokio::select! {
        got = bot.api.fetch(&what, limit, &mut file) => got,
        () = serve => panic!("never"),
    }
}

#[tokio::test]
async fn a_file_is_fetched_up_to_the_limit_whatever_is_said_of_its_size() {
    let path = "photos/file_1.jpg";
    assert_eq!(fetched(json!({ "file_path": path, "file_size": 10 }), 10, 10).await.unwrap(), 10);
    let too_large = |outcome: Result<u64, FetchError>| matches!(outcome, Err(FetchError::TooLarge(10)));
    assert!(too_large(fetched(json!({ "file_path": path, "file_size": 11 }), 11, 10).await));
    assert!(too_large(fetched(json!({ "file_path": path }), 11, 10).await), "no size is said");
    assert!(too_large(fetched(json!({ "file_path": path, "file_size": 1 }), 500_000, 10).await), "a lie");
}

#[tokio::test]
async fn what_is_said_to_be_too_large_is_not_fetched_and_what_has_no_length_is_counted() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    let file = attachment("f1");
    let fetch = async { bot.api.fetch(&file, 10, &mut Vec::new()).await };
    let (outcome, ()) = tokio::join!(fetch, async {
        let said = json!({ "file_path": "a", "file_size": 11 });
        server.call().await.json_answer(200, ok(said)).await;
    });
    assert!(
        matches!(outcome, Err(FetchError::TooLarge(10))),
        "there is nobody to fetch it from: {outcome:?}"
    );

    let fetch = async { bot.api.fetch(&file, 10, &mut Vec::new()).await };
    let (outcome, ()) = tokio::join!(fetch, async {
        server.call().await.json_answer(200, ok(json!({ "file_path": "a" }))).await;
        server.call().await.raw("HTTP/1.1 200 X\r\nconnection: close\r\n\r\n", [1; 11]).await;
    });
    assert!(matches!(outcome, Err(FetchError::TooLarge(10))), "{outcome:?}");
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_not_followed() {
    for path in ["../../bot1:x/getMe", "/etc/passwd", "a//b", "a/./b", "a?b", "a#b", "a%2e", ""] {
        let outcome = fetched(json!({ "file_path": path }), 1, 10).await;
        assert!(matches!(outcome, Err(FetchError::Failed(_))), "{path}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_file_is_not_asked_for() {
    let server = FakeServer::start().await;
    let bot = bot(&server, |_| {});
    for reference in ["geo:1,2", "tel:+49", "", "a/b"] {
        let outcome = bot.api.fetch(&attachment(reference), 10, &mut Vec::new()).await;
        assert!(matches!(outcome, Err(FetchError::Unsupported)), "{reference}");
    }
}
