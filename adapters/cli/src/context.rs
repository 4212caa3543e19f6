//! What a command works with: the terminal, the state directory, the configuration, the store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmgate::device::{DeviceStore, NodeStore};
use dmgate::pairing::Surface;
use dmgate::store::{Actor, FileOptions, FileStore};
use dmgate::{AccountId, AccountKey, ChannelId, DmGate, DmPolicy, World};

use crate::arguments::Global;
use crate::config::{Config, Sources};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// How long a command waits for a lock that someone else holds.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// What a command works with.
pub(crate) struct Context {
    /// Where output goes.
    pub(crate) terminal: Terminal,
    /// Where the state is.
    pub(crate) state_dir: PathBuf,
    /// Where the configuration is read from.
    pub(crate) sources: Sources,
    /// What was typed before or after the command.
    pub(crate) global: Global,
}

impl Context {
    /// The context of a command line.
    pub(crate) fn new(global: Global, terminal: Terminal) -> Result<Self, (Failure, Terminal)> {
        let state_dir = match state_dir(&global) {
            Ok(state_dir) => state_dir,
            Err(failure) => return Err((failure, terminal)),
        };
        let named = global.config.clone().or_else(|| path_variable("DMGATE_CONFIG"));
        let sources = Sources {
            must_exist: named.is_some(),
            path: named.unwrap_or_else(|| state_dir.join("dmgate.toml")),
            state_dir: state_dir.clone(),
            variables: std::env::vars_os().collect(),
        };
        Ok(Self { terminal, state_dir, sources, global })
    }

    /// The configuration.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.sources)?)
    }

    /// The store of an existing state directory.
    pub(crate) fn store(&self, config: &Config) -> Result<FileStore, Failure> {
        self.must_exist()?;
        self.store_made(config)
    }

    /// The devices of an existing state directory. No configuration is asked: the owner is never locked out by one.
    pub(crate) fn devices(&self) -> Result<DeviceStore, Failure> {
        self.must_exist()?;
        Ok(DeviceStore::open(self.options(false, false), World::default())?)
    }

    /// The records of nodes in an existing state directory.
    pub(crate) fn nodes(&self) -> Result<NodeStore, Failure> {
        self.must_exist()?;
        Ok(NodeStore::open(self.options(false, false), World::default())?)
    }

    /// The store of a long run: what others change is seen at once, and made where there is none.
    pub(crate) fn store_watched(&self, config: &Config) -> Result<FileStore, Failure> {
        self.open(config, true)
    }

    /// The store of a state directory that is made where there is none.
    pub(crate) fn store_made(&self, config: &Config) -> Result<FileStore, Failure> {
        self.open(config, false)
    }

    /// As [`Context::store_watched`], for the stores beside it.
    pub(crate) fn options_watched(&self, config: &Config) -> FileOptions {
        self.options(config.shared_with_openclaw, true)
    }

    fn open(&self, config: &Config, watch: bool) -> Result<FileStore, Failure> {
        Ok(FileStore::open(self.options(config.shared_with_openclaw, watch), World::default())?)
    }

    fn options(&self, shared_with_openclaw: bool, watch: bool) -> FileOptions {
        let state_dir = self.state_dir.clone();
        FileOptions { state_dir, create: true, shared_with_openclaw, lock_wait: LOCK_WAIT, watch }
    }

    fn must_exist(&self) -> Result<(), Failure> {
        if self.state_dir.is_dir() {
            return Ok(());
        }
        Err(Failure::store(format!(
            "there is no state directory {}; `dmgate run` makes it, --state-dir names another",
            self.state_dir.display()
        )))
    }

    /// Under some policies an approval changes nothing; the owner should know.
    pub(crate) fn note_what_does_not_count(&mut self, config: &Config, key: &AccountKey) {
        match config.policy_of(key).dm() {
            DmPolicy::Pairing | DmPolicy::Open => {}
            DmPolicy::Allowlist => self.terminal.trouble(format!(
                "note: approved senders do not count on {key}: its policy is `allowlist`; \
                 list them in allow_from of the configuration"
            )),
            DmPolicy::Disabled => self.terminal.trouble(format!(
                "note: nobody may write to {key}: its policy is `disabled`; change dm_policy in the configuration"
            )),
        }
    }

    /// The gate as `run` has it, for one account.
    pub(crate) fn gate(&self, config: &Config, store: FileStore, key: &AccountKey) -> DmGate {
        DmGate::builder()
            .store(store)
            .world(World::default())
            .reply(config.reply.clone())
            .policy(config.fallback.clone())
            .account(key.clone(), config.policy_of(key))
            .build()
    }
}

/// Who types here, for the audit.
pub(crate) fn actor() -> Actor {
    let name = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(variable);
    let name = name.unwrap_or_else(|| rustix::process::getuid().as_raw().to_string());
    Actor { name: format!("cli:{}", dmgate::escape(&name)), surface: Surface::Local }
}

/// The account that is meant.
pub(crate) fn account_key(channel: &str, account: Option<&str>) -> Result<AccountKey, Failure> {
    Ok(AccountKey::new(
        ChannelId::parse(channel)?,
        account_id(account)?.unwrap_or_else(AccountId::default_account),
    )?)
}

/// The account that is named, if one is.
pub(crate) fn account_id(account: Option<&str>) -> Result<Option<AccountId>, Failure> {
    Ok(account.map(AccountId::parse).transpose()?)
}

fn state_dir(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(dir) = &global.state_dir {
        return absolute(dir);
    }
    if let Some(dir) = path_variable("DMGATE_STATE_DIR") {
        return absolute(&dir);
    }
    match path_variable("HOME") {
        Some(home) => Ok(home.join(".dmgate")),
        None => Err(Failure::usage("there is no home directory; name the state directory with --state-dir")),
    }
}

fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(dir).map_err(|_| Failure::usage("--state-dir must not be empty"))
}

/// A path in a variable that is set to something. It need not be UTF-8: what was named must not be taken for nothing.
fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
