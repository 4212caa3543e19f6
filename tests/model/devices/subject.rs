//! What is held against the model: the rules alone, or the store on its files.

use std::path::Path;
use std::sync::Arc;

use dmgate::device::{
    Admission, Approver, Ask, Bootstrap, Cleared, Connected, Credential, DeviceError, DeviceId,
    DeviceRequestId, DeviceStore, Devices, Grant, Role, Scopes,
};
use dmgate::pairing::Surface;
use dmgate::store::{Actor, FileOptions};
use dmgate::testing::{ManualClock, SeededEntropy};
use dmgate::{Clock as _, World};

pub(crate) enum Subject {
    Rules(Devices),
    /// Two handles, as two processes have them; the first is at work.
    Files {
        temp: tempfile::TempDir,
        stores: [DeviceStore; 2],
    },
}

pub(crate) struct Place {
    pub(crate) subject: Subject,
    pub(crate) clock: ManualClock,
    pub(crate) world: World,
}

/// Entries of another program, in each of the files.
const FOREIGN: &str = "{\n  \"theirs\": {\"of\":  \"another form\"}\n}";
const FILES: [&str; 3] = ["pending.json", "paired.json", "bootstrap.json"];

fn open(state: &Path, world: &World) -> DeviceStore {
    // Unwatched: as exact, and ending a watch takes the kernel milliseconds.
    DeviceStore::open(FileOptions { watch: false, ..FileOptions::new(state) }, world.clone()).unwrap()
}

fn actor() -> Actor {
    Actor { name: "model".into(), surface: Surface::Local }
}

impl Place {
    #[allow(clippy::disallowed_methods, reason = "files as another program writes them")]
    pub(crate) fn begin(is_files: bool) -> Self {
        let clock = ManualClock::now();
        let world = World { clock: Arc::new(clock.clone()), entropy: Arc::new(SeededEntropy::new(7)) };
        let subject = if is_files {
            let shm = Path::new("/dev/shm");
            let temp = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
            let stores = [open(temp.path(), &world), open(temp.path(), &world)];
            for name in FILES {
                std::fs::write(temp.path().join("devices").join(name), FOREIGN).unwrap();
            }
            Subject::Files { temp, stores }
        } else {
            Subject::Rules(Devices::default())
        };
        Self { subject, clock, world }
    }

    pub(crate) fn reopen(&mut self) {
        if let Subject::Files { temp, stores } = &mut self.subject {
            stores[0] = open(temp.path(), &self.world);
            stores.swap(0, 1);
        }
    }

    /// What there is now; a reader in another process finds the same.
    pub(crate) fn devices(&self) -> Devices {
        match &self.subject {
            Subject::Rules(devices) => devices.clone(),
            Subject::Files { stores, .. } => {
                let views = stores.each_ref().map(DeviceStore::view);
                assert_eq!(views[0].devices, views[1].devices);
                assert!(views[0].paired_fault.is_none() && views[0].pending_fault.is_none());
                views[0].devices.clone()
            }
        }
    }

    /// What others keep in the files is there.
    pub(crate) fn is_kept(&self) -> bool {
        let Subject::Files { temp, .. } = &self.subject else { return true };
        let read = |name| std::fs::read_to_string(temp.path().join("devices").join(name)).unwrap();
        FILES.iter().all(|name| read(name).starts_with(FOREIGN.trim_end_matches("\n}")))
    }

    pub(crate) async fn connect(&mut self, ask: Ask, shown: Credential) -> Connected {
        let (now, entropy) = (self.clock.now(), &*self.world.entropy);
        match &mut self.subject {
            Subject::Rules(devices) => devices.connect(&ask, &shown, now, entropy).unwrap(),
            Subject::Files { stores, .. } => stores[0].connect(ask, shown).await.unwrap(),
        }
    }

    pub(crate) async fn approve(&mut self, id: DeviceRequestId, by: Approver) -> Result<(), DeviceError> {
        let (now, entropy) = (self.clock.now(), &*self.world.entropy);
        match &mut self.subject {
            Subject::Rules(devices) => devices.approve(&id, &by, now, entropy).map(drop),
            Subject::Files { stores, .. } => stores[0].approve(id, by, actor()).await.map(drop),
        }
    }

    pub(crate) async fn reject(&mut self, id: DeviceRequestId, by: Approver) -> Result<(), DeviceError> {
        let now = self.clock.now();
        match &mut self.subject {
            Subject::Rules(devices) => devices.reject(&id, &by, now).map(drop),
            Subject::Files { stores, .. } => stores[0].reject(id, by, actor()).await.map(drop),
        }
    }

    pub(crate) async fn remove(&mut self, id: DeviceId, by: Approver) -> Result<(), DeviceError> {
        match &mut self.subject {
            Subject::Rules(devices) => devices.remove(&id, &by).map(drop),
            Subject::Files { stores, .. } => stores[0].remove(id, by, actor()).await.map(drop),
        }
    }

    pub(crate) async fn clear(&mut self, only: bool, by: Approver) -> Result<Cleared, DeviceError> {
        let now = self.clock.now();
        match &mut self.subject {
            Subject::Rules(devices) => devices.clear(only, &by, now),
            Subject::Files { stores, .. } => stores[0].clear(only, by, actor()).await,
        }
    }

    pub(crate) async fn rotate(
        &mut self,
        id: DeviceId,
        role: Role,
        scopes: Option<Scopes>,
        by: Approver,
    ) -> Result<Grant, DeviceError> {
        let (now, entropy) = (self.clock.now(), &*self.world.entropy);
        match &mut self.subject {
            Subject::Rules(devices) => devices.rotate(&id, role, scopes.as_ref(), &by, now, entropy),
            Subject::Files { stores, .. } => stores[0].rotate(id, role, scopes, by, actor()).await,
        }
    }

    pub(crate) async fn revoke(&mut self, id: DeviceId, role: Role, by: Approver) -> Result<(), DeviceError> {
        let now = self.clock.now();
        match &mut self.subject {
            Subject::Rules(devices) => devices.revoke(&id, role, &by, now).map(drop),
            Subject::Files { stores, .. } => stores[0].revoke(id, role, by, actor()).await.map(drop),
        }
    }

    pub(crate) async fn invite(&mut self) -> Bootstrap {
        let (now, entropy) = (self.clock.now(), &*self.world.entropy);
        match &mut self.subject {
            Subject::Rules(devices) => devices.invite(now, entropy).unwrap(),
            Subject::Files { stores, .. } => stores[0].invite(actor()).await.unwrap(),
        }
    }

    pub(crate) async fn cancel_invitations(&mut self) -> usize {
        let now = self.clock.now();
        match &mut self.subject {
            Subject::Rules(devices) => devices.cancel_invitations(now),
            Subject::Files { stores, .. } => stores[0].cancel_invitations(actor()).await.unwrap(),
        }
    }
}

/// What a device would be told now; nothing comes of it.
pub(crate) fn probe(devices: &Devices, place: &Place, ask: &Ask, shown: &Credential) -> Option<Admission> {
    let mut devices = devices.clone();
    match devices.connect(ask, shown, place.clock.now(), &*place.world.entropy).unwrap() {
        Connected::In(admission) => Some(admission),
        Connected::Pairing { .. } | Connected::Refused(_) => None,
    }
}
