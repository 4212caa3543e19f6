//! Files that came with messages.

use super::*;

fn attachment(reference: &str, size: Option<u64>) -> Attachment {
    let kind = "image".to_owned();
    Attachment { kind, media_type: None, name: None, size, reference: reference.to_owned() }
}

#[tokio::test]
async fn a_file_is_fetched_from_the_address_that_the_server_gives() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    let what = attachment("42", Some(10));
    for (bytes, expected) in [(10, Some(10)), (11, None)] {
        let mut file = Vec::new();
        let (got, ()) = tokio::join!(talk.cloud.fetch(&what, 10, &mut file), async {
            let call = server.call().await;
            assert_eq!(call.line, "POST /ocs/v2.php/apps/dav/api/v1/direct");
            assert_eq!(call.json(), json!({ "fileId": 42 }));
            assert!(call.header("authorization").is_some());
            let address = format!("{}/remote.php/direct/t0ken", server.base());
            call.json_answer(200, ocs(json!({ "url": address }))).await;
            let call = server.call().await;
            assert_eq!(
                (call.line.as_str(), call.header("authorization")),
                ("GET /remote.php/direct/t0ken", None)
            );
            call.answer(200, vec![1; bytes]).await;
        });
        assert_eq!(got.ok(), expected);
    }
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_is_not_followed() {
    let server = FakeServer::start().await;
    let talk = talk(&server, |_| {});
    for elsewhere in ["http://169.254.169.254/", "https://evil.example.org/f", "file:///etc/passwd", ""] {
        let mut file = Vec::new();
        let what = attachment("42", None);
        let (got, ()) = tokio::join!(talk.cloud.fetch(&what, 10, &mut file), async {
            server.call().await.json_answer(200, ocs(json!({ "url": elsewhere }))).await;
        });
        assert!(matches!(got, Err(FetchError::Failed(_))), "{elsewhere}: {got:?}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_no_file_is_not_asked_for() {
    let server = FakeServer::start().await;
    let with_user = talk(&server, |_| {});
    let got = with_user.cloud.fetch(&attachment("42", Some(11)), 10, &mut Vec::new()).await;
    assert!(matches!(got, Err(FetchError::TooLarge(10))), "{got:?}");
    for reference in ["geo:1,2", "", "4/2", "-1"] {
        let got = with_user.cloud.fetch(&attachment(reference, None), 10, &mut Vec::new()).await;
        assert!(matches!(got, Err(FetchError::Unsupported)), "{reference}: {got:?}");
    }
    let without = talk(&server, |config| config.login = None);
    let got = without.cloud.fetch(&attachment("42", None), 10, &mut Vec::new()).await;
    assert!(matches!(got, Err(FetchError::Unsupported)), "{got:?}");
}
