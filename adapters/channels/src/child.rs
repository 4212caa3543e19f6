//! A program of the operator's that speaks for us: started, listened to, ended with everything that it started.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use crate::lines::LineReader;

/// How long a program may take to end after its standard input was closed.
const FAREWELL: Duration = Duration::from_secs(5);

/// The longest line of its standard error.
const LOGGED: usize = 64 * 1024;

/// The variables that a program sees. Ours may hold secrets, under any names that the owner chose; the program has its own.
const PASSED_ON: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "SSH_AUTH_SOCK"];

/// A running program. Dropped, it is killed with its whole process group.
pub(crate) struct Child {
    process: tokio::process::Child,
    /// Its process group, which has its id, until it was killed.
    #[cfg(unix)]
    group: Option<rustix::process::Pid>,
}

/// What a program hears and says.
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
}

impl Child {
    /// Starts the program of these words: no shell reads them. Of our variables it sees a few plain ones; what it says on
    /// its standard error goes to our log under `name`.
    pub(crate) fn start(name: &str, words: &[String]) -> Result<(Self, Pipes), String> {
        let (program, arguments) = words.split_first().ok_or("no program is named")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let is_plain = |name: &str| {
            PASSED_ON.contains(&name) || ["LC_", "XDG_"].iter().any(|head| name.starts_with(head))
        };
        command.env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_plain)));
        // A group of its own: what is typed at our terminal is for us, and what it started ends with it.
        #[cfg(unix)]
        command.process_group(0);
        command.kill_on_drop(true);
        let program = dmgate::escape(program);
        let mut process =
            command.spawn().map_err(|error| format!("`{program}` can't be started: {error}"))?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(format!("`{program}` has no pipes"));
        };
        tokio::spawn(log(name.to_owned(), stderr));
        #[cfg(unix)]
        let group = process.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        let child = Self {
            process,
            #[cfg(unix)]
            group,
        };
        Ok((child, Pipes { stdin, stdout }))
    }

    /// Ends it and says how it ended. Its standard input must be closed: it has some time to see that, and is killed then.
    pub(crate) async fn end(mut self) -> String {
        let ended = match tokio::time::timeout(FAREWELL, self.process.wait()).await {
            Ok(Ok(status)) => ended_with(status),
            Ok(Err(error)) => format!("is lost: {error}"),
            Err(_) => "did not end, and was killed".to_owned(),
        };
        self.kill_group();
        let _ = self.process.kill().await;
        ended
    }

    /// Kills whoever is left of the group, also when the program itself is gone already: its id stands for the group as
    /// long as anybody is in it.
    fn kill_group(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.group.take() {
            // It fails if everyone is gone.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn ended_with(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with code {code}"))
}

async fn log(name: String, stderr: ChildStderr) {
    let mut lines = LineReader::new(stderr, LOGGED);
    while let Ok(Some(line)) = lines.next().await {
        let text = String::from_utf8_lossy(&line);
        tracing::info!("{name}: {}", dmgate::escape(text.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::fake_program::FakeProgram;
    use crate::rpc::converse;

    fn shell(script: &str) -> (Child, Pipes) {
        Child::start("bridge", &["sh".to_owned(), "-c".to_owned(), script.to_owned()]).unwrap()
    }

    #[tokio::test]
    async fn a_program_answers_calls_by_its_pipes() {
        let program = FakeProgram::new().await;
        let (child, Pipes { stdin, stdout }) = Child::start("bridge", &program.words()).unwrap();
        let (mut incoming, caller) = converse(stdout, stdin);
        let mut run = program.started().await;
        run.say(r#"{"method":"ready"}"#).await;
        assert_eq!(incoming.next().await.unwrap().unwrap().method, "ready");
        let params = json!({});
        let reader = tokio::spawn(async move { incoming.next().await.unwrap() });
        let (said, ()) = tokio::join!(caller.call("send", &params, Duration::from_secs(60)), async {
            let asked = run.json().await;
            run.say(&json!({ "id": asked["id"], "result": asked["method"] }).to_string()).await;
        });
        assert_eq!(said, Ok(json!("send")));
        // It dies, and who listens and who calls learns of it.
        drop(run);
        assert_eq!(reader.await.unwrap(), None);
        assert!(caller.call("send", &params, Duration::from_secs(60)).await.is_err());
        drop(caller);
        assert_eq!(child.end().await, "was ended by signal 15");
    }

    #[tokio::test]
    async fn how_a_program_ended_is_said() {
        let (child, pipes) = shell("exit 7");
        drop(pipes);
        assert_eq!(child.end().await, "ended with code 7");
        let (child, pipes) = shell("kill -9 $$");
        drop(pipes);
        assert_eq!(child.end().await, "was ended by signal 9");
        let error = Child::start("bridge", &["/no/such/program".to_owned()]).err().unwrap();
        assert!(error.starts_with("`/no/such/program` can't be started"), "{error}");
        assert!(Child::start("bridge", &[]).is_err());
    }

    #[tokio::test]
    async fn what_it_left_behind_ends_too() {
        let (child, Pipes { stdin, mut stdout }) = shell("(sleep 5; echo alive) & exit 3");
        drop(stdin);
        assert_eq!(child.end().await, "ended with code 3");
        assert_eq!(stdout.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn it_sees_no_variables_that_may_hold_secrets() {
        // Cargo gives every test some that are not on the list.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let (child, Pipes { stdin, mut stdout }) = shell("env");
        let mut seen = String::new();
        stdout.read_to_string(&mut seen).await.unwrap();
        drop(stdin);
        child.end().await;
        // A shell sets some of its own.
        let own = ["PWD", "OLDPWD", "SHLVL", "_"];
        for name in seen.lines().filter_map(|line| Some(line.split_once('=')?.0)) {
            let is_plain = PASSED_ON.contains(&name) || name.starts_with("LC_") || name.starts_with("XDG_");
            assert!(is_plain || own.contains(&name), "{name}");
        }
        assert!(seen.contains("PATH="));
    }

    #[tokio::test]
    async fn what_it_started_ends_with_it() {
        // The grandchild holds the pipe: it is closed when that has ended too, and not before it says so otherwise.
        for drop_it in [true, false] {
            let (child, Pipes { stdin, mut stdout }) =
                shell("trap '' TERM HUP; (sleep 5; echo alive) & echo on; wait");
            let mut two = [0; 3];
            stdout.read_exact(&mut two).await.unwrap();
            drop(stdin);
            if drop_it {
                drop(child);
            } else {
                tokio::time::pause();
                assert_eq!(child.end().await, "did not end, and was killed");
                tokio::time::resume();
            }
            assert_eq!(stdout.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        }
    }
}
