//! Texts: proven, paced, confirmed.

use tokio::time::Instant;

use super::*;

const ALICE: &str = "alice account:alice";

#[tokio::test(start_paused = true)]
async fn a_text_goes_to_who_is_proven_to_have_the_nick_and_is_confirmed() {
    let mut on = welcomed(&irc(|_| {})).await;
    let sending = send(&on.irc, ALICE, "hello\n\nyou\r\nthere\u{1}");
    on.peer.whois("alice", "al@host", Some("ALICE")).await;
    for line in ["hello", "you", "there"] {
        assert_eq!(on.peer.line().await, format!("PRIVMSG alice :{line}"));
    }
    let ping = on.peer.line().await;
    on.peer.say(":irc.test PONG irc.test :dmgate").await;
    on.peer.say("PING :again").await;
    assert_eq!(on.peer.line().await, "PONG :again");
    assert!(!sending.is_finished(), "not before the server has confirmed this very text");
    on.peer.say(&ping.replace("PING", ":irc.test PONG irc.test")).await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn i15_nothing_goes_to_who_has_the_nick_without_the_account() {
    let mut on = welcomed(&irc(|_| {})).await;
    for account in [None, Some("mallory"), Some("*"), Some("alice2")] {
        let sending = send(&on.irc, ALICE, "secret");
        on.peer.whois("alice", "al@host", account).await;
        let outcome = sending.await.unwrap();
        assert!(
            matches!(&outcome, Err(SendError::Failed { retry_after: Some(_), .. })),
            "{account:?}: {outcome:?}"
        );
    }
    let sending = send(&on.irc, ALICE, "secret");
    assert_eq!(on.peer.line().await, "WHOIS alice");
    on.peer.say(":irc.test 401 botty alice :No such nick").await;
    assert!(matches!(sending.await.unwrap(), Err(SendError::Failed { .. })));

    let sending = send(&on.irc, ALICE, "secret");
    assert_eq!(on.peer.line().await, "WHOIS alice");
    on.peer.say(":irc.test 311 botty alice al host * :Real").await;
    on.peer.say(":irc.test 330 botty bob alice :is logged in as").await;
    on.peer.say(":irc.test 318 botty alice :End").await;
    let outcome = sending.await.unwrap().unwrap_err();
    assert!(outcome.to_string().contains("is not `account:alice` now"), "that is Bob's account: {outcome}");
    on.shutdown.cancel();
    on.ended.await.unwrap();
    on.irc.keep(None);
    assert_eq!(on.peer.rest().await, ["QUIT"], "nothing was sent to anybody");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_question_is_not_the_answer_to_the_next() {
    let mut on = welcomed(&irc(|_| {})).await;
    let sending = send(&on.irc, ALICE, "one");
    assert_eq!(on.peer.line().await, "WHOIS alice");
    on.peer.say(":irc.test 401 botty alice :No such nick").await;
    assert!(sending.await.unwrap().is_err());
    let sending = send(&on.irc, ALICE, "two");
    assert_eq!(on.peer.line().await, "WHOIS alice");
    for line in [
        "318 botty alice :End",
        "311 botty alice al host * :Real",
        "330 botty alice alice :is",
        "318 botty alice :End",
    ] {
        on.peer.say(&format!(":irc.test {line}")).await;
    }
    assert_eq!(on.peer.line().await, "PRIVMSG alice :two");
    on.peer.pong().await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn i15_where_masks_count_the_whole_mask_must_be_the_same() {
    let irc = irc(|config| config.identity = Identity::Hostmask);
    let mut on = welcomed(&irc).await;
    let route = "alice alice!~al@host.example";
    for (mask, account) in [("al@host.example", None), ("~al@host.example.org", None), ("x@y", Some("alice"))]
    {
        let sending = send(&irc, route, "secret");
        on.peer.whois("alice", mask, account).await;
        assert!(matches!(sending.await.unwrap(), Err(SendError::Failed { .. })), "{mask}");
    }
    let sending = send(&irc, route, "hello");
    on.peer.whois("Alice", "~Al@Host.Example", None).await;
    assert_eq!(on.peer.line().await, "PRIVMSG alice :hello");
    on.peer.pong().await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn i6_refusals_are_told_apart() {
    let mut on = welcomed(&irc(|_| {})).await;
    for (numeric, is_hopeless) in [(401, false), (439, false), (477, true), (531, true), (716, true)] {
        let sending = send(&on.irc, ALICE, "hello");
        on.peer.whois("alice", "al@host", Some("alice")).await;
        on.peer.line().await;
        on.peer.say(&format!(":irc.test {numeric} botty ALICE :no")).await;
        on.peer.say(&format!(":irc.test {numeric} botty bob :of no concern")).await;
        on.peer.pong().await;
        let outcome = sending.await.unwrap().unwrap_err();
        assert_eq!(matches!(outcome, SendError::Impossible { .. }), is_hopeless, "{numeric}: {outcome}");
        assert_eq!(matches!(outcome, SendError::Failed { .. }), !is_hopeless, "{numeric}: {outcome}");
    }
    let sending = send(&on.irc, ALICE, "hello");
    assert_eq!(on.peer.line().await, "WHOIS alice");
    on.peer.say(":irc.test 263 botty WHOIS :Please wait").await;
    assert!(matches!(sending.await.unwrap(), Err(SendError::Failed { .. })));
}

#[tokio::test(start_paused = true)]
async fn i6_half_a_text_is_neither_sent_nor_unsent() {
    let mut on = welcomed(&irc(|_| {})).await;
    let sending = send(&on.irc, ALICE, "one\ntwo\nthree\nfour");
    on.peer.whois("alice", "al@host", Some("alice")).await;
    assert_eq!(on.peer.line().await, "PRIVMSG alice :one");
    assert_eq!(on.peer.line().await, "PRIVMSG alice :two");
    assert_eq!(on.peer.line().await, "PRIVMSG alice :three");
    on.peer.say(":irc.test 401 botty alice :No such nick").await;
    on.peer.pong().await;
    let outcome = sending.await.unwrap();
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn i6_a_connection_that_ends_says_how_far_it_came() {
    // Before the lines: surely not sent, neither this one nor the one behind it.
    let mut on = welcomed(&irc(|_| {})).await;
    let (first, second) = (send(&on.irc, ALICE, "hello"), send(&on.irc, ALICE, "again"));
    assert_eq!(on.peer.line().await, "WHOIS alice");
    drop(on.peer);
    for sending in [first, second] {
        assert!(matches!(sending.await.unwrap(), Err(SendError::Failed { .. })));
    }
    assert!(matches!(on.ended.await.unwrap(), End::Lost(_)));
    let outcome = on.irc.send_text(&ReplyRoute::new(ALICE), &text("hello")).await;
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "not connected: {outcome:?}");

    // After them: nobody knows.
    let mut on = welcomed(&irc(|_| {})).await;
    let sending = send(&on.irc, ALICE, "hello");
    on.peer.whois("alice", "al@host", Some("alice")).await;
    on.peer.line().await;
    drop(on.peer);
    assert!(matches!(sending.await.unwrap(), Err(SendError::Unknown { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_left() {
    let mut on = welcomed(&irc(|_| {})).await;
    let sending = send(&on.irc, ALICE, "hello");
    assert_eq!(on.peer.line().await, "WHOIS alice");
    let outcome = sending.await.unwrap();
    assert!(matches!(outcome, Err(SendError::Failed { .. })), "{outcome:?}");
    assert!(matches!(on.ended.await.unwrap(), End::Lost(reason) if reason.contains("does not answer")));
}

#[tokio::test(start_paused = true)]
async fn lines_are_paced_and_pings_are_not() {
    let mut on = welcomed(&irc(|_| {})).await;
    let before = Instant::now();
    let body = (0..6).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    let sending = send(&on.irc, ALICE, &body);
    on.peer.whois("alice", "al@host", Some("alice")).await;
    let mut at = Vec::new();
    for number in 0..6 {
        if number == 5 {
            on.peer.whois("alice", "al@host", Some("alice")).await;
        }
        assert_eq!(on.peer.line().await, format!("PRIVMSG alice :{number}"));
        at.push(before.elapsed().as_secs());
        if number == 3 {
            on.peer.say("PING :now").await;
            assert_eq!(on.peer.line().await, "PONG :now");
            assert_eq!(before.elapsed().as_secs(), 2);
        }
    }
    assert_eq!(at, [0, 0, 0, 2, 4, 8], "after the question three more at once, then one every two seconds");
    on.peer.pong().await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn i15_a_nick_that_changes_hands_in_the_middle_of_a_long_text_gets_no_more_of_it() {
    let mut on = welcomed(&irc(|_| {})).await;
    let body = (0..15).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    let sending = send(&on.irc, ALICE, &body);
    on.peer.whois("alice", "al@host", Some("alice")).await;
    for number in 0..5 {
        assert_eq!(on.peer.line().await, format!("PRIVMSG alice :{number}"));
    }
    // Alice left, and somebody took her nick.
    on.peer.whois("alice", "mallory@host", Some("mallory")).await;
    let outcome = sending.await.unwrap();
    assert!(matches!(outcome, Err(SendError::Unknown { .. })), "some of it was sent: {outcome:?}");
    on.shutdown.cancel();
    on.ended.await.unwrap();
    on.irc.keep(None);
    assert_eq!(on.peer.rest().await, ["QUIT"]);
}

#[tokio::test(start_paused = true)]
async fn long_lines_are_cut_between_characters() {
    let mut on = welcomed(&irc(|_| {})).await;
    let sending = send(&on.irc, ALICE, &"ä".repeat(401));
    on.peer.whois("alice", "al@host", Some("alice")).await;
    let mut letters = 0;
    for _ in 0..3 {
        let line = on.peer.line().await;
        let text = line.strip_prefix("PRIVMSG alice :").unwrap();
        assert!(text.len() <= LINE_BYTES);
        letters += text.chars().filter(|letter| *letter == 'ä').count();
    }
    assert_eq!(letters, 401);
    on.peer.pong().await;
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn i16_a_route_that_is_not_one_person_or_a_text_that_is_none_is_refused_at_once() {
    let on = welcomed(&irc(|_| {})).await;
    for route in ["", "alice", "#chan account:alice", "a,b account:a", "alice\r\nQUIT account:alice"] {
        let outcome = on.irc.send_text(&ReplyRoute::new(route), &text("hello")).await;
        assert!(matches!(outcome, Err(SendError::Impossible { .. })), "{route:?}");
    }
    let outcome = on.irc.send_text(&ReplyRoute::new(ALICE), &text(" \r\n\0\n")).await;
    assert!(matches!(outcome, Err(SendError::Impossible { .. })));
}

#[test]
fn a_person_of_whom_only_the_id_is_known_may_be_reached() {
    let irc = irc(|_| {});
    let route = |id: &str| {
        let id = SenderId::parse(irc.meta().account.channel(), id).unwrap();
        irc.route_to(&id).map(|route| route.as_str().to_owned())
    };
    assert_eq!(route("account:alice").as_deref(), Some("alice account:alice"));
    assert_eq!(route("al!~a@h").as_deref(), Some("al al!~a@h"));
    assert_eq!(route("account:12"), None, "no nick");
}
