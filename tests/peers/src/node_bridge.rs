//! The bridges that come with dmgate, with their libraries, and without their platforms.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::{node, npm_package, own_file, scratch_dir};

/// A bridge in a folder of its own, as its users have it.
#[derive(Debug)]
pub struct NodeBridge {
    dir: TempDir,
    script: &'static str,
}

impl NodeBridge {
    /// The one to Zalo.
    pub fn zalo() -> Self {
        Self::install("zalouser.mjs", "zca-js")
    }

    /// The one to WhatsApp Web.
    pub fn whatsapp() -> Self {
        Self::install("whatsapp.mjs", "baileys")
    }

    /// The one to Zalo, with a library of these files in the place of the real one.
    pub fn zalo_with(library: &[(&str, &str)]) -> Self {
        Self::beside("zalouser.mjs", "zca-js", library)
    }

    /// The one to WhatsApp Web, likewise.
    pub fn whatsapp_with(library: &[(&str, &str)]) -> Self {
        Self::beside("whatsapp.mjs", "baileys", library)
    }

    fn beside(script: &'static str, name: &str, library: &[(&str, &str)]) -> Self {
        let dir = scratch_dir();
        let module = dir.path().join("node_modules").join(name);
        fs::create_dir_all(&module).expect("a folder for the library");
        let about = ("package.json", r#"{ "type": "module", "exports": "./index.js" }"#);
        for (file, text) in library.iter().chain([&about]) {
            fs::write(module.join(file), text).expect("a library");
        }
        Self::put(dir, script)
    }

    /// Puts it beside its library.
    fn install(script: &'static str, library: &str) -> Self {
        let dir = scratch_dir();
        let library = npm_package(library);
        let modules = library.parent().expect("a package is in a folder");
        symlink(modules, dir.path().join("node_modules")).expect("a link to the library");
        Self::put(dir, script)
    }

    fn put(dir: TempDir, script: &'static str) -> Self {
        let source = own_file("../../adapters/channels/bridges").join(script);
        fs::copy(source, dir.path().join(script)).expect("the bridge");
        Self { dir, script }
    }

    /// What it is started by.
    pub fn words(&self) -> Vec<String> {
        let words = [node(), self.dir.path().join(self.script), self.folder()];
        words.map(|word| word.display().to_string()).to_vec()
    }

    /// The folder where it keeps its session, once there is one.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("kept")
    }
}
