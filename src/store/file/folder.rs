//! A folder of records beside the channels' files: opened, watched, and locked as those are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::FileOptions;
use super::disk::{Dir, Names};
use super::document::{Record, Records};
use super::freshness::Freshness;
use super::lock::Flock;
use super::part::{ByClock, Interrupted, Part};
use super::trouble;
use crate::clock::World;
use crate::decision::Fault;
use crate::store::StoreError;

/// One folder of the state directory.
pub(super) struct Folder {
    pub(super) options: FileOptions,
    pub(super) world: World,
    pub(super) freshness: Freshness,
    name: &'static str,
    /// Threads of this process wait here, in no time; only one of them asks for the lock on the folder, in steps.
    turn: Mutex<()>,
}

/// The folder under our lock. Programs that know no lock are noticed by [`Part::replace`].
pub(super) struct Locked<'a> {
    dir: Dir,
    _flock: Flock,
    _turn: MutexGuard<'a, ()>,
}

/// A file of the folder; trouble with it costs what rests on it, and it is not written.
pub(super) type File<T> = Result<Part<Records<T>>, Fault>;

impl Folder {
    /// Opens the folder `name`; it is made where it is missing.
    pub(super) fn open(
        options: FileOptions,
        world: World,
        name: &'static str,
    ) -> Result<Arc<Self>, StoreError> {
        let path = options.state_dir.join(name);
        for path in [&options.state_dir, &path] {
            let opened = if options.create { Dir::create_and_open(path) } else { Dir::open(path) };
            opened.map_err(|error| trouble::fault(&error))?;
        }
        let freshness = Freshness::new(path, options.watch);
        freshness.place().map_err(|error| trouble::fault(&error))?;
        Ok(Arc::new(Self { options, world, freshness, name, turn: Mutex::default() }))
    }

    /// The folder to read from.
    pub(super) fn dir(&self) -> Result<Dir, Fault> {
        let place = self.freshness.place().map_err(|error| trouble::fault(&error))?;
        Ok(place.credentials.clone())
    }

    /// The folder to change.
    pub(super) fn lock(&self) -> Result<Locked<'_>, Interrupted> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = self.dir()?;
        let waiting = ByClock(&*self.world.clock);
        let _flock = Flock::acquire(&dir, self.name, &waiting, waiting.deadline(self.options.lock_wait))?;
        Ok(Locked { dir, _flock, _turn })
    }
}

impl Locked<'_> {
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Makes these the records of a file, durably, if they are others than it has. Says whether they are.
    // INVARIANT I7: a file that can't be trusted is not written.
    pub(super) fn write<T: Record>(&self, file: &mut File<T>, values: &[T]) -> Result<bool, Interrupted> {
        let part = match file {
            Ok(part) => part,
            Err(_) if values.is_empty() => return Ok(false),
            Err(fault) => return Err(fault.clone().into()),
        };
        let changed = part.document.set(values);
        if changed {
            let bytes = part.document.to_bytes();
            part.replace(&self.dir, &bytes, Names::Sync, || Ok(()))?;
        }
        Ok(changed)
    }

    /// For an answer that says "done" also where nothing was left to do: who did it may have died before it was durable.
    pub(super) fn make_sure(&self) -> Result<(), Interrupted> {
        Ok(self.dir.sync("")?)
    }
}

/// Reads a file of the folder. Trouble that passes is trouble all the same: the next look is a new one.
pub(super) fn read<T: Record>(dir: &Dir, name: &str) -> File<T> {
    Part::read(dir, name, Records::empty(), Records::parse).map_err(|trouble| trouble.fault)
}

/// What a file says; nothing where it can't be read.
pub(super) fn values<T: Record>(file: &File<T>) -> Vec<T> {
    file.as_ref().map(|part| part.document.values()).unwrap_or_default()
}
