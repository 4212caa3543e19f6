//! A state directory of its own for each test, and the program run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A home directory with a state directory in it.
pub(crate) struct Place(tempfile::TempDir);

/// How a command ended and what it printed.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with_config(text: &str) -> Self {
        let place = Self::new();
        place.configure(text);
        place
    }

    /// Writes the configuration, as an owner's editor would.
    pub(crate) fn configure(&self, text: &str) {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.state()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.config()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn home(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home().join(".dmgate")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.state().join("dmgate.toml")
    }

    /// The program, ready to be run in an environment that holds nothing else.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmgate"));
        command.env_clear().env("HOME", self.home()).env("USER", "ann").stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Done {
        self.run_with(words, &[])
    }

    pub(crate) fn run_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Done {
        let output = self.program().args(words).envs(variables.iter().copied()).output().unwrap();
        let done = Done {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!done.err.contains("panicked"), "{done:?}");
        done
    }

    /// A command line that ends well; its output.
    pub(crate) fn ok(&self, line: &str) -> String {
        let done = self.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{line}: {done:?}");
        done.out
    }

    /// A command line that fails with this code; its one line of trouble.
    pub(crate) fn fails(&self, code: i32, line: &str) -> String {
        self.fails_with(code, &line.split(' ').collect::<Vec<_>>())
    }

    pub(crate) fn fails_with(&self, code: i32, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.code, code, "{words:?}: {done:?}");
        assert_eq!(done.err.lines().count(), 1, "one line: {done:?}");
        assert!(done.err.starts_with("dmgate: "), "{done:?}");
        done.err
    }

    /// A stranger writes, and gets this code.
    pub(crate) fn code(&self, line: &str) -> String {
        let done = self.run(&[&["admit", "--json"], &line.split(' ').collect::<Vec<_>>()[..]].concat());
        assert_eq!(done.code, 10, "{line}: {done:?}");
        let answer: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        answer["code"].as_str().unwrap().to_owned()
    }

    /// What `admit` says: decision and reason.
    pub(crate) fn verdict(&self, line: &str) -> String {
        let done = self.run(&[&["admit", "--json"], &line.split(' ').collect::<Vec<_>>()[..]].concat());
        let answer: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        format!("{} {}", answer["decision"].as_str().unwrap(), answer["reason"].as_str().unwrap())
    }
}
