//! `audit.jsonl`: who approved, rejected, blocked, revoked whom, when, and through what. Never a code.

use std::os::unix::fs::FileExt as _;

use rustix::fs::OFlags;
use serde::Serialize;

use super::FileStore;
use super::disk::{Dir, FileError};
use super::fault::{self, Step, step};
use crate::message::{AccountKey, SenderId};
use crate::pairing::RequestId;
use crate::store::Actor;

const NAME: &str = "audit.jsonl";

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    actor: &'a str,
    surface: String,
    action: &'a str,
    channel: &'a str,
    account: &'a str,
    sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
}

impl FileStore {
    /// Notes what was done. It is done already: trouble with the audit is told, and changes nothing.
    pub(super) fn note(
        &self,
        actor: &Actor,
        action: &str,
        account: &AccountKey,
        sender: &SenderId,
        request: Option<&RequestId>,
    ) {
        let line = Line {
            at: self.0.world.clock.now().to_string(),
            actor: &actor.name,
            surface: actor.surface.to_string(),
            action,
            channel: account.channel().as_str(),
            account: account.account().as_str(),
            sender: sender.as_str(),
            request: request.map(RequestId::as_str),
        };
        let noted = Dir::open(&self.0.options.state_dir)
            .map_err(|error| error.to_string())
            .and_then(|dir| append(&dir, &line).map_err(|error| error.to_string()));
        if let Err(error) = noted {
            tracing::error!(%account, action, "not noted in `{NAME}`: {error}");
        }
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
