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

/// What is fetched when `files.info` says this of a file, and the download has so many bytes.
async fn fetched(fake: &Fake, file: Value, bytes: usize) -> Result<u64, FetchError> {
    let bot = fake.bot(|_| {});
    let serve = async {
        let call = fake.calls.call().await;
        assert_eq!((call.line.as_str(), &call.body[..]), ("POST /files.info", &b"file=F1"[..]));
        call.json_answer(200, json!({ "ok": true, "file": file })).await;
        let call = fake.calls.call().await;
        assert_eq!(call.line, "GET /files-pri/T1-F1/a.png");
        assert_eq!(call.header("authorization"), Some("Bearer xoxb-b0t-t0ken"));
        call.answer(200, vec![1; bytes]).await;
        std::future::pending::<()>().await;
    };
    let (what, mut written) = (attachment("F1"), Vec::new());
    tokio::select! {
        got = bot.api.fetch(&what, &bot.hosts, 10, &mut written) => got,
        () = serve => panic!("never"),
    }
}

#[tokio::test]
async fn a_file_is_fetched_with_the_token_up_to_the_limit() {
    let fake = Fake::start().await;
    let url = format!("{}/files-pri/T1-F1/a.png", fake.calls.base());
    let download = json!({ "url_private_download": url, "url_private": "https://evil.test/", "size": 10 });
    assert_eq!(fetched(&fake, download, 10).await.unwrap(), 10);
    for file in [
        json!({ "url_private": url, "size": 11 }),
        json!({ "url_private": url }),
        json!({ "url_private": url, "size": 1 }),
    ] {
        let outcome = fetched(&fake, file.clone(), 11).await;
        assert!(matches!(outcome, Err(FetchError::TooLarge(10))), "{file}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_token_goes_to_slack_alone() {
    let fake = Fake::start().await;
    for elsewhere in [
        "https://evil.test/files-pri/T1-F1/a.png",
        "https://files.slack.com.evil.test/a.png",
        "https://slack.com@evil.test/a.png",
        "http://files.slack.com/a.png",
        "http://169.254.169.254/a.png",
        "file:///etc/passwd",
        "",
    ] {
        let outcome = fetched(&fake, json!({ "url_private": elsewhere }), 1).await;
        assert!(matches!(outcome, Err(FetchError::Failed(_))), "{elsewhere}: {outcome:?}");
    }
    let bot = fake.bot(|_| {});
    assert!(bot.hosts.allow("https://files.slack.com/files-pri/T1-F1/a.png").is_some());
    for reference in ["", "a/b", "https://files.slack.com/x", "F1&x=1", "f1"] {
        let outcome = bot.api.fetch(&attachment(reference), &bot.hosts, 10, &mut Vec::new()).await;
        assert!(matches!(outcome, Err(FetchError::Unsupported)), "{reference}");
    }
}

#[tokio::test]
async fn what_slack_does_not_give_is_said() {
    let fake = Fake::start().await;
    let bot = fake.bot(|_| {});
    for (answer, said) in [
        (
            json!({ "ok": false, "error": "missing_scope", "needed": "files:read" }),
            "missing_scope (the scope files:read)",
        ),
        (json!({ "ok": true }), "says nothing of it"),
        (json!({ "ok": true, "file": {} }), "no place"),
    ] {
        let (what, mut written) = (attachment("F1"), Vec::new());
        let (outcome, ()) = tokio::join!(bot.api.fetch(&what, &bot.hosts, 10, &mut written), async {
            fake.calls.call().await.json_answer(200, answer).await;
        });
        assert!(outcome.unwrap_err().to_string().contains(said), "{said}");
    }
}
