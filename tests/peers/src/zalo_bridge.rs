//! The bridge to Zalo that comes with dmgate, with its library, and without Zalo.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{node, npm_package, own_file, scratch_dir};

/// The bridge in a folder of its own, as its users have it.
#[derive(Debug)]
pub struct ZaloBridge(TempDir);

impl ZaloBridge {
    /// Puts it beside its library.
    pub fn install() -> Self {
        let dir = scratch_dir();
        let library = npm_package("zca-js");
        let modules = library.parent().expect("a package is in a folder");
        symlink(modules, dir.path().join("node_modules")).expect("a link to the library");
        let script = own_file("../../adapters/channels/bridges/zalouser.mjs");
        fs::copy(script, dir.path().join("zalouser.mjs")).expect("the bridge");
        Self(dir)
    }

    /// What it is started by.
    pub fn words(&self) -> Vec<String> {
        let words = [node(), self.0.path().join("zalouser.mjs"), self.0.path().join("zalo")];
        words.map(|word| word.display().to_string()).to_vec()
    }

    /// Where its session is kept, once there is one.
    pub fn session(&self) -> PathBuf {
        self.0.path().join("zalo/session.json")
    }
}
