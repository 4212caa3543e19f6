//! Plays `disk.rs` and `watch.rs`, and the kernel below them: a path leads to a directory, a directory holds one file, and
//! each lane has a queue of events. What was done is there to be read first, then the event is put into one queue after
//! the other, and then the call returns.

use std::cell::Cell;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

pub const LANES: usize = 2;

/// The one file.
pub const NAME: &str = "file";

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel::default();
}

loom::thread_local! {
    static LANE: Cell<usize> = Cell::new(0);
}

#[derive(Default)]
struct Kernel {
    /// Where the path leads to.
    directory: AtomicUsize,
    /// Of the file in each directory: the number of its last change.
    contents: [AtomicU64; 2],
    queues: [Mutex<Queue>; LANES],
}

#[derive(Default)]
struct Queue {
    watched: Option<usize>,
    events: Vec<Event>,
    told: Told,
    listeners: Vec<Waker>,
}

/// How often who listens was told that something came in.
pub type Told = u64;

#[derive(Clone, Copy)]
enum Event {
    Written,
    Replaced,
    /// A watch was taken off.
    Ignored,
}

/// Writes the file.
pub fn write(change: u64) {
    let directory = KERNEL.directory.load(Ordering::Acquire);
    KERNEL.contents[directory].store(change, Ordering::Release);
    tell(directory, Event::Written);
}

/// Puts another directory in the place, with another file.
pub fn replace(change: u64) {
    let directory = KERNEL.directory.load(Ordering::Acquire);
    KERNEL.contents[directory + 1].store(change, Ordering::Release);
    KERNEL.directory.store(directory + 1, Ordering::Release);
    tell(directory, Event::Replaced);
}

fn tell(directory: usize, event: Event) {
    for queue in &KERNEL.queues {
        let mut queue = queue.lock().unwrap();
        let is_told = queue.watched == Some(directory);
        let listeners = if is_told { queue.put(event) } else { Vec::new() };
        drop(queue);
        listeners.into_iter().for_each(Waker::wake);
    }
}

impl Queue {
    /// Puts an event in; who listens is to be woken.
    fn put(&mut self, event: Event) -> Vec<Waker> {
        self.events.push(event);
        self.told += 1;
        std::mem::take(&mut self.listeners)
    }
}

/// Begins to listen to the first queue. What is in it already is told at once.
pub fn listen() -> Told {
    let queue = KERNEL.queues[0].lock().unwrap();
    queue.told - u64::from(!queue.events.is_empty())
}

/// Ready when more was told, and nobody has taken it.
pub fn poll_told(cleared: Told, context: &Context<'_>) -> Poll<Told> {
    let mut queue = KERNEL.queues[0].lock().unwrap();
    if queue.told > cleared && !queue.events.is_empty() {
        return Poll::Ready(queue.told);
    }
    queue.listeners.push(context.waker().clone());
    Poll::Pending
}

#[derive(Clone, Debug)]
pub struct Dir(usize);

#[derive(Debug)]
pub struct DirError;

impl Dir {
    pub fn open(_path: &Path) -> Result<Self, DirError> {
        Ok(Self(KERNEL.directory.load(Ordering::Acquire)))
    }

    pub fn still_at_path(&self) -> bool {
        KERNEL.directory.load(Ordering::Acquire) == self.0
    }

    pub fn read(&self) -> u64 {
        KERNEL.contents[self.0].load(Ordering::Acquire)
    }
}

#[derive(Clone, Copy)]
pub struct Lane(usize);

impl Lane {
    pub const FIRST: Self = Self(0);

    pub fn of_this_thread() -> Self {
        Self(LANE.with(Cell::get))
    }

    /// This thread looks at this one.
    pub fn choose(lane: usize) {
        LANE.with(|chosen| chosen.set(lane));
    }
}

pub struct Watch {
    is_over: AtomicBool,
}

#[derive(PartialEq, Eq)]
pub enum Peek {
    Quiet,
    Pending,
    Lost,
}

pub enum Changes {
    Names(Vec<String>),
    Everything,
    Replaced,
}

#[derive(Debug)]
pub enum WatchError {
    NotWanted,
    Moved,
}

impl WatchError {
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::NotWanted)
    }
}

impl Watch {
    pub fn open() -> Result<Self, WatchError> {
        Ok(Self { is_over: true.into() })
    }

    pub fn aim(&self, dir: &Dir) -> Result<(), WatchError> {
        self.is_over.store(true, Ordering::Release);
        let watch = |what: Option<usize>| {
            for queue in &KERNEL.queues {
                let mut queue = queue.lock().unwrap();
                let last = std::mem::replace(&mut queue.watched, what);
                let listeners = last.map_or_else(Vec::new, |_| queue.put(Event::Ignored));
                drop(queue);
                listeners.into_iter().for_each(Waker::wake);
            }
        };
        watch(Some(dir.0));
        if !dir.still_at_path() {
            watch(None);
            return Err(WatchError::Moved);
        }
        self.is_over.store(false, Ordering::Release);
        Ok(())
    }

    pub fn peek(&self, lane: Lane) -> Peek {
        if self.is_over.load(Ordering::Acquire) {
            Peek::Lost
        } else if KERNEL.queues[lane.0].lock().unwrap().events.is_empty() {
            Peek::Quiet
        } else {
            Peek::Pending
        }
    }

    pub fn drain(&self) -> Changes {
        let mut names = Vec::new();
        for queue in &KERNEL.queues {
            let events = std::mem::take(&mut queue.lock().unwrap().events);
            for event in events {
                match event {
                    Event::Written => names.push(NAME.to_owned()),
                    Event::Ignored => {}
                    Event::Replaced => self.is_over.store(true, Ordering::Release),
                }
            }
        }
        if self.is_over.load(Ordering::Acquire) { Changes::Replaced } else { Changes::Names(names) }
    }
}

/// Any descriptor: only which queue it stands for is of interest.
impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        static ANY: LazyLock<File> = LazyLock::new(|| File::open("/dev/null").unwrap());
        ANY.as_fd()
    }
}

impl std::fmt::Display for WatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}
