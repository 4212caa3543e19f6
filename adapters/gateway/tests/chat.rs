//! The web chat over HTTP, with the gate, the echo agent and a store in memory behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on must fail"
)]

mod support;

use support::{Answer, Server, account, channel, code_of, owner};

#[tokio::test]
async fn a_stranger_gets_a_code_and_is_answered_once_the_owner_said_so() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    let mut events = server.events(&ann).await;
    assert_eq!(server.write(&ann, "hello").await.status, 202);
    let (id, kind, text) = events.text().await;
    assert_eq!(kind, "challenge");
    let confirm = |id: &str| format!(r#"{{"ids":["{id}"]}}"#);
    assert_eq!(server.post("/chat/received", &ann.cookie, &confirm(&id)).await.status, 204);

    server.approve(code_of(&text)).await;
    let (id, kind, _) = events.text().await;
    assert_eq!(kind, "notice");
    assert_eq!(server.post("/chat/received", &ann.cookie, &confirm(&id)).await.status, 204);

    assert_eq!(server.write(&ann, "hello again").await.status, 202);
    assert_eq!(events.next().await.unwrap(), ("typing".into(), "{}".into()));
    let (id, kind, text) = events.text().await;
    assert_eq!((kind.as_str(), text.as_str()), ("reply", "You said: hello again"));

    // A page that reloads before it said that it has the answer gets it again, and once it said so, no more.
    drop(events);
    let mut events = server.events(&ann).await;
    assert_eq!(events.text().await.0, id);
    server.post("/chat/received", &ann.cookie, &confirm(&id)).await;
    drop(events);
    let mut events = server.events(&ann).await;
    server.write(&ann, "third").await;
    assert_eq!(events.text().await.2, "You said: third");
}

#[tokio::test]
async fn a_code_reaches_a_page_that_opens_later() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    server.write(&ann, "hello").await;
    assert_eq!(server.pending().await, 1);
    let mut events = server.events(&ann).await;
    assert_eq!(events.text().await.1, "challenge");
}

#[tokio::test]
async fn the_oldest_of_too_many_pages_is_told_to_stay_away() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    server.allow(&ann.id).await;
    let mut pages = Vec::new();
    for _ in 0..7 {
        pages.push(server.events(&ann).await);
    }
    assert_eq!(pages[0].next().await.unwrap().0, "elsewhere");
    assert_eq!(pages[0].next().await, None);
    server.write(&ann, "hello").await;
    for page in &mut pages[1..] {
        assert_eq!(page.text().await.2, "You said: hello");
    }
}

#[tokio::test]
async fn what_the_gate_says_can_not_be_seen() {
    let server = Server::start().await;
    let stranger = server.visitor().await;
    let second = server.visitor().await;
    let blocked = server.visitor().await;
    let known = server.visitor().await;
    server.gate.store().block(&account(), &blocked.id, &owner()).await.unwrap();
    server.allow(&known.id).await;
    let mut answers: Vec<Answer> = Vec::new();
    for visitor in [&stranger, &stranger, &second, &blocked, &known] {
        let mut answer = server.write(visitor, "hello").await;
        answer.head = answer.head.lines().filter(|line| !line.starts_with("date:")).collect();
        answers.push(answer);
    }
    assert_eq!(answers[0].status, 202);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(server.pending().await, 1, "one address, one request");
}

#[tokio::test]
async fn a_message_that_is_sent_again_counts_once() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    server.allow(&ann.id).await;
    let mut events = server.events(&ann).await;
    for body in [r#"{"id":"1","text":"one"}"#, r#"{"id":"1","text":"one"}"#, r#"{"id":"2","text":"two"}"#] {
        assert_eq!(server.post("/chat/messages", &ann.cookie, body).await.status, 202);
    }
    assert_eq!(events.text().await.2, "You said: one");
    assert_eq!(events.text().await.2, "You said: two");
}

#[tokio::test]
async fn other_sites_and_other_hosts_get_nothing() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    let body = r#"{"text":"hello"}"#;
    let json = "Content-Type: application/json\r\n";
    for origin in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: same-site\r\n", ""]
    {
        let headers = format!("{origin}{json}{}", ann.cookie);
        for path in ["/chat/messages", "/chat/session", "/chat/received"] {
            let answer = server.post_with(path, &headers, body).await;
            assert_eq!((answer.status, answer.body.as_str()), (403, ""), "{path} {origin}");
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    // A form of another site, had it got so far.
    let form = format!("Origin: {}\r\nContent-Type: text/plain\r\n{}", server.origin(), ann.cookie);
    assert_eq!(server.post_with("/chat/messages", &form, body).await.status, 415);
    for request in [
        "GET /chat HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(),
        format!(
            "GET /chat HTTP/1.1\r\nHost: evil.example:{}\r\nConnection: close\r\n\r\n",
            server.addr.port()
        ),
        format!(
            "GET http://evil.example/chat HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.addr
        ),
        "GET /chat HTTP/1.0\r\n\r\n".to_owned(),
    ] {
        let answer = server.ask(&request).await;
        assert_eq!((answer.status, answer.body.as_str()), (421, ""), "{request}");
    }
    assert_eq!(server.pending().await, 0);
}

#[tokio::test]
async fn a_session_is_a_cookie_of_our_form() {
    let server = Server::start().await;
    let answer = server.post("/chat/session", "", "").await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/chat; Max-Age=31536000; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let value = cookie.split(';').next().unwrap();
    let asked = server.get("/chat/session", &format!("Cookie: {value}\r\n")).await;
    assert_eq!(asked.body, r#"{"session":true}"#);
    let kept = server.post("/chat/session", &format!("Cookie: {value}\r\n"), "").await;
    assert!(kept.header("set-cookie").unwrap().starts_with(value), "the same for another year");

    for bad in ["", "Cookie: dmgate-chat=x\r\n", &format!("Cookie: {value}; {value}\r\n"), "Cookie: \x01\r\n"]
    {
        let answer = server.post("/chat/messages", bad, r#"{"text":"hello"}"#).await;
        assert!([400, 401].contains(&answer.status), "{bad}");
        assert!([400, 401].contains(&server.get("/chat/events", bad).await.status), "{bad}");
    }
    assert_eq!(server.get("/chat/session", "").await.body, r#"{"session":false}"#);
    assert_eq!(server.gate.store().channels().await.unwrap(), [], "nothing is stored for who only looks");
}

#[tokio::test]
async fn messages_have_one_form() {
    let server = Server::start().await;
    let ann = server.visitor().await;
    for (body, status) in [
        (String::new(), 400),
        ("{".into(), 400),
        ("[]".into(), 400),
        (r#"{"text":1}"#.into(), 400),
        (r#"{"text":""}"#.into(), 400),
        (r#"{"text":"  \n"}"#.into(), 400),
        (r#"{"text":"x","admin":true}"#.into(), 400),
        (r#"{"text":"x","id":"a b"}"#.into(), 400),
        ("[".repeat(16_000), 400),
        (format!(r#"{{"text":"{}"}}"#, "x".repeat(4_001)), 400),
        (format!(r#"{{"text":"{}"}}"#, "x".repeat(20_000)), 413),
        (format!(r#"{{"text":"{}"}}"#, "😀".repeat(4_000)), 202),
    ] {
        let answer = server.post("/chat/messages", &ann.cookie, &body).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{body:.40}");
    }
    assert_eq!(server.get("/chat/messages", "").await.status, 405);
}

#[tokio::test]
async fn the_page_says_what_may_run_in_it() {
    let server = Server::start().await;
    for (path, media_type) in [
        ("/chat", "text/html; charset=utf-8"),
        ("/chat/chat.css", "text/css; charset=utf-8"),
        ("/chat/chat.js", "text/javascript; charset=utf-8"),
        ("/chat/icon.svg", "image/svg+xml"),
    ] {
        let answer = server.get(path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(
            !answer.body.contains("style=")
                && !answer.body.contains("onclick")
                && !answer.body.contains("//cdn")
        );
    }
    assert!(server.get("/chat", "Sec-Fetch-Site: cross-site\r\n").await.status == 200);
    let script = server.get("/chat/chat.js", "").await.body;
    for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!script.contains(sink), "{sink}");
    }
}

#[tokio::test]
async fn i11_many_strangers_leave_one_request_behind() {
    let server = Server::start().await;
    for _ in 0..200 {
        let stranger = server.visitor().await;
        assert_eq!(server.write(&stranger, "hello").await.status, 202);
    }
    assert_eq!(server.pending().await, 1);
    assert_eq!(server.gate.store().channels().await.unwrap(), [channel()]);
}

/// What a visitor says of where they come from makes neither a slot nor a share of their own.
#[tokio::test]
async fn g_no_header_makes_another_address() {
    let server = Server::start().await;
    for number in 0..20 {
        let stranger = server.visitor().await;
        let headers = format!(
            "Origin: {}\r\nContent-Type: application/json\r\n{}X-Forwarded-For: 203.0.113.{number}\r\n\
             Forwarded: for=203.0.113.{number}\r\nX-Real-IP: 203.0.113.{number}\r\n\
             CF-Connecting-IP: 203.0.113.{number}\r\nTrue-Client-IP: 203.0.113.{number}\r\n",
            server.origin(),
            stranger.cookie
        );
        let answer = server.post_with("/chat/messages", &headers, r#"{"text":"hello"}"#).await;
        assert_eq!(answer.status, 202);
    }
    assert_eq!(server.pending().await, 1);
}

/// Behind a proxy nobody's address is known: the slots are for everybody, and one stranger takes one of them.
#[tokio::test]
async fn g_one_stranger_behind_a_proxy_does_not_keep_the_others_out() {
    let server = Server::proxied().await;
    for waiting in [1, 2, 3, 3] {
        let stranger = server.visitor().await;
        for _ in 0..3 {
            assert_eq!(server.write(&stranger, "hello").await.status, 202);
        }
        assert_eq!(server.pending().await, waiting);
    }
}
