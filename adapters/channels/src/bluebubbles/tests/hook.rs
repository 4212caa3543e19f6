//! What proves a call, and how often one counts.

use super::*;

fn right(body: impl Into<Bytes>) -> http::Request<Bytes> {
    call(&format!("?password={SECRET}"), body)
}

#[tokio::test]
async fn i14_only_who_knows_the_secret_is_heard() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let body = written("g1", "hello").to_string();
    let upper = SECRET.to_uppercase();
    for wrong in [
        String::new(),
        "?".to_owned(),
        "?password=".to_owned(),
        format!("?password={upper}"),
        format!("?password={}", &SECRET[1..]),
        format!("?password={SECRET}x"),
        format!("?secret={SECRET}"),
        format!("?password={SECRET}&password={SECRET}"),
        format!("?password=x&guid={SECRET}"),
        format!("?password={ENCODED}"),
    ] {
        let (status, messages) = give(&bubbles, call(&wrong, body.clone())).await;
        assert_eq!((status, messages.len()), (401, 0), "{wrong}");
    }
    assert_eq!(give(&bubbles, call("", "no json")).await.0, 401, "the secret comes before the body");
    let get = http::Request::get(format!("/?password={SECRET}")).body(Bytes::new()).unwrap();
    assert_eq!(give(&bubbles, get).await.0, 405);
    let with_header = |query: &str, name: &'static str, value: &str| {
        let mut request = call(query, body.clone());
        request.headers_mut().append(name, value.parse().unwrap());
        request
    };
    for (query, name, value) in
        [("", "x-password", "x"), ("", "x-guid", ""), ("?password=x", "x-password", SECRET)]
    {
        assert_eq!(give(&bubbles, with_header(query, name, value)).await.0, 401, "{query} {name} {value}");
    }
    let mut twice = with_header("", "x-password", SECRET);
    twice.headers_mut().append("x-password", SECRET.parse().unwrap());
    assert_eq!(give(&bubbles, twice).await.0, 401);

    let (status, messages) = give(&bubbles, right(body.clone())).await;
    assert_eq!((status, messages.len()), (200, 1), "what was refused did not use up the id");
    let moved = with_header("", "x-guid", SECRET);
    assert_eq!(give(&bubbles, moved).await.0, 200, "by a proxy, into a header");
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_what_says_nothing_is_taken() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    for bad in ["", "no json", "[]", "{}", r#"{"type":5}"#] {
        assert_eq!(give(&bubbles, right(bad)).await.0, 400, "{bad}");
    }
    assert_eq!(give(&bubbles, right(vec![b' '; 1024 * 1024 + 1])).await.0, 413);
    for nothing in
        [r#"{"type":"hello-world"}"#, r#"{"type":"typing-indicator","data":{"display":true,"guid":"a"}}"#]
    {
        let (status, messages) = give(&bubbles, right(nothing)).await;
        assert_eq!((status, messages.len()), (200, 0), "{nothing}");
    }
}

#[tokio::test]
async fn i16_what_a_message_lacks_is_asked_for_and_what_is_not_to_be_had_is_not_direct() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let mut bare = written("G-1", "hello");
    bare["data"].as_object_mut().unwrap().remove("chats");
    let ((_, messages), ()) = tokio::join!(give(&bubbles, right(bare.to_string())), async {
        let call = server.call().await;
        assert_eq!(call.line, format!("GET /api/v1/message/G-1?with=chats,attachments&password={ENCODED}"));
        call.json_answer(200, said(written("G-1", "hello")["data"].clone())).await;
    });
    assert_eq!(messages[0].conversation, Conversation::Direct);
    // The server never calls again, so it is asked again.
    bare["data"]["guid"] = json!("G-2");
    let ((_, messages), ()) = tokio::join!(give(&bubbles, right(bare.to_string())), async {
        drop(server.call().await);
        server.call().await.answer(503, "").await;
        server.call().await.json_answer(200, said(written("G-2", "hello")["data"].clone())).await;
    });
    assert_eq!(messages[0].conversation, Conversation::Direct);
    for (at, (status, answer)) in [
        (404, refusal(404, "Message does not exist!", json!(null))),
        (500, json!("<html>")),
        (200, json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        bare["data"]["guid"] = json!(format!("G{at}"));
        let ((_, messages), ()) = tokio::join!(give(&bubbles, right(bare.to_string())), async {
            for _ in 0..if status == 200 { 1 } else { 5 } {
                server.call().await.json_answer(status, answer.clone()).await;
            }
        });
        assert!(messages.iter().all(|message| message.conversation == Conversation::Unknown), "{answer}");
    }
    // An id that would lead elsewhere is not asked about.
    for odd in ["../server/info", "a?b", "a/b", ""] {
        bare["data"]["guid"] = json!(odd);
        let (status, messages) = give(&bubbles, right(bare.to_string())).await;
        assert_eq!((status, messages.len()), (200, 0), "{odd}");
    }
}

#[tokio::test]
async fn a_burst_is_taken_whole_and_leaves_little_behind() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let mut taken = 0;
    for number in 0..10_000_u32 {
        // Each comes a second time, later and out of order, as the server tells of some twice.
        for id in [number, number ^ 7] {
            let (status, messages) =
                give(&bubbles, right(written(&format!("G{id}"), "hi").to_string())).await;
            assert_eq!(status, 200);
            taken += messages.len();
        }
    }
    assert_eq!(taken, 10_000, "each once");
    assert!(bubbles.seen.len() <= 4_096);
}

#[test]
fn i14_a_web_hook_without_a_good_secret_or_an_address_is_no_configuration() {
    let refusal = |secret: &str, url: Option<&str>| {
        let config = Config::new("http://mac:1234".to_owned(), Secret::new("p"), Secret::new(secret));
        let mut setup = Setup::new(account());
        setup.public_url = url.map(str::to_owned);
        BlueBubbles::open(setup, config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let url = Some("https://gate.example.org");
    let long = "x".repeat(257);
    for bad in ["", "fifteen-letters", "sixteen letters!", "ä-long-enough-but-no", &long] {
        assert!(refusal(bad, url).starts_with("`webhook_secret`: 16 to 256"), "{bad}");
    }
    assert!(refusal(SECRET, None).contains("`public_url`"));
    assert_eq!(refusal(SECRET, url), "");
}

#[tokio::test]
async fn a_message_that_is_not_whole_does_not_use_up_its_id() {
    let server = FakeServer::start().await;
    let bubbles = bubbles(&server, |_| {});
    let acts = async |text: &str| {
        let (status, messages) = give(&bubbles, right(written("g1", text).to_string())).await;
        (status, messages.iter().map(|message| message.event.acts()).collect::<Vec<_>>())
    };
    assert_eq!(acts("").await, (200, vec![false]));
    assert_eq!(acts("hello").await, (200, vec![true]));
    assert_eq!(acts("hello").await, (200, vec![]), "what acts counts once");
}
