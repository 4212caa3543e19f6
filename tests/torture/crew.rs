//! The processes at work, and the one stream in which they say what they do.
//!
//! They share one pipe: a line that was written before another one was begun comes before it, whoever wrote them. What
//! the ledger is told is thus in an order that really was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, PipeWriter, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use dmgate::store::Store;
use rustix::process::{Pid, Signal, kill_process};

use crate::child;
use crate::ledger::{ANSWERS, Answer, DEEDS, Deed, ERA, Ledger, Standing};
use crate::worker::{accounts, everyone, live_in_the_file, open, waiting};

pub(crate) struct Crew {
    state: PathBuf,
    pub(crate) clock: PathBuf,
    /// `None` is one that was killed.
    workers: Vec<Option<Child>>,
    said: Receiver<String>,
    say: PipeWriter,
    pub(crate) ledger: Ledger,
    /// What each is doing.
    doing: BTreeMap<u8, Deed>,
    /// How often something was changed, and what.
    pub(crate) changes: BTreeMap<Deed, usize>,
    /// How often somebody was killed while doing what.
    pub(crate) cut_off: BTreeMap<Deed, usize>,
    marks: usize,
}

/// A quarter of them are strangers who knock, half are owners, and a quarter only look.
pub(crate) const WORKERS: u8 = 8;

/// Who looks from here, at three things at a time.
const LOOKS: [(u8, Deed); 3] = [(100, Deed::IsAllowed), (101, Deed::IsBlocked), (102, Deed::IsWaiting)];

impl Crew {
    /// Everyone begins to work in `state`; `clock` is the file whose length is the time that went by.
    pub(crate) fn start(state: &Path, clock: &Path) -> Self {
        std::fs::File::create(clock).unwrap();
        let (heard, say) = std::io::pipe().unwrap();
        let (lines, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(heard).lines() {
                // Nobody wants to know any more once the test is over.
                let _ = lines.send(line.unwrap());
            }
        });
        let mut crew = Self {
            state: state.to_owned(),
            clock: clock.to_owned(),
            workers: Vec::new(),
            said,
            say,
            ledger: Ledger::default(),
            doing: BTreeMap::new(),
            changes: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            marks: 0,
        };
        crew.workers = (0..WORKERS).map(|number| Some(crew.worker(number))).collect();
        crew
    }

    fn worker(&self, number: u8) -> Child {
        let settings = [
            ("DMGATE_TEST_NUMBER", number.to_string()),
            ("DMGATE_TEST_CLOCK", self.clock.to_str().unwrap().to_owned()),
        ];
        let mut command = child::command("worker::works", &self.state, &settings);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.say.try_clone().unwrap());
        command.spawn().unwrap()
    }

    /// Hears what they say until so many changes more are acknowledged.
    pub(crate) fn follow(&mut self, changes: usize) {
        let so_far = |crew: &Self| crew.changes.values().sum::<usize>();
        let enough = so_far(self) + changes;
        while so_far(self) < enough {
            let line = self.said.recv().unwrap();
            self.hear(&line);
        }
    }

    /// Hears everything that was said up to now, and after each line `then` of the sender that it is about.
    pub(crate) fn catch_up(&mut self, mut then: impl FnMut(&Ledger, &str)) {
        self.marks += 1;
        let mark = format!("mark {}", self.marks);
        self.say.write_all(format!("{mark}\n").as_bytes()).unwrap();
        loop {
            let line = self.said.recv().unwrap();
            if line == mark {
                return;
            }
            let sender = self.hear(&line);
            then(&self.ledger, &sender);
        }
    }

    fn hear(&mut self, line: &str) -> String {
        let heard = self.note(line);
        heard.unwrap_or_else(|trouble| {
            // The rest of a panic, if that is what it is.
            let rest: Vec<String> =
                self.said.try_iter().filter(|line| !line.contains(" begins ")).take(10).collect();
            panic!("{trouble}\n{rest:#?}");
        })
    }

    fn note(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split(' ').collect();
        let strange = || format!("somebody said: {line}");
        let [who, verb, what, sender] = words[..] else { return Err(strange()) };
        let who: u8 = who.parse().map_err(|_| strange())?;
        if verb == "begins" {
            let deed = DEEDS.into_iter().find(|deed| format!("{deed:?}") == what).ok_or_else(strange)?;
            self.ledger.begins(who, deed, sender);
            self.doing.insert(who, deed);
        } else {
            let answer =
                ANSWERS.into_iter().find(|answer| format!("{answer:?}") == what).ok_or_else(strange)?;
            self.ledger.ends(who, sender, answer)?;
            let deed = self.doing.remove(&who).ok_or_else(strange)?;
            if deed.changes(answer) {
                *self.changes.entry(deed).or_default() += 1;
            }
        }
        Ok(sender.to_owned())
    }

    /// Who holds the lock of the channel just now.
    pub(crate) fn holder(&self) -> Option<u8> {
        let lock = std::fs::read(self.state.join("credentials/alpha-pairing.json.lock")).ok()?;
        let pid = serde_json::from_slice::<serde_json::Value>(&lock).ok()?["pid"].as_u64()?;
        let is_it =
            |worker: &Option<Child>| worker.as_ref().is_some_and(|worker| u64::from(worker.id()) == pid);
        self.workers.iter().position(is_it).and_then(|number| u8::try_from(number).ok())
    }

    /// SIGKILL, whatever it is doing; all stop where they are, and the others go on at [`Crew::go_on`]. What was said
    /// before is heard, and of the one that died nothing comes after it.
    pub(crate) fn kill(&mut self, number: u8) {
        self.stop();
        let mut worker = self.workers[usize::from(number)].take().unwrap();
        worker.kill().unwrap();
        let ended = worker.wait().unwrap();
        assert!(ended.signal() == Some(Signal::KILL.as_raw()), "{number} ended before: {ended}");
        self.catch_up(|_, _| ());
        self.ledger.dies(number);
        if let Some(deed) = self.doing.remove(&number) {
            *self.cut_off.entry(deed).or_default() += 1;
        }
    }

    pub(crate) fn start_again(&mut self, number: u8) {
        self.workers[usize::from(number)] = Some(self.worker(number));
    }

    /// All of them at once are killed, and begin anew in another era.
    pub(crate) fn next_era(&mut self) {
        (0..WORKERS).for_each(|number| self.kill(number));
        self.look();
        let clock = std::fs::OpenOptions::new().write(true).open(&self.clock).unwrap();
        let ahead = clock.metadata().unwrap().len() + u64::try_from(ERA.as_millis()).unwrap();
        clock.set_len(ahead).unwrap();
        self.ledger.next_era();
        self.look();
        (0..WORKERS).for_each(|number| self.start_again(number));
    }

    /// Nobody does anything, until [`Crew::go_on`].
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        for worker in self.workers.iter().flatten() {
            kill_process(Pid::from_child(worker), signal).unwrap();
        }
    }

    /// Opens the files anew and holds what they say against what everybody was told.
    pub(crate) fn look(&mut self) {
        self.catch_up(|_, _| ());
        let everyone = everyone();
        for (_, _, sender) in &everyone {
            LOOKS.iter().for_each(|(who, deed)| self.ledger.begins(*who, *deed, sender));
        }
        let seen = Seen::of(&self.state, &self.clock);
        self.catch_up(|_, _| ());
        for (_, _, sender) in &everyone {
            for ((who, _), is_in) in LOOKS.iter().zip([&seen.allowed, &seen.blocked, &seen.waiting]) {
                let answer = if is_in.contains(sender) { Answer::Yes } else { Answer::No };
                self.ledger.ends(*who, sender, answer).unwrap_or_else(|trouble| panic!("{trouble}"));
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in self.workers.iter_mut().flatten() {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// What is found by who opens the files anew.
#[derive(Debug)]
pub(crate) struct Seen {
    allowed: BTreeSet<String>,
    blocked: BTreeSet<String>,
    waiting: BTreeSet<String>,
}

impl Seen {
    pub(crate) fn of(state: &Path, clock: &Path) -> Self {
        let gate = open(state, clock);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seen = runtime.block_on(Self::in_store(gate.store()));
        assert!(live_in_the_file(state, clock) <= 3, "I3");
        seen
    }

    async fn in_store(store: &Arc<dyn Store>) -> Self {
        let requests = waiting(store).await;
        let waiting = requests.iter().map(|request| format!("{}/{}", request.account, request.id)).collect();
        let (mut allowed, mut blocked) = (BTreeSet::new(), BTreeSet::new());
        for key in accounts() {
            let named = |id: &dyn std::fmt::Display| format!("{}/{id}", key.account());
            allowed.extend(store.allowed(&key).await.unwrap().iter().map(|id| named(id)));
            blocked.extend(store.blocked(&key).await.unwrap().iter().map(|id| named(id)));
        }
        Self { allowed, blocked, waiting }
    }

    /// Whether this is how the sender stands.
    pub(crate) fn is(&self, sender: &str, standing: &Standing) -> bool {
        self.allowed.contains(sender) == standing.allowed
            && self.blocked.contains(sender) == standing.blocked
            && self.waiting.contains(sender) == standing.waits()
    }
}
