//! An agent that is a program.

use std::time::Duration;

use super::{Hired, hired, hired_within, says};
use crate::config::agent::{AgentKind, AgentSettings};

fn kind(script: &str) -> AgentKind {
    AgentKind::Command(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()])
}

fn shell(script: &str) -> Hired {
    hired(kind(script))
}

/// A program that says who it is, a line a turn.
const NUMBERED: &str = r#"while read -r line; do echo "{\"reply\":\"$$\"}"; done"#;

async fn reply(hired: &Hired, text: &str) -> String {
    says(&hired.agent, text).await.unwrap().concat()
}

/// Turns fail while the program is started again; the first that does not is what counts.
async fn next_reply(hired: &Hired) -> String {
    loop {
        match says(&hired.agent, "hello").await {
            Ok(replies) => return replies.concat(),
            Err(why) => assert!(why.contains("program"), "{why}"),
        }
        tokio::task::yield_now().await;
    }
}

/// Whether a process runs; one that nobody has buried does not.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_line_in_a_line_out() {
    let agent = shell(
        r#"while read -r line; do case "$line" in *'"text":"hello"'*) echo '{"reply":"good day"}';; *) echo;; esac; done"#,
    );
    assert_eq!(reply(&agent, "hello").await, "good day");
    assert_eq!(says(&agent.agent, "what?").await, Ok(Vec::new()));
    assert_eq!(reply(&agent, "hello").await, "good day");
    agent.dismiss().await;
}

#[tokio::test]
async fn one_program_serves_all_turns_and_ends_when_its_input_does() {
    let dir = tempfile::tempdir().unwrap();
    let farewell = dir.path().join("farewell");
    let agent = shell(&format!("{NUMBERED}; echo bye > '{}'", farewell.display()));
    let first = reply(&agent, "hello").await;
    assert_eq!(reply(&agent, "hello").await, first);
    agent.dismiss().await;
    assert_eq!(std::fs::read_to_string(farewell).unwrap(), "bye\n");
}

#[tokio::test]
async fn a_program_that_dies_is_started_again() {
    let agent = shell(r#"read -r line; echo "{\"reply\":\"$$\"}"; read -r line; exit 3"#);
    let first = reply(&agent, "hello").await;
    let why = says(&agent.agent, "hello").await.unwrap_err();
    assert!(why.contains("ended with code 3"), "{why}");
    assert_ne!(next_reply(&agent).await, first);
    agent.dismiss().await;
}

#[tokio::test]
async fn a_program_that_can_not_start_fails_each_turn() {
    let agent = hired(AgentKind::Command(vec!["/no/such/program".to_owned()]));
    let why = says(&agent.agent, "hello").await.unwrap_err();
    assert!(why.contains("`/no/such/program` can't be started"), "{why}");
    agent.dismiss().await;
}

#[tokio::test]
async fn a_program_that_is_too_slow_is_killed_with_what_it_started() {
    let script = format!(
        r#"if mkdir "$DIR" 2>/dev/null; then read -r line; sleep 1000 & echo $! > "$DIR/pid"; wait; fi; {NUMBERED}"#
    );
    let dir = tempfile::tempdir().unwrap();
    let script = format!("DIR='{}'; {script}", dir.path().join("once").display());
    let agent = hired_within(kind(&script), Duration::from_millis(300));
    let why = says(&agent.agent, "hello").await.unwrap_err();
    assert!(why.contains("did not answer within 0.3 s"), "{why}");
    let pid = std::fs::read_to_string(dir.path().join("once/pid")).unwrap();
    while is_alive(pid.trim()) {
        tokio::task::yield_now().await;
    }
    assert!(!next_reply(&agent).await.is_empty());
    agent.dismiss().await;
}

#[tokio::test]
async fn lines_have_a_limit_and_a_form() {
    for (line, says_why) in
        [("$(head -c 2000 /dev/zero | tr '\\0' x)", "more than 1000 bytes"), ("hello", "not the JSON")]
    {
        let agent = shell(&format!("read -r line; echo \"{line}\"; read -r line; echo '{{}}'"));
        let why = says(&agent.agent, "hello").await.unwrap_err();
        assert!(why.contains(says_why), "{why}");
        agent.dismiss().await;
    }
}

#[tokio::test]
async fn what_was_written_without_being_asked_answers_nobody() {
    let agent = shell(r#"while read -r line; do printf '{"reply":"%s"}\n' mine stray; done"#);
    // All at once, so that the next turn waits when the stray line is there.
    let mut turns = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let agent = std::sync::Arc::clone(&agent.agent);
        turns.spawn(async move { says(&agent, "hello").await });
    }
    for said in turns.join_all().await {
        assert_eq!(said, Ok(vec!["mine".to_owned()]));
    }
    agent.dismiss().await;
}

#[tokio::test]
async fn it_sees_no_variable_with_a_secret_of_ours() {
    let kind = kind(
        r#"read -r line; echo "{\"reply\":\"${CARGO_PKG_NAME-none} ${CARGO_PKG_VERSION-none}\"}"; read -r line"#,
    );
    let settings = AgentSettings { kind, timeout: Duration::from_secs(60), max_reply: 1_000 };
    let agent = Hired::without(vec!["CARGO_PKG_NAME".to_owned()], &settings).unwrap();
    assert_eq!(reply(&agent, "hello").await, format!("none {}", env!("CARGO_PKG_VERSION")));
    agent.dismiss().await;
}

#[tokio::test]
async fn an_answer_to_another_turn_is_nobodys() {
    let agent = shell(r#"while read -r line; do echo '{"id":"another","reply":"for someone else"}'; done"#);
    let why = says(&agent.agent, "hello").await.unwrap_err();
    assert!(why.contains("another turn"), "{why}");
    agent.dismiss().await;
}
