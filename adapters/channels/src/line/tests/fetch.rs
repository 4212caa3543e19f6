//! Files that came with messages.

use super::*;

fn attachment(kind: &str, reference: &str, size: Option<u64>) -> Attachment {
    Attachment { kind: kind.to_owned(), media_type: None, name: None, size, reference: reference.to_owned() }
}

/// What is fetched of `what` while the server answers each call for itself.
async fn fetched(
    what: &Attachment,
    answers: Vec<(&str, u16, Vec<u8>)>,
) -> (Result<u64, FetchError>, Vec<u8>) {
    let server = FakeServer::start().await;
    let line = line(&server);
    let mut file = Vec::new();
    let serve = async {
        for (path, status, body) in answers {
            let call = server.call().await;
            assert_eq!(call.line, format!("GET /data/v2/bot/message/{path}"));
            assert_eq!(call.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
            call.answer(status, body).await;
        }
        std::future::pending::<()>().await;
    };
    let got = tokio::select! {
        got = line.api.fetch(what, NO_WAIT, 10, &mut file) => got,
        () = serve => panic!("never"),
    };
    (got, file)
}

fn state(word: &str) -> Vec<u8> {
    json!({ "status": word }).to_string().into_bytes()
}

#[tokio::test]
async fn an_image_is_fetched_up_to_the_limit() {
    let image = attachment("image", "468789577898262530", None);
    let path = "468789577898262530/content";
    let (got, file) = fetched(&image, vec![(path, 200, vec![1; 10])]).await;
    assert_eq!((got.unwrap(), file), (10, vec![1; 10]));
    for bytes in [11, 500_000] {
        let (got, _) = fetched(&image, vec![(path, 200, vec![1; bytes])]).await;
        assert!(matches!(got, Err(FetchError::TooLarge(10))), "{got:?}");
    }
    let (got, _) = fetched(&image, vec![(path, 404, b"{}".to_vec())]).await;
    assert!(matches!(got, Err(FetchError::Failed(_))), "it is gone: {got:?}");
    let (got, _) = fetched(&attachment("file", "1", Some(11)), Vec::new()).await;
    assert!(matches!(got, Err(FetchError::TooLarge(10))), "nobody is asked for it: {got:?}");
}

#[tokio::test]
async fn a_video_is_waited_for_and_not_for_ever() {
    let video = attachment("video", "7", None);
    let (ready, content) = ("7/content/transcoding", "7/content");
    let answers =
        vec![(ready, 200, state("processing")), (ready, 200, state("succeeded")), (content, 200, vec![1; 3])];
    assert_eq!(fetched(&video, answers).await.0.unwrap(), 3);
    for answer in [state("failed"), b"{}".to_vec(), b"no json".to_vec()] {
        let (got, _) = fetched(&video, vec![(ready, 200, answer)]).await;
        assert!(matches!(got, Err(FetchError::Failed(_))), "{got:?}");
    }
    let (got, _) = fetched(&video, vec![(ready, 200, state("processing")); 30]).await;
    assert!(matches!(got, Err(FetchError::Failed(_))), "{got:?}");
}

#[tokio::test]
async fn what_is_no_file_of_lines_is_not_asked_for() {
    for reference in ["https://example.com/a.jpg", "geo:1,2", "sticker:1/2", "", "1/../2", "../info"] {
        let (got, _) = fetched(&attachment("image", reference, None), Vec::new()).await;
        assert!(matches!(got, Err(FetchError::Unsupported)), "{reference}");
    }
}
