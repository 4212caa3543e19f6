//! A child process that ends with the value that holds it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How long a peer may stay silent while a test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running peer. Dropping it kills the process by its id and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    /// What the process prints, on either stream. Threads of ours read it, so that it never blocks on a full
    /// pipe. Behind a lock only for peers to be shared between threads.
    lines: Mutex<Receiver<String>>,
    /// What was taken from `lines` so far, for the message when a test fails.
    seen: Vec<String>,
}

impl Process {
    /// Starts `command`, with its standard streams in our hands.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (sender, lines) = channel();
        read_lines(child.stdout.take().expect("stdout is piped"), sender.clone());
        read_lines(child.stderr.take().expect("stderr is piped"), sender);
        Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            lines: Mutex::new(lines),
            seen: Vec::new(),
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads what the process prints until a line is `wanted`.
    pub fn await_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            match self.lines.get_mut().expect("nobody locks it").recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.fail(&format!("was silent for {} s", PATIENCE.as_secs()))
                }
                Err(RecvTimeoutError::Disconnected) => self.fail("ended"),
            }
        }
    }

    /// Writes a line to the standard input of the process.
    pub fn write_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(error) = writeln!(stdin, "{line}") {
            self.fail(&format!("does not read its input ({error})"));
        }
    }

    /// Closes the standard input of the process and waits for it to end by itself.
    pub fn finish(mut self) -> ExitStatus {
        self.stdin = None;
        self.child.wait().expect("a child can be waited for")
    }

    /// Waits for it to end by itself, whatever it is told.
    pub fn end(mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }

    /// Kills the process with SIGKILL, so that it can clean nothing up, and waits for its end.
    pub fn kill(&mut self) {
        // Both fail only for a process that has already been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn fail(&self, trouble: &str) -> ! {
        panic!("{} {trouble}; it printed:\n{}", self.name, self.seen.join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_lines(stream: impl Read + Send + 'static, sender: Sender<String>) {
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // The receiver goes first when the peer is dropped; reading on keeps the pipe from filling up.
            let _ = sender.send(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    });
}
