//! One run of the program.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::agent::lines::{Line, Lines};

/// How long a program may take to end after its standard input was closed.
const FAREWELL: Duration = Duration::from_secs(5);

/// The longest line of its standard error that is logged.
const LOGGED: usize = 2_000;

/// A running program.
pub(super) struct Child {
    process: tokio::process::Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<ChildStdout>,
}

impl Child {
    /// Starts the program, which does not see the variables `hidden`.
    pub(super) fn start(words: &[String], hidden: &[String], limit: usize) -> Result<Self, String> {
        let (program, arguments) = words.split_first().ok_or("has no name")?;
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Our configuration may hold secrets; the program has its own.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DMGATE_"))
        {
            command.env_remove(name);
        }
        for name in hidden {
            command.env_remove(name);
        }
        // A group of its own: what is typed at our terminal is for us, and what it started ends with it.
        #[cfg(unix)]
        command.process_group(0);
        command.kill_on_drop(true);
        let mut process = command
            .spawn()
            .map_err(|error| format!("`{}` can't be started: {error}", dmgate::escape(program)))?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err("has no pipes".to_owned()) };
        tracing::info!(pid = process.id(), "the agent's program is running");
        tokio::spawn(log(stderr));
        Ok(Self { process, stdin: Some(stdin), stdout: Lines::new(stdout, limit) })
    }

    /// One turn.
    pub(super) async fn exchange(&mut self, line: &str) -> Result<Vec<u8>, String> {
        let stdin = self.stdin.as_mut().ok_or("takes nothing any more")?;
        let written = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.write_all(b"\n").await?;
            stdin.flush().await
        };
        if written.await.is_err() {
            return Err(self.died().await);
        }
        match self.stdout.next().await {
            Ok(Some(Line::Whole(line))) => Ok(line),
            Ok(Some(Line::TooLong(part))) => {
                Err(format!("wrote a line of more than {} bytes; raise agent.max_reply", part.len()))
            }
            Ok(None) | Err(_) => Err(self.died().await),
        }
    }

    /// Watches it between turns: returns when it is to be given up. What it writes without being asked is nobody's.
    pub(super) async fn idle(&mut self) -> String {
        loop {
            match self.stdout.next().await {
                Ok(Some(Line::Whole(_))) => {
                    tracing::warn!(
                        "the agent's program wrote a line that nobody asked for; logs belong on stderr"
                    );
                }
                Ok(Some(Line::TooLong(_))) => return "writes without being asked".to_owned(),
                Ok(None) | Err(_) => return self.died().await,
            }
        }
    }

    /// Ends it: its standard input is closed, then it has some time.
    pub(super) async fn end(mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(FAREWELL, self.process.wait()).await.is_err() {
            tracing::warn!("the agent's program does not end, and is killed");
        }
        self.kill().await;
    }

    /// Kills it, with everything it started.
    pub(super) async fn kill(&mut self) {
        self.kill_group();
        let _ = self.process.kill().await;
    }

    fn kill_group(&self) {
        #[cfg(unix)]
        if let Some(group) = self.process.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        {
            // It fails if everyone is gone.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }

    /// How it died; it has closed its pipes, so it does so soon or is killed.
    async fn died(&mut self) -> String {
        match tokio::time::timeout(FAREWELL, self.process.wait()).await {
            Ok(Ok(status)) => died_with(status),
            Ok(Err(error)) => format!("is lost: {error}"),
            Err(_) => "closed its output".to_owned(),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_group();
    }
}

fn died_with(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with code {code}"))
}

/// What it writes to its standard error goes to our log.
async fn log(stderr: ChildStderr) {
    let mut lines = Lines::new(stderr, LOGGED);
    while let Ok(Some(Line::Whole(line) | Line::TooLong(line))) = lines.next().await {
        let text = String::from_utf8_lossy(&line);
        let text: String =
            text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        tracing::info!("agent: {text}");
    }
}
