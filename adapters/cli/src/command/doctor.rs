//! `dmgate doctor`: looks for trouble, and says what mends it.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use dmgate::store::{FileOptions, FileStore, Finding, Level};
use dmgate::{Clock, SystemClock, Timestamp, World};
use dmgate_channels::options::Need;
use serde::Serialize;

use crate::catalog;
use crate::config::Config;
use crate::config::channels::OptionValue;
use crate::config::secret::{Place, Secret};
use crate::context::Context;
use crate::failure::Failure;
use crate::run::instance;

pub(crate) const EXAMPLES: &str = "Examples:
  dmgate doctor
  dmgate doctor --json

Exit codes: 0 nothing is broken, 1 something is.";

/// 2025-01-01: no clock that is right shows less.
const PAST: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// Looks for trouble.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A finding, as scripts read it.
#[derive(Serialize)]
struct Row<'a> {
    level: &'static str,
    subject: &'a str,
    problem: &'a str,
    mend: &'a str,
}

impl Doctor {
    /// Looks; changes nothing.
    pub(crate) async fn execute(self, context: &mut Context) -> Result<ExitCode, Failure> {
        let mut findings = Vec::new();
        let config = context.config();
        match &config {
            Ok(config) => findings.extend(look_at_config(config, context)),
            Err(failure) => findings.push(finding(
                Level::Error,
                &"configuration",
                failure.message(),
                "mend the configuration; a running `dmgate run` keeps the one it has",
            )),
        }
        findings
            .extend(look_at_state(config.as_ref().is_ok_and(|config| config.shared_with_openclaw), context));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        self.print(&findings, context);
        let broken = findings.iter().any(|finding| finding.level == Level::Error);
        Ok(if broken { 1.into() } else { ExitCode::SUCCESS })
    }

    fn print(&self, findings: &[Finding], context: &mut Context) {
        let rows: Vec<Row<'_>> = findings.iter().map(Row::of).collect();
        if self.json {
            context.terminal.json(&rows);
            return;
        }
        for row in &rows {
            let mend = if row.mend.is_empty() { String::new() } else { format!(" — {}", row.mend) };
            context.terminal.line(format!("{:<7}  {}: {}{mend}", row.level, row.subject, row.problem));
        }
        if findings.iter().all(|finding| finding.level == Level::Note) {
            context.terminal.line("Nothing is broken.");
        }
    }
}

impl<'a> Row<'a> {
    fn of(finding: &'a Finding) -> Self {
        let level = match finding.level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        Self { level, subject: &finding.subject, problem: &finding.problem, mend: &finding.mend }
    }
}

fn look_at_state(shared_with_openclaw: bool, context: &Context) -> Vec<Finding> {
    let dir = &context.state_dir;
    let mut findings = Vec::new();
    if SystemClock.now() < PAST {
        let problem = "the clock shows a time long past; hours and expiries are counted by it";
        findings.push(finding(Level::Error, &"clock", problem, "set the clock"));
    }
    if !dir.is_dir() {
        let problem = "there is no state directory";
        findings.push(finding(
            Level::Warning,
            &dir.display(),
            problem,
            "`dmgate run` makes it; --state-dir names another",
        ));
        return findings;
    }
    if !dir.join("credentials").is_dir() {
        findings.push(finding(Level::Note, &dir.display(), "nothing is stored yet", ""));
    } else {
        // Watched, so that it is seen whether that works here; ending the watch is most of what this command takes.
        let options = FileOptions { create: false, shared_with_openclaw, ..FileOptions::new(dir) };
        match FileStore::open(options, World::default()) {
            Ok(store) => findings.extend(store.inspect()),
            Err(error) => {
                findings.push(finding(Level::Error, &dir.display(), &error.to_string(), ""));
            }
        }
    }
    let running = match instance::holder(dir) {
        Some(pid) => format!("`dmgate run` is running, pid {pid}"),
        None => "`dmgate run` is not running here".to_owned(),
    };
    findings.push(finding(Level::Note, &dir.display(), &running, ""));
    if shared_with_openclaw {
        let problem = "shared with OpenClaw: 3 pending requests per channel, no other cap";
        findings.push(finding(Level::Note, &dir.display(), problem, ""));
    }
    findings
}

fn look_at_config(config: &Config, context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !context.sources.path.exists() {
        findings.push(finding(
            Level::Note,
            &context.sources.path.display(),
            "no configuration: defaults count",
            "",
        ));
    }
    for account in config.connected() {
        let spec = catalog::find(account.key.channel().as_str());
        let needed = spec.iter().flat_map(|spec| spec.options).filter(|option| option.need == Need::Always);
        for option in needed.filter(|option| !account.options.contains_key(option.name)) {
            let mend = format!("set it at [channels.{}]", account.key.channel());
            findings.push(finding(
                Level::Error,
                &account.key,
                &format!("`{}` is missing", option.name),
                &mend,
            ));
        }
    }
    let options = config.connected().flat_map(|account| account.options.values());
    let secrets = options.filter_map(|option| match option {
        OptionValue::Secret(secret) => Some(secret),
        _ => None,
    });
    for secret in secrets.chain(config.gateway.secrets()).chain(config.agent.secrets()) {
        findings.extend(look_at_secret(secret, &context.sources.path));
    }
    findings
}

fn look_at_secret(secret: &Secret, config: &Path) -> Option<Finding> {
    let file = match &secret.place {
        Place::File(path) => Some(path.as_path()),
        Place::Here(_) if !secret.origin.is_environment() => Some(config),
        Place::Here(_) | Place::Variable(_) => None,
    };
    if let Some(file) = file.filter(|file| is_readable_by_others(file)) {
        let mend = format!("run `chmod go-r {}`", file.display());
        return Some(finding(
            Level::Warning,
            &file.display(),
            "others may read it, and a secret is in it",
            &mend,
        ));
    }
    let error = secret.reveal().err()?;
    let mend = "`dmgate run` needs it; your shell may lack what its service has";
    Some(finding(Level::Warning, &secret.key, &error.to_string(), mend))
}

fn is_readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o044 != 0)
}

fn finding(level: Level, subject: &dyn std::fmt::Display, problem: &str, mend: &str) -> Finding {
    let (problem, mend) = (problem.to_owned(), mend.to_owned());
    Finding { level, subject: subject.to_string(), problem, mend }
}
