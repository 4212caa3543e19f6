//! What `doctor` says about `devices/` and `nodes/`.

use std::path::Path;

use super::{AS_IT_SAYS, Level, Report, Role, role_of};
use crate::clock::Timestamp;
use crate::device::{Bootstrap, Device, DeviceRequest, NodeRequest, PairedNode};
use crate::store::file::disk::{Dir, DirError};
use crate::store::file::document::{Record, Records};
use crate::store::file::trouble;

/// What a damaged file costs.
const NO_DEVICE: &str = "until then no device is let in";
const NO_REQUEST: &str = "until then no device is approved, and none can ask";
const NO_CODE: &str = "until then no setup code works";
const NO_NODE: &str = "until then no node record is made or changed";

impl Report {
    pub(super) fn devices(&mut self, state: &Path) {
        let Some(dir) = self.folder(&state.join("devices")) else { return };
        self.records(&dir, "pending.json", NO_REQUEST, |it: &DeviceRequest| it.asked_at);
        self.records(&dir, "bootstrap.json", NO_CODE, |it: &Bootstrap| it.made_at);
        let devices = self.records(&dir, "paired.json", NO_DEVICE, |it: &Device| it.approved_at);
        let path = dir.path().join("paired.json");
        let others_key = devices.iter().filter(|device| device.public_key.device_id() != device.device_id);
        let count = others_key.count();
        if count > 0 {
            let problem =
                format!("{count} devices have another key than that of their id, and are not let in");
            self.say(
                Level::Warning,
                &path,
                &problem,
                "run `dmgate devices remove` with their id, and pair them anew",
            );
        }
        let is_wide = |device: &&Device| {
            let approved = device.approved();
            device.tokens.keys().filter_map(|role| device.grant(*role)).any(|it| !approved.cover(&it.scopes))
        };
        let count = devices.iter().filter(is_wide).count();
        if count > 0 {
            let problem = format!(
                "{count} devices have a token with more rights than were approved; only those approved count"
            );
            let mend = "run `dmgate devices rotate` for them, and look which program gave them more";
            self.say(Level::Warning, &path, &problem, mend);
        }
    }

    pub(super) fn nodes(&mut self, state: &Path) {
        let Some(dir) = self.folder(&state.join("nodes")) else { return };
        self.records(&dir, "pending.json", NO_NODE, |it: &NodeRequest| it.asked_at);
        self.records(&dir, "paired.json", NO_NODE, |it: &PairedNode| it.approved_at);
    }

    /// A folder that may be missing: its modes, its locks, and what was left behind in it.
    fn folder(&mut self, path: &Path) -> Option<Dir> {
        let dir = match Dir::open(path) {
            Ok(dir) => dir,
            Err(DirError::Missing { .. }) => return None,
            Err(error) => {
                self.say(Level::Error, path, trouble::fault(&error).detail(), AS_IT_SAYS);
                return None;
            }
        };
        self.directory(&dir);
        for name in dir.list().unwrap_or_default() {
            match role_of(&name) {
                Role::Sidecar => self.sidecar(&dir, &name),
                Role::Leftover => self.leftover(&path.join(name)),
                Role::Pending | Role::Allowed(_) | Role::Journal | Role::Other => {}
            }
        }
        Some(dir)
    }

    /// The records of a file, as far as they can be used.
    fn records<T: Record>(
        &mut self,
        dir: &Dir,
        name: &str,
        cost: &str,
        at: impl Fn(&T) -> Timestamp,
    ) -> Vec<T> {
        let path = dir.path().join(name);
        let Some(contents) = self.contents(dir, name) else { return Vec::new() };
        let records = match Records::<T>::parse(&contents) {
            Ok(records) => records,
            Err(error) => {
                self.damaged(&path, &format!("{error}; {cost}"));
                return Vec::new();
            }
        };
        if records.strange() > 0 {
            let problem = format!(
                "{} entries have a form that dmgate does not know, or another id than the one that they stand under; they \
                 count for nothing, and stay",
                records.strange()
            );
            self.say(
                Level::Warning,
                &path,
                &problem,
                "correct them by hand, or remove them and pair those devices anew",
            );
        }
        let values = records.values();
        if values.iter().any(|value| at(value) > self.now) {
            self.ahead(&path);
        }
        values
    }
}
