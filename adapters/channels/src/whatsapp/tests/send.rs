//! Texts, and what becomes of them.

use super::*;
use crate::fake_server::unstall;

fn route() -> ReplyRoute {
    ReplyRoute::new("+16505551234 wamid.HBgL1=")
}

async fn sent(status: u16, answer: Value) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    let (outcome, ()) = tokio::join!(async { whatsapp.send_text(&route(), &text("hi")).await }, async {
        server.call().await.json_answer(status, answer).await;
    });
    outcome
}

#[tokio::test]
async fn a_text_goes_to_a_number_or_to_an_id() {
    for (route, field, to) in [
        ("+16505551234 wamid.HBgL1=", "to", "16505551234"),
        ("+16505551234", "to", "16505551234"),
        ("US.13491208655302741918 wamid.X", "recipient", "US.13491208655302741918"),
        ("US.ENT.1349120", "recipient", "US.ENT.1349120"),
    ] {
        let server = FakeServer::start().await;
        let whatsapp = whatsapp(&server);
        let (outcome, ()) =
            tokio::join!(async { whatsapp.send_text(&ReplyRoute::new(route), &text("*hi*")).await }, async {
                let call = server.call().await;
                assert_eq!(call.line, format!("POST /v25.0/{NUMBER}/messages"));
                assert_eq!(call.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
                let mut expected = json!({
                    "messaging_product": "whatsapp",
                    "recipient_type": "individual",
                    "type": "text",
                    "text": { "body": "*hi*", "preview_url": false },
                });
                expected[field] = json!(to);
                assert_eq!(call.json(), expected);
                call.json_answer(200, json!({ "messages": [{ "id": "wamid.Y" }] })).await;
            });
        outcome.unwrap();
    }
    let server = FakeServer::start().await;
    let ann = SenderId::parse(account().channel(), "+16505551234").unwrap();
    assert_eq!(whatsapp(&server).route_to(&ann), Some(ReplyRoute::new("+16505551234")));
}

#[tokio::test]
async fn i6_after_a_day_a_text_is_given_up_and_not_tried_for_ever() {
    let late = sent(400, refusal(131_047, "Re-engagement message")).await;
    assert!(
        matches!(&late, Err(SendError::Impossible { reason }) if reason.contains("131047") && reason.contains("More of it")),
        "{late:?}"
    );
    for hopeless in [131_026, 131_021, 131_009, 131_050] {
        let outcome = sent(400, refusal(hopeless, "no")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{hopeless}: {outcome:?}");
    }
}

#[tokio::test]
async fn i6_a_refusal_says_whether_trying_again_helps() {
    for (status, code) in
        [(400, 130_429), (400, 131_056), (429, 4), (401, 190), (403, 368), (400, 131_030), (400, 100)]
    {
        let outcome = sent(status, refusal(code, "later")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{code}: {outcome:?}");
    }
    for (status, answer) in [
        (500, refusal(131_000, "Something went wrong")),
        (503, refusal(2, "Service")),
        (502, json!("<html>")),
        (200, json!("garbage")),
        (200, json!({ "messages": [] })),
    ] {
        let outcome = sent(status, answer.clone()).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{status} {answer}: {outcome:?}");
    }
    // A proxy or a wrong address: Meta has not seen it.
    for status in [302, 404, 407] {
        let outcome = sent(status, json!("<html>")).await;
        assert!(matches!(outcome, Err(SendError::Failed { .. })), "{status}: {outcome:?}");
    }
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    let (slow, ()) = tokio::join!(async { whatsapp.send_text(&route(), &text("hi")).await }, async {
        let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
        server.call().await.raw(head, refusal(130_429, "Rate limit hit").to_string()).await;
    });
    let asked = Some(Duration::from_secs(7));
    assert!(matches!(slow, Err(SendError::Failed { retry_after, .. }) if retry_after == asked), "{slow:?}");
}

#[tokio::test]
async fn i6_silence_and_a_broken_line_leave_it_open_and_no_server_does_not() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    let (outcome, stalled) = tokio::join!(async { whatsapp.send_text(&route(), &text("hi")).await }, async {
        server.call().await.stall()
    });
    unstall(stalled);
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { whatsapp.send_text(&route(), &text("hi")).await }, async {
        drop(server.call().await);
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    let (outcome, ()) = tokio::join!(async { whatsapp.send_text(&route(), &text("hi")).await }, async {
        server.call().await.answer(200, vec![b' '; 17 * 1024 * 1024]).await;
    });
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
    drop(server);
    let outcome = whatsapp.send_text(&route(), &text("hi")).await;
    assert!(matches!(&outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains(TOKEN));
}

#[tokio::test]
async fn what_is_no_way_to_a_person_is_not_called() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    for route in
        ["", "16505551234", "+1", "us.1", "US.1 a b", "US.1 ", " US.1", "+16505551234 w\u{e4}", "group.1/x"]
    {
        let outcome = whatsapp.send_text(&ReplyRoute::new(route), &text("hi")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route}");
    }
}

#[tokio::test]
async fn typing_is_shown_for_the_message_that_is_answered_and_not_waited_for() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    // Whatever this sent would be the first call.
    whatsapp.show_typing(&ReplyRoute::new("+16505551234")).await;
    let ((), call) = tokio::join!(async { whatsapp.show_typing(&route()).await }, async {
        let call = server.call().await;
        (call.json(), call.stall())
    });
    unstall(call.1);
    let expected = json!({
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.HBgL1=",
        "typing_indicator": { "type": "text" },
    });
    assert_eq!(call.0, expected);
}
