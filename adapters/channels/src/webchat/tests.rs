//! Visitors, their sessions and mailboxes.

use super::*;

fn chat() -> Arc<WebChat> {
    WebChat::new(AccountKey::parse("webchat", "default").unwrap(), World::default())
}

fn visitor(chat: &WebChat) -> SenderId {
    chat.visitor(&chat.new_session().unwrap()).unwrap()
}

fn text(kind: TextKind, body: &str) -> OutboundText {
    OutboundText { body: body.into(), kind, idempotency_key: body.into() }
}

async fn read(line: &mut Line) -> String {
    match line.next().await {
        Some(Event::Text(text)) => text.body.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_needs_an_open_page() {
    let chat = chat();
    let visitor = visitor(&chat);
    let route = chat.route_to(&visitor).unwrap();
    for kind in [TextKind::Challenge, TextKind::Notice] {
        let sent = chat.send_text(&route, &text(kind, "code")).await;
        assert!(matches!(sent, Err(SendError::Failed { .. })), "{sent:?}");
    }
    let mut line = chat.open(visitor.clone());
    assert!(line.is_awaited() && !chat.open(visitor.clone()).is_awaited());
    let challenge = text(TextKind::Challenge, "code");
    let page = async {
        assert_eq!(read(&mut line).await, "code");
        chat.received(&visitor, "code");
    };
    let (sent, ()) = tokio::join!(chat.send_text(&route, &challenge), page);
    assert_eq!(sent, Ok(()));
    drop(line);
    assert_eq!(chat.mailboxes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_code_that_no_page_confirms_is_not_known_to_have_arrived() {
    let chat = chat();
    let visitor = visitor(&chat);
    let route = chat.route_to(&visitor).unwrap();
    let line = chat.open(visitor);
    let sent = chat.send_text(&route, &text(TextKind::Challenge, "code")).await;
    assert!(matches!(sent, Err(SendError::Unknown { .. })), "{sent:?}");
    drop(line);
    assert_eq!(chat.mailboxes().len(), 0, "and it is not kept");
}

#[tokio::test]
async fn a_silent_page_does_not_hold_up_the_end() {
    let chat = chat();
    let visitor = visitor(&chat);
    let route = chat.route_to(&visitor).unwrap();
    let _line = chat.open(visitor);
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    chat.run(Inbox::collecting(1).0, shutdown).await.unwrap();
    let sent = chat.send_text(&route, &text(TextKind::Challenge, "code")).await;
    assert!(matches!(sent, Err(SendError::Unknown { .. })), "{sent:?}");
}

#[tokio::test]
async fn a_code_survives_a_reload_in_the_middle() {
    let chat = chat();
    let visitor = visitor(&chat);
    let route = chat.route_to(&visitor).unwrap();
    let first = chat.open(visitor.clone());
    let challenge = text(TextKind::Challenge, "code");
    let page = async {
        drop(first);
        let mut second = chat.open(visitor.clone());
        assert_eq!(read(&mut second).await, "code");
        chat.received(&visitor, "code");
    };
    let (sent, ()) = tokio::join!(chat.send_text(&route, &challenge), page);
    assert_eq!(sent, Ok(()));
}

#[tokio::test]
async fn a_reply_waits_until_the_page_is_back() {
    let chat = chat();
    let visitor = visitor(&chat);
    let route = chat.route_to(&visitor).unwrap();
    assert_eq!(chat.send_text(&route, &text(TextKind::Reply, "hello")).await, Ok(()));
    chat.show_typing(&route).await;
    let mut line = chat.open(visitor);
    assert_eq!(read(&mut line).await, "hello");
    chat.show_typing(&route).await;
    assert!(matches!(line.next().await, Some(Event::Typing)));
    let elsewhere = ReplyRoute::new("elsewhere");
    let sent = chat.send_text(&elsewhere, &text(TextKind::Reply, "hello")).await;
    assert!(matches!(sent, Err(SendError::Impossible { .. })), "{sent:?}");
}

#[test]
fn a_message_is_direct_and_comes_in_once() {
    let chat = chat();
    let visitor = visitor(&chat);
    let from = Some("::ffff:10.0.0.1".parse().unwrap());
    let send = |id: Option<&str>| {
        let (visitor, text, id) = (visitor.clone(), "hi".into(), id.map(Into::into));
        chat.message(Written { visitor, from, text, id })
    };
    let message = send(Some("1")).unwrap();
    assert_eq!(message.conversation, dmgate::Conversation::Direct);
    assert_eq!(message.sender.primary(), &visitor);
    assert_eq!(message.source.unwrap().as_str(), "10.0.0.1");
    assert_eq!(message.message_id.as_deref(), Some("1"));
    assert!(send(Some("1")).is_none());
    let (one, other) = (send(None).unwrap(), send(None).unwrap());
    assert_ne!(one.message_id, other.message_id, "answers are told apart by it");
}

#[tokio::test]
async fn the_end_waits_for_messages_and_takes_no_more() {
    let chat = chat();
    let (inbox, mut gate) = Inbox::collecting(1);
    let write = || Written {
        visitor: visitor(&chat),
        from: Some("127.0.0.1".parse().unwrap()),
        text: "hi".into(),
        id: None,
    };
    let shutdown = CancellationToken::new();
    chat.receive(&inbox, write()).await.unwrap();
    let end = async {
        shutdown.cancel();
        chat.run(inbox.clone(), shutdown.clone()).await.unwrap();
        assert_eq!(chat.receive(&inbox, write()).await, Err(Closing));
    };
    // The second message waits until there is room for it, and the end waits for the message.
    let (second, (), ()) = tokio::join!(chat.receive(&inbox, write()), end, async {
        gate.recv().await.unwrap();
        gate.recv().await.unwrap();
    });
    assert_eq!(second, Ok(()));
}

#[test]
fn i12_nothing_shows_what_is_sent() {
    let shown = format!(
        "{:?}",
        Event::Text(Arc::new(Text { id: "1".into(), kind: TextKind::Challenge, body: "ABCD2345".into() }))
    );
    assert!(!shown.contains("ABCD"), "{shown}");
}
