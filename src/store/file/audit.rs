//! `audit.jsonl`: who approved, rejected, blocked, revoked whom, when, and through what. Never a code.

use std::io::Write as _;

use rustix::fs::OFlags;
use serde::Serialize;

use super::FileStore;
use super::disk::{Dir, FileError};
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

/// One line in one write: lines of several processes do not mix.
fn append(dir: &Dir, line: &Line<'_>) -> Result<(), FileError> {
    let failed = |source| dir.io(NAME, "append to", source);
    let mut text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
    text.push('\n');
    let mut file = match dir.open_file(NAME, OFlags::WRONLY | OFlags::APPEND)? {
        Some(file) => {
            dir.trusted(NAME, &file)?;
            file
        }
        None => {
            drop(dir.create(NAME)?);
            let file = dir.open_file(NAME, OFlags::WRONLY | OFlags::APPEND)?;
            file.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?
        }
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
}
