//! What proves a call, and how often one counts.

use http::header::HeaderName;

use super::*;

fn with(mut request: http::Request<Bytes>, name: &'static str, value: &str) -> http::Request<Bytes> {
    request.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
    request
}

async fn with_rooms() -> Arc<NextcloudTalk> {
    let server = Arc::new(FakeServer::start().await);
    tokio::spawn(tell_rooms(Arc::clone(&server)));
    talk(&server, |_| {})
}

#[tokio::test]
async fn i14_only_a_call_that_is_signed_is_heard_and_only_it_uses_its_random_value_up() {
    let talk = with_rooms().await;
    let body = written("direct1", 1, "hello").to_string();
    let right = || call(&random(1), body.clone());
    let signature = right().headers()["x-nextcloud-talk-signature"].to_str().unwrap().to_owned();
    let of_another_key =
        Signature::hmac(&Secret::new("x"), &[random(1).as_bytes(), body.as_bytes()]).to_hex();
    let without_random = Signature::hmac(&Secret::new(SECRET), &[body.as_bytes()]).to_hex();
    for wrong in ["", "sha256=", &signature[..63], &format!("{signature}0"), &of_another_key, &without_random]
    {
        let forged = with(right(), "x-nextcloud-talk-signature", wrong);
        assert_eq!(give(&talk, forged).await.0, 401, "{wrong}");
    }
    let mut changed = right();
    *changed.body_mut() = body.replace("hello", "hellp").into();
    assert_eq!(give(&talk, changed).await.0, 401, "a byte of the body");
    assert_eq!(give(&talk, with(right(), "x-nextcloud-talk-random", &random(2))).await.0, 401);
    for name in ["x-nextcloud-talk-signature", "x-nextcloud-talk-random", "x-nextcloud-talk-backend"] {
        let mut bare = right();
        bare.headers_mut().remove(name);
        assert_eq!(give(&talk, bare).await.0, 401, "without {name}");
        let mut twice = right();
        let value = twice.headers()[name].clone();
        twice.headers_mut().append(name, value);
        assert_eq!(give(&talk, twice).await.0, 401, "{name} twice");
    }
    let mut get = right();
    *get.method_mut() = http::Method::GET;
    assert_eq!(give(&talk, get).await.0, 405);

    let (status, messages) = give(&talk, right()).await;
    assert_eq!((status, messages.len()), (200, 1), "what was refused used nothing up");
    assert_eq!(messages[0].text, "hello");
    let (status, messages) = give(&talk, right()).await;
    assert_eq!((status, messages.len()), (200, 0), "a copy");
    let again = call(&random(2), body.clone());
    assert_eq!(give(&talk, again).await.1.len(), 0, "the same message, signed anew");
    let upper =
        with(call(&random(3), written("direct1", 2, "x").to_string()), "x-nextcloud-talk-random", &random(3));
    let signature = upper.headers()["x-nextcloud-talk-signature"].to_str().unwrap().to_uppercase();
    assert_eq!(give(&talk, with(upper, "x-nextcloud-talk-signature", &signature)).await.1.len(), 1);
}

#[tokio::test]
async fn i14_a_copy_is_known_after_a_restart() {
    let server = Arc::new(FakeServer::start().await);
    tokio::spawn(tell_rooms(Arc::clone(&server)));
    let keeper: Arc<dyn crate::kept::Keeper> = Arc::new(crate::kept::MemoryKeeper::default());
    let body = |id: u32| written("direct1", id, "hello").to_string();
    let first = talk_kept(&server, &keeper);
    assert_eq!(give(&first, call(&random(1), body(1))).await.1.len(), 1);
    drop(first.webhook(call(&random(2), body(2))).await);
    first.memory.keep(async {}).await;
    let second = talk_kept(&server, &keeper);
    assert_eq!(give(&second, call(&random(1), body(1))).await.1.len(), 0, "a recorded call");
    assert_eq!(give(&second, call(&random(2), body(2))).await.1.len(), 1, "nobody took it");
}

#[tokio::test]
async fn i14_a_random_value_that_is_none_proves_nothing() {
    let talk = with_rooms().await;
    let body = written("direct1", 1, "hello").to_string();
    for (length, status) in [(0, 401), (31, 401), (32, 200), (256, 200), (257, 401)] {
        let request = call(&"x".repeat(length), body.clone());
        assert_eq!(give(&talk, request).await.0, status, "{length}");
    }
}

#[tokio::test]
async fn i8_i14_another_server_is_not_heard_though_it_knows_the_secret() {
    let talk = with_rooms().await;
    let body = written("direct1", 1, "hello").to_string();
    let of = |backend: &str| with(call(&random(1), body.clone()), "x-nextcloud-talk-backend", backend);
    for other in
        ["https://other.example.org/", "http://cloud.example.org/", "https://cloud.example.org/sub", "/", ""]
    {
        assert_eq!(give(&talk, of(other)).await.0, 401, "{other}");
    }
    assert_eq!(
        give(&talk, of("https://CLOUD.example.org:443")).await.1.len(),
        1,
        "the same in another spelling"
    );
}

#[tokio::test]
async fn a_proven_call_is_always_a_success_for_the_server() {
    let talk = with_rooms().await;
    for (at, odd) in ["", "no json", "[]", "{}", "\u{feff}{}", r#"{"type":"Create"}"#].into_iter().enumerate()
    {
        let (status, messages) = give(&talk, call(&random(at), odd)).await;
        assert_eq!((status, messages.len()), (200, 0), "{odd}");
    }
    let long = call(&random(100), vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(give(&talk, long).await.0, 413);
}

#[tokio::test]
async fn a_burst_is_taken_whole_and_leaves_little_behind() {
    let talk = with_rooms().await;
    let mut taken = 0;
    for number in 0..10_000_u32 {
        // Each comes a second time, later and out of order.
        for id in [number, number ^ 7] {
            let body = written(&format!("direct{}", id % 7), id, "hi").to_string();
            let random = random(usize::try_from(id).unwrap());
            let (status, messages) = give(&talk, call(&random, body)).await;
            assert_eq!(status, 200);
            taken += messages.len();
            assert!(messages.iter().all(|message| message.conversation == Conversation::Direct));
        }
    }
    assert_eq!(taken, 10_000, "each once");
    assert!(talk.memory.len() <= 16_384);
}
