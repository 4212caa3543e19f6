//! `dmgate channels login`: a code to be scanned with a telephone.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use async_trait::async_trait;
use clap::Args;
use dmgate::store::Store;
use dmgate::{AccountKey, Qr, SenderId, escape};
use dmgate_channels::login::{Code, LoggedIn, Login, LoginError, Screen};
use dmgate_channels::{Channel, Options};

use crate::config::Config;
use crate::context::{self, Context};
use crate::failure::Failure;
use crate::run::channels::{options, setup};
use crate::terminal::Terminal;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate channels login openclaw-weixin
  dmgate channels login openclaw-weixin --account work --png code.png";

/// Log in to a channel with a telephone
#[derive(Args, Debug)]
pub(crate) struct LogIn {
    /// The channel
    channel: String,
    /// The account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Where the code is written to as a picture [default: a file in the state directory]
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Let the person who scans the code write to the account
    #[arg(long)]
    allow: bool,
}

/// The owner's terminal and the picture.
struct Sight<'a> {
    terminal: &'a mut Terminal,
    png: PathBuf,
}

impl LogIn {
    /// Logs in.
    pub(crate) fn execute(self, context: &mut Context) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Failure::refused(format!("the program can't start: {error}")))?;
        let done = runtime.block_on(self.log_in(context));
        // Somebody may still be asked for a line.
        runtime.shutdown_background();
        done
    }

    async fn log_in(self, context: &mut Context) -> Result<(), Failure> {
        let key = context::account_key(&self.channel, self.account.as_deref())?;
        let channel = Channel::of(key.channel()).ok_or_else(|| {
            Failure::refused(format!(
                "there is no adapter for `{}`; `dmgate channels` lists those there are",
                key.channel()
            ))
        })?;
        let config = context.config()?;
        let account = config.account(&key);
        let options = account.map_or_else(|| Ok(Options::new()), options)?;
        let others =
            config.connected().filter(|other| other.key != key && other.key.channel() == key.channel());
        let others = others.map(|other| setup(&other.key, &config, &context.state_dir).login).collect();
        let setup = setup(&key, &config, &context.state_dir);
        let png = self.png.clone().unwrap_or_else(|| {
            context.state_dir.join(format!("login-{}-{}.png", key.channel(), key.account()))
        });
        // The folder must be there, for the owner alone.
        context.store_made(&config)?;
        let mut sight = Sight { terminal: &mut context.terminal, png };
        let login = Login { setup, options: &options, others, screen: &mut sight };
        let outcome = tokio::select! {
            outcome = channel.log_in(login) => outcome,
            _ = tokio::signal::ctrl_c() => Err(LoginError::Failed("nobody is logged in".to_owned())),
        };
        // What was shown is of no use any more.
        let _ = fs::remove_file(&sight.png);
        let LoggedIn { told, scanned_by } = outcome.map_err(|error| match error {
            LoginError::Config(error) => Failure::usage(format!("{key}: {error}")),
            LoginError::Failed(reason) => Failure::refused(reason),
        })?;
        context.terminal.line(told);
        if config.account(&key).is_none() {
            context.terminal.line(format!(
                "Write {} into the configuration, so that `dmgate run` connects it.",
                section(&key)
            ));
        }
        if let Some(person) = scanned_by {
            self.let_in(&key, &person, &config, context).await?;
        }
        Ok(())
    }

    /// Lets the person who scanned the code in, if the owner says so.
    // INVARIANT I1: a login by itself lets nobody in.
    async fn let_in(
        &self,
        key: &AccountKey,
        person: &SenderId,
        config: &Config,
        context: &mut Context,
    ) -> Result<(), Failure> {
        let id = escape(person.as_str());
        let may_ask = io::stdin().is_terminal();
        let yes = self.allow
            || may_ask && {
                let mut sight = Sight { terminal: &mut context.terminal, png: PathBuf::new() };
                let answer =
                    sight.ask(&format!("{id} scanned the code. Let them write to {key}? [y/N]")).await;
                answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
            };
        if !yes {
            let account = if key.account().is_default() {
                String::new()
            } else {
                format!(" --account {}", key.account())
            };
            let channel = key.channel();
            context.terminal.line(format!(
                "{id} scanned the code, and is not let in by that. To let them in: dmgate allow add {channel} {id}{account}"
            ));
            return Ok(());
        }
        let new = context.store_made(config)?.allow(key, person, &context::actor()).await?;
        context.terminal.line(match new {
            true => format!("Added {} sender {id}.", key.channel()),
            false => format!("{} sender {id} was allowed already.", key.channel()),
        });
        context.note_what_does_not_count(config, key);
        Ok(())
    }
}

fn section(key: &AccountKey) -> String {
    match key.account() {
        id if id.is_default() => format!("[channels.{}]", key.channel()),
        id => format!("[channels.{}.accounts.{:?}]", key.channel(), id.as_str()),
    }
}

impl Sight<'_> {
    /// Writes the picture, for the owner alone.
    fn save(&self, picture: &[u8]) -> io::Result<()> {
        // In the place of the one before, and not through what somebody else put there.
        let _ = fs::remove_file(&self.png);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.png)?;
        file.write_all(picture)
    }
}

#[async_trait]
impl Screen for Sight<'_> {
    async fn show(&mut self, code: Code<'_>) {
        let (drawn, picture) = match code {
            Code::Text(text) => {
                let qr = Qr::of(text);
                let drawn = qr.as_ref().map(|qr| qr.lines(io::stdout().is_terminal())).unwrap_or_default();
                (format!("{drawn}{}", escape(text)), qr.map(|qr| qr.png()))
            }
            Code::Picture(picture) => (String::new(), Some(picture.to_vec())),
        };
        if !drawn.is_empty() {
            self.terminal.line(drawn);
        }
        if let Some(picture) = picture {
            match self.save(&picture) {
                Ok(()) => self.terminal.line(format!("The code as a picture: {}", self.png.display())),
                Err(error) => {
                    self.terminal.trouble(format!("{} can't be written: {error}", self.png.display()));
                }
            }
        }
        self.terminal.flush();
    }

    async fn say(&mut self, text: &str) {
        self.terminal.line(text);
        self.terminal.flush();
    }

    async fn ask(&mut self, question: &str) -> Option<String> {
        self.say(question).await;
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|_| line)
        });
        let line = read.await.ok()?.ok()?;
        let line = line.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }
}
