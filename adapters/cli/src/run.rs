//! `dmgate run`, from the lock on the state directory to the last turn.

pub(crate) mod channels;
mod devices;
pub(crate) mod instance;
mod keeper;
mod listen;
mod owner;
mod reload;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dmgate::store::FileStore;
use dmgate::{Agent, DmGate, Pipeline, World};
use dmgate_gateway::Gateway;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::channels::Channels;
use self::instance::Instance;
use crate::agent::Hired;
use crate::config::Config;
use crate::config::agent::AgentKind;
use crate::context::{self, Context};
use crate::failure::Failure;
use crate::log::{Format, Level, Log};

/// Runs until a signal ends it.
pub(crate) fn run(context: &mut Context) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    let log = Log::open(level(context, &config)?, format(context, &config));
    let store = context.store_watched(&config)?;
    let _instance = Instance::claim(&context.state_dir)?;
    let runtime =
        Runtime::new().map_err(|error| Failure::refused(format!("the program can't start: {error}")))?;
    let code = runtime.block_on(serve(context, config, &log, store));
    // What had to end has ended, or a second signal said that it shall not; what is left of programs is killed with its task.
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

async fn serve(
    context: &mut Context,
    config: Config,
    log: &Log,
    store: FileStore,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    let devices = devices::access(&config, context)?;
    let listener = listen::listen(&config, context).await?;
    let channels = Channels::connect(&config, &context.state_dir)?;
    let hired = Hired::without(config.secret_variables(), &config.agent)?;
    let gate = gate(&config, store);
    let desk = owner::desk(&config, context, &hired.agent, &gate)?;
    let before = desk.clone().map(|desk| Arc::new(desk) as Arc<dyn Agent>);
    let agent = before.unwrap_or_else(|| Arc::clone(&hired.agent));
    let pipeline = Pipeline::new(gate.clone(), agent, channels.adapters);
    announce(context, &config, listener.as_ref());

    let (shutdown, unplug) = (CancellationToken::new(), CancellationToken::new());
    let gateway = listener.map(|listener| {
        let mut gateway = Gateway::new(pipeline.clone());
        if let Some(webchat) = channels.webchat {
            gateway = gateway.webchat(webchat);
        }
        if let Some(devices) = devices {
            gateway = gateway.devices(devices);
        }
        if let Some(url) = config.gateway.public_url.clone() {
            gateway = gateway.public_url(url);
        }
        tokio::spawn(gateway.serve(listener, unplug.clone()))
    });
    if let Some(desk) = desk.clone() {
        let (pipeline, shutdown) = (pipeline.clone(), shutdown.clone());
        tokio::spawn(async move { desk.tell(&pipeline, shutdown).await });
    }
    let mut running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { pipeline.run(shutdown).await }
    });
    loop {
        tokio::select! {
            told = signals.next() => {
                if told == Told::Reload {
                    reload::reload(context, &config, &gate, desk.as_ref(), log);
                    continue;
                }
                if shutdown.is_cancelled() {
                    tracing::warn!("ended at once by a second signal");
                    return Ok(ExitCode::FAILURE);
                }
                tracing::info!("ending; a second signal ends at once");
                shutdown.cancel();
            }
            ended = &mut running => {
                if let Err(error) = ended {
                    return Err(Failure::refused(format!("the gate broke: {error}")));
                }
                break;
            }
        }
    }
    // Pages get their last answers before they are closed.
    unplug.cancel();
    let farewell = async {
        if let Some(gateway) = gateway {
            match gateway.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("the gateway broke: {error}"),
                Err(error) => tracing::error!("the gateway broke: {error}"),
            }
        }
        // The adapters are gone with the last of those who have them; what they started has some time to end.
        tokio::join!(hired.dismiss(), channels.programs.ended());
    };
    tokio::select! {
        () = farewell => {}
        () = signals.second_end() => return Ok(ExitCode::FAILURE),
    }
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

fn gate(config: &Config, store: FileStore) -> DmGate {
    let builder = DmGate::builder().store(store).world(World::default()).reply(config.reply.clone());
    let accounts = config.policies().into_iter();
    accounts
        .fold(builder.policy(config.fallback.clone()), |builder, (key, policy)| builder.account(key, policy))
        .build()
}

/// Where to look and what to type.
fn announce(context: &mut Context, config: &Config, listener: Option<&TcpListener>) {
    let program = match &context.global.state_dir {
        Some(dir) => format!("{} --state-dir {}", own_name(), dir.display()),
        None => own_name(),
    };
    let (dir, file) = (context.state_dir.display(), context.sources.path.display());
    let mut lines = vec![format!("dmgate {} keeps its state in {dir}", env!("CARGO_PKG_VERSION"))];
    if let (Some(_), Some(address)) =
        (config.web_chat(), listener.and_then(|listener| listener.local_addr().ok()))
    {
        lines.push(format!("Write to it at           http://{address}/chat"));
    }
    lines.push(format!("See who wrote first with {program} pairing list"));
    lines.push(format!("Let them in with         {program} pairing approve CODE"));
    if config.agent.kind == AgentKind::Echo {
        lines.push(format!("An echo answers; name your own agent in [agent] of {file}"));
    }
    for line in lines {
        context.terminal.line(line);
    }
    context.terminal.flush();
}

/// What the owner types to call us: our name where the shell finds it, else where we are.
fn own_name() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&path).any(|folder| folder.join("dmgate").is_file());
    match std::env::current_exe() {
        Ok(own) if !is_found => own.display().to_string(),
        _ => "dmgate".to_owned(),
    }
}

/// How much is logged: what was typed goes before the environment, that before the configuration.
fn level(context: &Context, config: &Config) -> Result<Level, Failure> {
    if let Some(level) = context.global.log_level {
        return Ok(level);
    }
    match context::variable("DMGATE_LOG") {
        None => Ok(config.log_level.unwrap_or(Level::Info)),
        Some(word) => {
            Level::WORDS.iter().find(|(name, _)| *name == word).map(|(_, level)| *level).ok_or_else(|| {
                Failure::usage("DMGATE_LOG: choose `error`, `warn`, `info`, `debug` or `trace`")
            })
        }
    }
}

fn format(context: &Context, config: &Config) -> Format {
    context.global.log_format.or(config.log_format).unwrap_or(Format::Text)
}

/// The signals that are listened to.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::refused(format!("signals can't be had: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// What the next signal says.
    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::End,
            _ = self.terminate.recv() => Told::End,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// Waits until we are told to end, once more.
    async fn second_end(&mut self) {
        while self.next().await != Told::End {}
    }
}

/// What a signal says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// End; the second one, at once.
    End,
    /// Read the configuration again.
    Reload,
}
