//! What proves a call, and how often a message counts.

use super::*;

fn get(query: &str) -> http::Request<Bytes> {
    http::Request::get(format!("/webhooks/whatsapp/default{query}")).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn meta_gets_its_challenge_back_if_it_knows_the_token() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    let right = format!("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY}");
    let (status, said, messages) = give(&whatsapp, get(&right)).await;
    assert_eq!((status, said.as_str(), messages.len()), (200, "1158201444", 0));
    for wrong in [
        String::new(),
        "?hub.mode=subscribe&hub.challenge=1".to_owned(),
        "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=".to_owned(),
        "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x".to_owned(),
        format!("?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token={VERIFY}"),
        format!("?hub.challenge=1&hub.verify_token={VERIFY}"),
        format!("{right}&hub.verify_token=x"),
    ] {
        let (status, said, _) = give(&whatsapp, get(&wrong)).await;
        assert_eq!((status, said.as_str()), (403, ""), "{wrong}");
    }
    for odd in ["", "%3Cscript%3E", "1%0A2", &"1".repeat(257)] {
        let odd = format!("?hub.mode=subscribe&hub.verify_token={VERIFY}&hub.challenge={odd}");
        assert_eq!(give(&whatsapp, get(&odd)).await.0, 400, "{odd}");
    }
    let put = http::Request::put("/").body(Bytes::new()).unwrap();
    assert_eq!(give(&whatsapp, put).await.0, 405);
}

#[tokio::test]
async fn i14_only_what_is_signed_is_heard() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    let body = update_of([written(1, "hello")]).to_string();
    let right = call(body.clone());
    let signature = right.headers()["x-hub-signature-256"].to_str().unwrap().to_owned();
    let hex = signature.trim_start_matches("sha256=");
    let of_another_key = Signature::hmac(&Secret::new("x"), &[body.as_bytes()]).to_hex();
    let with_token = Signature::hmac(&Secret::new(VERIFY), &[body.as_bytes()]).to_hex();
    for wrong in [
        String::new(),
        "sha256=".to_owned(),
        hex.to_owned(),
        format!("sha1={hex}"),
        format!("sha256={}", &hex[..62]),
        format!("sha256={hex}00"),
        format!("sha256={of_another_key}"),
        format!("sha256={with_token}"),
    ] {
        let mut forged = call(body.clone());
        forged.headers_mut().insert("x-hub-signature-256", wrong.parse().unwrap());
        assert_eq!(give(&whatsapp, forged).await.0, 401, "{wrong}");
    }
    let mut changed = call(body.clone());
    *changed.body_mut() = body.replace("hello", "hellp").into();
    assert_eq!(give(&whatsapp, changed).await.0, 401, "a byte of the body");
    let mut twice = call(body.clone());
    twice.headers_mut().append("x-hub-signature-256", signature.parse().unwrap());
    assert_eq!(give(&whatsapp, twice).await.0, 401);
    let mut bare = call(body.clone());
    bare.headers_mut().remove("x-hub-signature-256");
    assert_eq!(give(&whatsapp, bare).await.0, 401);

    let (status, _, messages) = give(&whatsapp, right).await;
    assert_eq!((status, messages.len()), (200, 1), "what was refused did not use up the id");
    let (status, _, messages) = give(&whatsapp, call(body)).await;
    assert_eq!((status, messages.len()), (200, 0), "a copy");
    let batch = update_of([written(1, "hello"), written(2, "again"), written(2, "again")]).to_string();
    assert_eq!(give(&whatsapp, call(batch)).await.2.len(), 1, "what is new in a batch");
}

#[tokio::test]
async fn what_is_no_update_is_refused_and_what_says_nothing_is_taken() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    for bad in ["", "no json", "[]", "{}", r#"{"entry":5}"#, r#"{"entry":["#] {
        assert_eq!(give(&whatsapp, call(bad)).await.0, 400, "{bad}");
    }
    assert_eq!(give(&whatsapp, call(vec![b' '; 1024 * 1024 + 1])).await.0, 413);
    for nothing in [
        json!({ "entry": [] }),
        json!({ "entry": [{}] }),
        json!({ "entry": [{ "changes": [{ "field": "messages" }] }] }),
        json!({ "entry": [{ "changes": [{ "field": "account_update", "value": { "event": "X" } }] }] }),
    ] {
        let (status, _, messages) = give(&whatsapp, call(nothing.to_string())).await;
        assert_eq!((status, messages.len()), (200, 0), "{nothing}: or Meta would repeat it for days");
    }
}

#[tokio::test]
async fn a_burst_is_taken_whole_and_leaves_little_behind() {
    let server = FakeServer::start().await;
    let whatsapp = whatsapp(&server);
    let mut taken = 0;
    for batch in 0..1_000_u32 {
        let messages: Vec<Value> = (0..10).map(|at| written(batch * 10 + at, "hi")).collect();
        let body = update_of(&messages).to_string();
        // Meta repeats what it thinks we did not get, and what came before it.
        let earlier = update_of([written(batch * 10 / 2, "hi")]).to_string();
        for body in [body.clone(), earlier, body] {
            let (status, _, messages) = give(&whatsapp, call(body)).await;
            assert_eq!(status, 200);
            taken += messages.len();
        }
    }
    assert_eq!(taken, 10_000, "each once");
    assert_eq!(whatsapp.memory.len(), 10_000);
}

#[tokio::test]
async fn i14_a_recorded_call_is_known_after_a_restart_or_too_old() {
    let server = FakeServer::start().await;
    let (setup, clock) = (Setup::new(account()), ManualClock::at(NOW));
    let recorded = || call(update_of([written(1, "hello")]).to_string());
    let first = whatsapp_with(&server, setup.clone(), &clock);
    assert_eq!(give(&first, recorded()).await.2.len(), 1);
    first.memory.keep(async {}).await;
    let second = whatsapp_with(&server, setup, &clock);
    assert_eq!(give(&second, recorded()).await.2.len(), 0);
    let forgetful = whatsapp_with(&server, Setup::new(account()), &clock);
    clock.advance(Duration::from_secs(8 * 24 * 60 * 60 + 1));
    assert_eq!(give(&forgetful, recorded()).await.2.len(), 0, "Meta has given it up");
}
