//! `audit.jsonl`: who approved, rejected, blocked, revoked whom, when, and through what. Never a code.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use serde::Serialize;

use super::FileStore;
use super::disk::{Dir, FileError};
use super::fault::{self, Step, step};
use crate::clock::Timestamp;
use crate::message::{AccountKey, SenderId};
use crate::pairing::RequestId;
use crate::store::Actor;

const NAME: &str = "audit.jsonl";

/// What was done.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    at: String,
    actor: &'a str,
    surface: String,
    action: &'a str,
    #[serde(flatten)]
    about: About<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
}

/// To whom.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum About<'a> {
    Sender {
        channel: &'a str,
        account: &'a str,
        sender: &'a str,
    },
    Device {
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<&'a str>,
    },
    Node {
        node: &'a str,
    },
}

impl<'a> Line<'a> {
    pub(super) fn new(
        at: Timestamp,
        actor: &'a Actor,
        action: &'a str,
        about: About<'a>,
        request: Option<&'a str>,
    ) -> Self {
        let (at, surface) = (at.to_string(), actor.surface.to_string());
        Self { at, actor: &actor.name, surface, action, about, request }
    }
}

impl FileStore {
    /// Notes what was done to a sender.
    pub(super) fn note(
        &self,
        actor: &Actor,
        action: &str,
        account: &AccountKey,
        sender: &SenderId,
        request: Option<&RequestId>,
    ) {
        let (channel, account) = (account.channel().as_str(), account.account().as_str());
        let about = About::Sender { channel, account, sender: sender.as_str() };
        let line = Line::new(self.0.world.clock.now(), actor, action, about, request.map(RequestId::as_str));
        note(&self.0.options.state_dir, &line);
    }
}

/// Notes what was done. It is done already: trouble with the audit is told, and changes nothing.
pub(super) fn note(state_dir: &Path, line: &Line<'_>) {
    let noted = Dir::open(state_dir)
        .map_err(|error| error.to_string())
        .and_then(|dir| append(&dir, line).map_err(|error| error.to_string()));
    if let Err(error) = noted {
        tracing::error!(action = line.action, "not noted in `{NAME}`: {error}");
    }
}

/// One line in one write: lines of several processes do not mix, and one that was cut off spoils no other.
fn append(dir: &Dir, line: &Line<'_>) -> Result<(), FileError> {
    let failed = |source| dir.io(NAME, "append to", source);
    let mut text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
    text.push('\n');
    let access = OFlags::RDWR | OFlags::APPEND;
    let file = match dir.open_file(NAME, access)? {
        Some(file) => file,
        None => {
            drop(dir.create(NAME)?);
            let file = dir.open_file(NAME, access)?;
            file.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?
        }
    };
    let mut last = [b'\n'];
    if let Some(end) = dir.trusted(NAME, &file)?.identity.size.checked_sub(1) {
        file.read_exact_at(&mut last, end).map_err(failed)?;
    }
    if last != [b'\n'] {
        text.insert(0, '\n');
    }
    fault::write(Step::Append, &file, text.as_bytes())
        .and_then(|()| step(Step::SyncAppend))
        .and_then(|()| file.sync_data())
        .map_err(failed)
}
