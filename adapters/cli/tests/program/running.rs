//! `dmgate run`: from its first line to its last.

use std::io::{BufRead, BufReader, Lines, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::place::Place;
use crate::visitor::Visitor;

/// The program, running.
pub(crate) struct Running {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    log: Lines<BufReader<ChildStderr>>,
}

/// A configuration that listens wherever there is room.
pub(crate) const ANYWHERE: &str = "[gateway]\nlisten = '127.0.0.1:0'\n";

impl Running {
    pub(crate) fn start(place: &Place, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut program = place.program();
        program.arg("run").args(words).envs(variables.iter().copied());
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, out, log }
    }

    /// The first line of the log with this text in it.
    pub(crate) fn logged(&mut self, text: &str) -> String {
        self.log
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("no {text:?}"))
    }

    /// The first line on stdout with this text in it.
    fn said(&mut self, text: &str) -> String {
        self.out
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("no {text:?}"))
    }

    /// Somebody on its page.
    pub(crate) fn visitor(&mut self) -> Visitor {
        let line = self.said("/chat");
        Visitor::new(line.split_once("http://").unwrap().1.strip_suffix("/chat").unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// How it ended, and the rest of its log.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let rest: Vec<String> = self.log.by_ref().map(Result::unwrap).collect();
        (self.child.wait().unwrap(), rest.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_where_to_look_and_ends_cleanly() {
    let place = Place::new();
    let mut running = Running::start(&place, &[], &[("DMGATE_GATEWAY__LISTEN", "127.0.0.1:0")]);
    let url = running.said("/chat");
    running.said("dmgate pairing list");
    running.said("dmgate pairing approve CODE");
    running.said("echo");
    let address = url.split_once("http://").unwrap().1.strip_suffix("/chat").unwrap().to_owned();
    let mut page = TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(
        &mut page,
        format!("GET /chat HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )
    .unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    running.signal(Signal::INT);
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("ended"), "{log}");
    use std::os::unix::fs::PermissionsExt;
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(place.state()), mode(place.state().join("dmgate.pid"))), (0o700, 0o600));
}

#[test]
fn a_bridge_has_time_to_put_away_what_it_holds() {
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    // Told to end, it has a lot to do before it does.
    let script = r#"exec 3<>/dev/tcp/127.0.0.1/$0; read -r hello
        echo '{"jsonrpc":"2.0","id":1,"result":{"protocol":1,"state":"ready"}}'; while read -r line; do :; done
        for turn in {1..500}; do echo $turn >&3; read -r heard <&3; done; echo away >&3"#;
    let bridge = format!("bridge = ['bash', '-c', '''{script}''', '{}']", far.local_addr().unwrap().port());
    let place = Place::with_config(&format!("{ANYWHERE}[channels.zalouser]\n{bridge}\n"));
    let mut running = Running::start(&place, &[], &[]);
    let mut writer = far.accept().unwrap().0;
    let mut lines = BufReader::new(writer.try_clone().unwrap()).lines();
    running.logged("receiving");
    running.signal(Signal::TERM);
    let mut last = String::new();
    while last != "away" {
        last = lines.next().unwrap_or_else(|| panic!("it was killed after {last:?}")).unwrap();
        let _ = std::io::Write::write_all(&mut writer, b"go on\n");
    }
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn there_is_one_per_state_directory() {
    let place = Place::with_config(ANYWHERE);
    let mut running = Running::start(&place, &[], &[]);
    running.logged("listening");
    let said = place.fails(3, "run");
    assert!(said.contains(&format!("pid {}", running.child.id())), "{said}");
    assert!(place.run(&["doctor"]).out.contains(&format!("is running, pid {}", running.child.id())));
    place.ok("allow add telegram 5");
    running.signal(Signal::KILL);
    let (status, _) = running.ended();
    assert_eq!(status.code(), None);
    let mut next = Running::start(&place, &[], &[]);
    next.logged("listening");
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new();
    let done = place.run_with(&["run"], &[("DMGATE_GATEWAY__LISTEN", &address)]);
    assert_eq!((done.code, done.err.lines().count()), (1, 1), "{done:?}");
    assert!(done.err.contains(&address) && done.err.contains("DMGATE_GATEWAY__LISTEN="), "{}", done.err);
}

#[test]
fn a_hang_up_reads_the_configuration_again() {
    let place = Place::with_config(ANYWHERE);
    let mut running = Running::start(&place, &["--log-format", "json"], &[]);
    running.logged("listening");

    place.configure(&format!("{ANYWHERE}[chanels.telegram]\n"));
    running.signal(Signal::HUP);
    let refused = running.logged("stays in force");
    assert!(refused.contains("did you mean `channels`?"), "{refused}");
    let line: serde_json::Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(line["level"], "ERROR");

    place.configure(&format!(
        "{ANYWHERE}[channels.webchat]\ndm_policy = 'disabled'\n[log]\nlevel = 'debug'\n"
    ));
    running.signal(Signal::HUP);
    running.logged("are in force");

    place.configure("[gateway]\nlisten = '127.0.0.1:1'\n[agent]\ntimeout = '1s'\n");
    running.signal(Signal::HUP);
    running.logged("[agent] changed, which needs a restart");
    running.logged("[gateway] changed, which needs a restart");
    running.logged("are in force");
    running.signal(Signal::TERM);
    assert_eq!(running.ended().0.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // An agent whose program does not end when its input does.
    let place = Place::with_config(&format!(
        "{ANYWHERE}[agent]\nkind = 'command'\ncommand = ['sh', '-c', 'echo $$ is here >&2; exec sleep 1000']\n"
    ));
    let mut running = Running::start(&place, &[], &[]);
    let line = running.logged(" is here");
    let pid = line.split("agent: ").nth(1).unwrap().split(' ').next().unwrap();
    running.signal(Signal::TERM);
    running.logged("ending");
    running.signal(Signal::TERM);
    assert_eq!(running.ended().0.code(), Some(1));
    // It was killed with us; the kernel may take a moment to see it through.
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_gone = || stat().is_empty() || stat().contains(") Z ");
    for _ in 0..100 {
        if is_gone() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the agent's program did not go with it: {}", stat());
}

#[test]
fn i12_an_agents_program_gets_none_of_our_settings() {
    let place = Place::with_config(&format!(
        "{ANYWHERE}[agent]\nkind = 'command'\ncommand = ['sh', '-c', 'env >&2; echo done >&2; exec cat >/dev/null']\n"
    ));
    let mut running = Running::start(&place, &[], &[("DMGATE_GATEWAY__TOKEN", "hush")]);
    for line in running.log.by_ref().map(Result::unwrap).take_while(|line| !line.contains("agent: done")) {
        assert!(!line.contains("hush"), "{line}");
    }
    running.signal(Signal::TERM);
    assert_eq!(running.ended().0.code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_does_not_end_it() {
    let place = Place::with_config(ANYWHERE);
    let mut running = Running::start(&place, &["--log-level", "debug"], &[]);
    running.said("/chat");
    let Running { child, .. } = &mut running;
    let id = child.id();
    running.log = BufReader::new(spare()).lines();
    kill_process(Pid::from_raw(id.cast_signed()).unwrap(), Signal::HUP).unwrap();
    running.signal(Signal::TERM);
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

/// A pipe whose other end is closed.
fn spare() -> ChildStderr {
    let mut child = std::process::Command::new("true").stderr(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    child.stderr.take().unwrap()
}

#[test]
fn a_visitor_is_let_in_from_the_command_line_and_shut_out_again() {
    let place = Place::with_config(&format!(
        "{ANYWHERE}[agent]\nkind = 'command'\ncommand = ['sh', '-c', '''
         while read -r line; do echo '{{\"replies\":[\"one\",\"two\"]}}'; done''']\n"
    ));
    let mut running = Running::start(&place, &[], &[]);
    let mut ann = running.visitor();
    ann.write("hello");
    let challenge = ann.reads();
    let line = running.logged("a new sender gets a code");
    let code = challenge.split("approve webchat ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(line.contains("`dmgate pairing list webchat`") && !line.contains(code), "{line}");

    let said = place.ok(&format!("pairing approve {code} --notify"));
    let id = said.lines().next().unwrap().rsplit(' ').next().unwrap().trim_end_matches('.').to_owned();
    assert!(ann.reads().contains("let you in"));
    ann.write("hello again");
    assert_eq!((ann.reads(), ann.reads()), ("one".to_owned(), "two".to_owned()));

    place.ok(&format!("allow remove webchat {id}"));
    ann.write("still there?");
    assert_eq!(place.ok("pairing list"), "No pending pairing requests.\n", "the hour goes on");
    place.ok(&format!("allow add webchat {id}"));
    ann.write("and now?");
    assert_eq!(ann.reads(), "one");
    running.signal(Signal::TERM);
    assert_eq!(running.ended().0.code(), Some(0));
}

#[test]
fn i7_policies_change_with_a_hang_up_and_stay_when_their_section_goes() {
    let place = Place::with_config(&format!("{ANYWHERE}[channels.webchat]\n"));
    let mut running = Running::start(&place, &[], &[]);
    let mut ann = running.visitor();
    let mut turn = |config: &str| {
        place.configure(&format!("{ANYWHERE}{config}"));
        running.signal(Signal::HUP);
        running.logged("are in force");
    };

    turn("[channels.webchat]\ndm_policy = 'disabled'\n");
    ann.write("hello");
    assert_eq!(place.ok("pairing list"), "No pending pairing requests.\n");

    turn("[channels.telegram]\ntoken = '1:x'\n");
    ann.write("hello");
    assert_eq!(
        place.ok("pairing list"),
        "No pending pairing requests.\n",
        "what is connected keeps its policy"
    );

    turn("[channels.webchat]\n[reply]\ntext = 'your code: {code}'\n");
    ann.write("hello");
    assert!(ann.reads().starts_with("your code: "));

    turn("[channels.webchat]\ndm_policy = 'open'\nallow_from = ['*']\n");
    ann.write("echo, please");
    assert_eq!(ann.reads(), "echo, please");
}
