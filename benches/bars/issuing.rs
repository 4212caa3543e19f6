//! What a code costs: one, beside the bare writes that make a file durable; and a hundred at once.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use dmgate::{AccountKey, Decision, DmGate, Freshness, World};

use crate::disk::Disk;
use crate::race::{race, timed};
use crate::scene;
use crate::steps::Steps;
use crate::table::{Line, Table};

pub(crate) fn lines(table: &mut Table) {
    one(table);
    hundred(table);
}

/// As many as a gate has; a directory that grows for ever is dearer to sync.
const CHANNELS: usize = 21;

/// About what the file of two requests has.
const BYTES: usize = 540;

fn one(table: &mut Table) {
    let disk = Disk::new();
    let fresh = || {
        let dir = tempfile::tempdir_in(disk.path()).unwrap();
        let gate = scene::open(dir.path(), Freshness::Exact, World::default());
        (dir, gate)
    };
    let runtime = scene::runtime();
    let (mut state, mut asked) = (fresh(), 0);
    let subject = || {
        if asked == CHANNELS {
            (state, asked) = (fresh(), 0);
        }
        // The first code makes the channel's files, and is not what a code costs day by day.
        let account = AccountKey::parse(&format!("channel{asked}"), "default").unwrap();
        runtime.block_on(code(&state.1, &account, "first"));
        asked += 1;
        timed(|| runtime.block_on(code(&state.1, &account, "second")))
    };
    let bytes = [b' '; BYTES];
    let bare = tempfile::tempdir_in(disk.path()).unwrap();
    let opened = File::open(bare.path()).unwrap();
    let floor = || timed(|| replace(&opened, bare.path(), &bytes));
    let race = race(301, 1, floor, subject);
    let what = format!("a code, on {}: write, fsync, rename, fsync", disk.name());
    table.add(Line::ratio(what, &race, 1.6));
}

async fn code(gate: &DmGate, account: &AccountKey, who: &str) {
    let decision = gate.admit(&scene::hello(account, who)).await;
    assert!(matches!(decision, Decision::Challenge(_)), "{decision:?}");
}

/// The least that a file needs to be replaced durably.
fn replace(opened: &File, dir: &Path, bytes: &[u8]) {
    let temp = dir.join("file.tmp");
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temp).expect("a new file");
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
    rustix::fs::rename(&temp, dir.join("file")).unwrap();
    opened.sync_all().unwrap();
}

fn hundred(table: &mut Table) {
    let dir = tempfile::tempdir().unwrap();
    let gate = scene::open(dir.path(), Freshness::Exact, World::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let before = Steps::now();
    runtime.block_on(async {
        let asked: Vec<_> = (0..100)
            .map(|number| {
                let gate = gate.clone();
                let message = scene::hello(&scene::account(0), &(1 + number).to_string());
                tokio::spawn(async move { gate.admit(&message).await })
            })
            .collect();
        for answer in asked {
            drop(answer.await.unwrap());
        }
    });
    let steps = Steps::now() - before;
    table.add(Line::figure("100 requests at once, one account: replaces", steps.replaces as f64, 4.0, ""));
}
