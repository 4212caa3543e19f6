//! Daemons that refuse, and what then became of a text.

use super::*;

/// What becomes of a text that the daemon deals with so.
async fn sent(answer: impl AsyncFnOnce(Call)) -> Result<(), SendError> {
    let server = FakeServer::start().await;
    let sending = send(&adapter(&server), &ann());
    answer(server.call().await).await;
    sending.await.unwrap()
}

async fn results(results: Value) -> Result<(), SendError> {
    sent(async |call| answer(call, json!({ "timestamp": 1, "results": results })).await).await
}

async fn refused(code: i64, data: Value) -> SendError {
    let error = json!({ "code": code, "message": "no", "data": data });
    sent(async |call| refuse(call, error).await).await.unwrap_err()
}

#[tokio::test]
async fn a_text_goes_to_the_account_from_ours() {
    let server = FakeServer::start().await;
    for (route, recipient) in [(ann(), ANN), ("+33123456789".to_owned(), "+33123456789")] {
        let sending = send(&adapter(&server), &route);
        let call = server.call().await;
        assert_eq!(call.line, "POST /api/v1/rpc");
        assert_eq!(call.header("content-type"), Some("application/json"), "the daemon refuses any other");
        let asked = call.json();
        assert_eq!((&asked["jsonrpc"], &asked["method"]), (&json!("2.0"), &json!("send")));
        assert_eq!(asked["params"], json!({ "account": OWN, "recipient": [recipient], "message": "hello" }));
        answer(call, json!({ "timestamp": 1_631_458_508_784_i64, "results": [{ "type": "SUCCESS" }] })).await;
        assert_eq!(sending.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn i6_the_recipients_result_decides_what_became_of_a_text() {
    assert_eq!(results(json!([])).await, Ok(()), "older daemons say no more than the stamp");
    for hopeless in ["IDENTITY_FAILURE", "UNREGISTERED_FAILURE"] {
        let outcome = results(json!([{ "type": hopeless }])).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{hopeless}: {outcome:?}");
    }
    let slow =
        results(json!([{ "type": "RATE_LIMIT_FAILURE", "retryAfterSeconds": 7, "token": "s3cret" }])).await;
    let wait = Some(Duration::from_secs(7));
    assert!(matches!(&slow, Err(SendError::Failed { retry_after, .. }) if *retry_after == wait), "{slow:?}");
    assert!(!format!("{slow:?}").contains("s3cret"));
    for open in ["NETWORK_FAILURE", "SOMETHING_NEW"] {
        let outcome = results(json!([{ "type": open }])).await;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{open}: {outcome:?}");
    }
    // A text that was sent has a stamp.
    let unknown = sent(async |call| answer(call, json!({})).await).await;
    assert!(matches!(unknown, Err(SendError::Unknown { .. })), "{unknown:?}");
}

#[tokio::test]
async fn i6_what_the_daemon_refuses_is_told_apart() {
    assert!(matches!(refused(-4, Value::Null).await, SendError::Impossible { .. }), "new keys");
    assert!(matches!(refused(-1, Value::Null).await, SendError::Impossible { .. }));
    assert!(matches!(refused(-5, Value::Null).await, SendError::Failed { .. }));
    assert!(
        matches!(refused(-32_602, Value::Null).await, SendError::Failed { .. }),
        "the account may be linked"
    );
    for open in [-3, -32_603, 7] {
        assert!(matches!(refused(open, Value::Null).await, SendError::Unknown { .. }), "{open}");
    }
    // It fails as a whole since it failed for the one recipient; what it says of them is what counts.
    let data = json!({ "response": { "timestamp": 1, "results": [{ "type": "NETWORK_FAILURE" }] } });
    assert!(matches!(refused(-1, data).await, SendError::Unknown { .. }));
    let data =
        json!({ "response": { "results": [{ "type": "RATE_LIMIT_FAILURE", "retryAfterSeconds": 9 }] } });
    assert!(matches!(refused(-5, data).await, SendError::Failed { retry_after: Some(_), .. }));
}

#[tokio::test]
async fn i6_whatever_else_answers_leaves_it_open_or_not() {
    let broken = sent(async |call| call.answer(500, "").await).await;
    assert!(matches!(broken, Err(SendError::Unknown { .. })), "{broken:?}");
    let garbage = sent(async |call| call.answer(200, "<html>").await).await;
    assert!(matches!(garbage, Err(SendError::Unknown { .. })), "{garbage:?}");
    let elsewhere = sent(async |call| call.answer(404, "no").await).await;
    assert!(matches!(elsewhere, Err(SendError::Failed { .. })), "{elsewhere:?}");
    let cut = sent(async |call| drop(call)).await;
    assert!(matches!(cut, Err(SendError::Unknown { .. })), "{cut:?}");
    let server = FakeServer::start().await;
    let signal = adapter(&server);
    drop(server);
    let unsent = send(&signal, &ann()).await.unwrap();
    assert!(matches!(unsent, Err(SendError::Failed { .. })), "{unsent:?}");
}

#[tokio::test]
async fn only_people_are_written_to() {
    let server = FakeServer::start().await;
    for none in
        ["group:abc", "uuid:x", "PNI:5bdc5d0b-0b3e-4c4e-8c4c-0d8d6e1d2f10", ANN, "+49 170 1234567", "-a"]
    {
        let outcome = send(&adapter(&server), none).await.unwrap();
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{none}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_tried_again() {
    let server = FakeServer::start().await;
    let running = run(&adapter(&server), 8);
    server.call().await.answer(500, "").await;
    let lost = |status: &ChannelStatus| matches!(status, ChannelStatus::Connecting(Some(_)));
    running.signal.status.reach(lost).await;
    // It has the account at first and not when it is listened to.
    answer(server.call().await, json!([{ "number": OWN }])).await;
    loop {
        let call = server.call().await;
        match call.line.starts_with("GET /api/v1/events") {
            true => {
                call.answer(400, "").await;
                break;
            }
            false => call.answer(200, "").await,
        }
    }
    let _events = Events::listened(&server).await;
    running.signal.status.reach(|status| *status == ChannelStatus::Ready).await;
}

#[tokio::test]
async fn typing_is_shown_and_files_come_as_they_are_asked_for() {
    let server = FakeServer::start().await;
    let signal = adapter(&server);
    let shown = tokio::spawn({
        let signal = Arc::clone(&signal);
        async move { signal.show_typing(&ReplyRoute::new(ann())).await }
    });
    let call = server.call().await;
    assert_eq!(call.json()["method"], "sendTyping");
    answer(call, json!({})).await;
    shown.await.unwrap();

    let sender = SenderId::parse(account().channel(), &ann()).unwrap();
    let fetch = |limit: u64| {
        let (signal, sender) = (Arc::clone(&signal), sender.clone());
        tokio::spawn(async move {
            let mut file = Vec::new();
            let got = attachment::fetch(&signal.daemon, &sender, "a.jpg", limit, &mut file).await;
            got.map(|length| (length, file)).map_err(|error| error.to_string())
        })
    };
    for (limit, expected) in [(5, Ok((5, b"hello".to_vec()))), (4, Err("larger"))] {
        let fetching = fetch(limit);
        let call = server.call().await;
        assert_eq!(call.json()["params"], json!({ "account": OWN, "id": "a.jpg", "recipient": ANN }));
        answer(call, json!({ "data": "aGVsbG8=" })).await;
        match (fetching.await.unwrap(), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (got, _) => panic!("{got:?}"),
        }
    }
    let fetching = fetch(9);
    refuse(server.call().await, json!({ "code": -1, "message": "Could not find attachment", "data": null }))
        .await;
    assert!(fetching.await.unwrap().unwrap_err().contains("does not have it"));
}
