//! The three files about devices: what they say, what can be done without one of them, and the order they are written in.

use super::super::disk::Dir;
use super::super::document::Record;
use super::super::folder::{File, Locked, read, values};
use super::super::part::Interrupted;
use crate::decision::Fault;
use crate::device::{Bootstrap, Device, DeviceRequest, Devices};

/// What the files say at one moment.
#[derive(Clone, Debug, Default)]
pub struct DeviceView {
    /// What could be read. Where a file can't be, nothing is known of what is in it.
    pub devices: Devices,
    /// Why nobody is known to be paired: then nobody is let in, and no live session stands.
    pub paired_fault: Option<Fault>,
    /// Why nobody is known to wait.
    pub pending_fault: Option<Fault>,
    /// Why no setup code works.
    pub bootstrap_fault: Option<Fault>,
}

const PENDING: &str = "pending.json";
const PAIRED: &str = "paired.json";
const BOOTSTRAP: &str = "bootstrap.json";

/// The three files.
pub(super) struct Files {
    pending: File<DeviceRequest>,
    paired: File<Device>,
    bootstrap: File<Bootstrap>,
}

/// What an operation can't do without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Paired,
    PairedAndPending,
    PairedAndBootstrap,
    Bootstrap,
}

impl Files {
    pub(super) fn read(dir: &Dir) -> Self {
        Self { pending: read(dir, PENDING), paired: read(dir, PAIRED), bootstrap: read(dir, BOOTSTRAP) }
    }

    pub(super) fn view(&self) -> DeviceView {
        DeviceView {
            devices: Devices {
                pending: values(&self.pending),
                paired: values(&self.paired),
                bootstrap: values(&self.bootstrap),
            },
            paired_fault: self.paired.as_ref().err().cloned(),
            pending_fault: self.pending.as_ref().err().cloned(),
            bootstrap_fault: self.bootstrap.as_ref().err().cloned(),
        }
    }

    /// Whom a setup code serves is durable before anything else; who is let in is so before their code is dead, and before
    /// they wait no more; who has to leave leaves last. So what was not brought to its end can be done again.
    // INVARIANT I4: what was interrupted is wholly there or wholly absent, and harmless to be done again.
    pub(super) fn write(
        &mut self,
        locked: &Locked<'_>,
        before: &Devices,
        after: &Devices,
    ) -> Result<bool, Interrupted> {
        let is_bound = after.bootstrap.iter().any(|one| !before.bootstrap.contains(one));
        let leaves = after.paired.len() < before.paired.len();
        let mut wrote = false;
        if is_bound || leaves {
            wrote |= locked.write(&mut self.bootstrap, &after.bootstrap)?;
        }
        if !leaves {
            wrote |= locked.write(&mut self.paired, &after.paired)?;
            wrote |= locked.write(&mut self.bootstrap, &after.bootstrap)?;
        }
        wrote |= locked.write(&mut self.pending, &after.pending)?;
        wrote |= locked.write(&mut self.paired, &after.paired)?;
        Ok(wrote)
    }
}

impl Needs {
    pub(super) fn fault(self, view: &DeviceView) -> Option<&Fault> {
        let DeviceView { paired_fault, pending_fault, bootstrap_fault, .. } = view;
        match self {
            Self::Paired => paired_fault.as_ref(),
            Self::PairedAndPending => paired_fault.as_ref().or(pending_fault.as_ref()),
            Self::PairedAndBootstrap => paired_fault.as_ref().or(bootstrap_fault.as_ref()),
            Self::Bootstrap => bootstrap_fault.as_ref(),
        }
    }
}

impl DeviceView {
    pub(super) fn unreadable(fault: &Fault) -> Self {
        let fault = Some(fault.clone());
        Self {
            devices: Devices::default(),
            paired_fault: fault.clone(),
            pending_fault: fault.clone(),
            bootstrap_fault: fault,
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.paired_fault.is_none() && self.pending_fault.is_none() && self.bootstrap_fault.is_none()
    }
}

impl Record for DeviceRequest {
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl Record for Device {
    fn key(&self) -> String {
        self.device_id.to_string()
    }
}

impl Record for Bootstrap {
    fn key(&self) -> String {
        self.token.reveal().to_owned()
    }
}
