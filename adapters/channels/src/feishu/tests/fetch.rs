//! Files.

use super::*;

fn attachment(reference: &str) -> Attachment {
    let kind = "file".to_owned();
    Attachment { kind, media_type: None, name: None, size: None, reference: reference.to_owned() }
}

#[tokio::test]
async fn a_file_is_fetched_up_to_the_limit() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    let file = attachment("om_1/file_v3-x/file");
    let mut is_first = true;
    for (status, bytes, good) in [(200, 10, true), (200, 11, false), (400, 3, false)] {
        let mut got = Vec::new();
        let (outcome, ()) = tokio::join!(bot.api.fetch(&file, 10, &mut got), async {
            if std::mem::take(&mut is_first) {
                fake.answer(fake.calls.call().await).await;
            }
            let call = fake.calls.call().await;
            assert_eq!(call.line, "GET /open-apis/im/v1/messages/om_1/resources/file_v3-x?type=file");
            assert_eq!(call.header("authorization"), Some("Bearer t-0ken"));
            call.answer(status, vec![1; bytes]).await;
        });
        assert_eq!(outcome.is_ok(), good, "{outcome:?}");
        if status == 200 && !good {
            assert!(matches!(outcome, Err(FetchError::TooLarge(10))), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_reference_leads_to_a_file_of_a_message_and_nowhere_else() {
    let fake = Fake::start().await;
    let bot = fake.bot(setup(), |_| {});
    for wrong in [
        "",
        "om_1",
        "om_1/x",
        "om_1/x/stream",
        "om_1/../file",
        "om_1/x?y/file",
        "om_1/x/file/more",
        "sticker:x",
        "geo:1,2",
        "//file",
    ] {
        let outcome = bot.api.fetch(&attachment(wrong), 10, &mut Vec::new()).await;
        assert!(matches!(outcome, Err(FetchError::Unsupported)), "{wrong}: {outcome:?}");
    }
}
