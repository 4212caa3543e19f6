//! Files that came with messages.

use super::*;

fn attachment(reference: &str) -> Attachment {
    let kind = "image".to_owned();
    Attachment { kind, media_type: None, name: None, size: None, reference: reference.to_owned() }
}

#[tokio::test]
async fn a_file_is_asked_for_and_fetched_up_to_the_limit() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    for (said, bytes, expected) in [(10, 10, Some(10)), (1, 11, None), (11, 0, None)] {
        let (what, mut file) = (attachment("1037543291543636"), Vec::new());
        let (got, ()) = tokio::join!(whatsapp.graph.fetch(&what, 10, &mut file), async {
            let call = server.call().await;
            assert_eq!(call.line, format!("GET /v25.0/1037543291543636?phone_number_id={NUMBER}"));
            let url = format!("{}/whatsapp_business/attachments/?mid=1", server.base());
            call.json_answer(200, json!({ "url": url, "file_size": said, "mime_type": "image/jpeg" })).await;
            if said <= 10 {
                let call = server.call().await;
                assert_eq!(call.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
                call.answer(200, vec![1; bytes]).await;
            }
        });
        assert_eq!(got.ok(), expected);
    }
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_is_not_followed() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    for elsewhere in
        ["http://169.254.169.254/", "https://lookaside.fbsbx.com.evil.test/", "https://evil.test/", ""]
    {
        let (what, mut file) = (attachment("1"), Vec::new());
        let (got, ()) = tokio::join!(whatsapp.graph.fetch(&what, 10, &mut file), async {
            server.call().await.json_answer(200, json!({ "url": elsewhere })).await;
        });
        assert!(matches!(got, Err(FetchError::Failed(_))), "{elsewhere}: {got:?}");
    }
    for reference in ["geo:1,2", "tel:+1", "", "1/2", "me"] {
        let got = whatsapp.graph.fetch(&attachment(reference), 10, &mut Vec::new()).await;
        assert!(matches!(got, Err(FetchError::Unsupported)), "{reference}: {got:?}");
    }
}
