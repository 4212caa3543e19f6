//! What the whole program costs: a command from its start to its end, and `dmgate run` while nothing happens.
//!
//! `cargo bench -p dmgate-cli --bench process` prints two tables of one run, beside the bars. It takes a minute, in which
//! the running programs are left alone: each time that a thread of theirs goes back to sleep was a wake-up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark, which measures with the machine's clock"
)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dmgate_test_peers::{Ngircd, Platform, Process, TelegramEmulator, free_port, stand_ins};
use wait4::Wait4 as _;

/// What owners and scripts type.
const COMMANDS: [&str; 5] =
    ["admit telegram 42", "admit telegram 7", "pairing list", "explain telegram 42", "allow list telegram"];

/// Calls of each.
const CALLS: usize = 51;

/// What a call may take.
const CALL: (f64, f64) = (10.0, 8.0);

/// MiB that `dmgate run` may take while it idles, with a channel or three, and with every channel there is.
const IDLE: f64 = 12.0;
const CROWDED: f64 = 40.0;

/// How long it is left alone.
const ALONE: Duration = Duration::from_secs(60);

fn main() {
    println!("{:34} {:>8} {:>8}", "a call", "ms", "MiB");
    let dir = tempfile::tempdir().unwrap();
    for line in ["allow add telegram 42", "admit telegram 7"] {
        let _ = call(dir.path(), line);
    }
    for line in COMMANDS {
        let (mut times, sizes): (Vec<f64>, Vec<f64>) = (0..CALLS).map(|_| call(dir.path(), line)).unzip();
        times.sort_unstable_by(f64::total_cmp);
        let (time, size) = (times.get(CALLS / 2).copied().unwrap(), sizes.into_iter().fold(0.0, f64::max));
        println!("{line:34} {time:>8.2} {size:>8.2}   {}", met(time <= CALL.0 && size <= CALL.1));
    }
    println!("the middle of {CALLS} times, the largest size; the bar is {} ms and {} MiB\n", CALL.0, CALL.1);
    idle();
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "NOT MET" }
}

/// One call: milliseconds, and the most memory in MiB.
fn call(dir: &Path, line: &str) -> (f64, f64) {
    let begin = Instant::now();
    let mut command = dmgate(dir);
    command.args(line.split(' ')).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let used = command.spawn().unwrap().wait4().unwrap();
    (begin.elapsed().as_secs_f64() * 1e3, used.rusage.maxrss as f64 / (1 << 20) as f64)
}

/// `dmgate run` with each channel alone and with all of them, at the same time, while nothing happens.
fn idle() {
    let (telegram, irc) = (TelegramEmulator::start("111:x"), Ngircd::start());
    let (host, port) = (irc.addr.ip(), irc.addr.port());
    let webchat = || format!("[gateway]\nlisten = '127.0.0.1:{}'\n[channels.webchat]\n", free_port());
    let telegram = format!("[channels.telegram]\ntoken = '111:x'\napi_base = '{}'\n", telegram.base_url());
    let irc = |nick: &str| {
        format!(
            "[channels.irc]\nhost = '{host}'\nport = {port}\ntls = false\nnick = '{nick}'\nidentity = 'hostmask'\n"
        )
    };
    let three = webchat() + &telegram + &irc("both");
    let everyone = stand_ins::everyone();
    let running = [
        ("web chat", webchat(), IDLE),
        ("Telegram", telegram, IDLE),
        ("IRC", irc("gate"), IDLE),
        ("all three", three, IDLE),
        ("every channel", webchat_and(&everyone), CROWDED),
    ]
    .map(|(name, config, bar)| (name, Running::start(&config), bar));
    // What they do at first is over when the peers have answered.
    std::thread::sleep(ALONE / 10);
    let before = running.each_ref().map(|(_, running, _)| running.sleeps());
    std::thread::sleep(ALONE);
    println!("{:34} {:>8} {:>8} {:>8}", "`dmgate run`, idle", "wake-ups", "threads", "MiB");
    for ((name, running, bar), before) in running.iter().zip(before) {
        // Threads that ended meanwhile take what they slept with them.
        let sleeps: u64 = running.sleeps().iter().map(|(id, now)| now - before.get(id).unwrap_or(&0)).sum();
        let size = running.field("status", "VmHWM:") as f64 / 1_024.0;
        let threads = running.field("status", "Threads:");
        println!("{name:34} {sleeps:>8} {threads:>8} {size:>8.2}   {}", met(size <= *bar));
    }
    println!(
        "wake-ups in {} s, the most memory since the start; the bar is {IDLE} MiB, and {CROWDED} MiB with every channel",
        ALONE.as_secs()
    );
}

/// The web chat, and all of these.
fn webchat_and(platforms: &[Box<dyn Platform>]) -> String {
    let address = format!("127.0.0.1:{}", free_port());
    let channels = platforms.iter().map(|it| format!("[channels.{}]\n{}", it.channel(), it.settings()));
    let channels: String = channels.collect();
    format!(
        "[gateway]\nlisten = '{address}'\npublic_url = 'http://{address}'\n[channels.webchat]\n{channels}"
    )
}

/// A running program.
struct Running {
    process: Process,
    _dir: tempfile::TempDir,
}

impl Running {
    fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("dmgate.toml"), config).unwrap();
        let mut process = Process::spawn("dmgate run", dmgate(dir.path()).arg("run"));
        let mut awaited = config.matches("[channels.").count();
        while awaited > 0 {
            let is_wanted = |line: &str| {
                line.contains("listening") || line.contains("receiving") && !line.contains("not receiving")
            };
            process.await_line(is_wanted);
            awaited -= 1;
        }
        Self { process, _dir: dir }
    }

    /// How often each of its threads went to sleep so far.
    fn sleeps(&self) -> HashMap<String, u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let ids = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
        let of = |id: &str| self.field(&format!("task/{id}/status"), "voluntary_ctxt_switches:");
        ids.map(|id| (id.clone(), of(&id))).collect()
    }

    fn field(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

fn dmgate(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgate"));
    command.env_clear().env("HOME", dir).arg("--state-dir").arg(dir);
    command
}
