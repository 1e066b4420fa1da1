//! Code of plugins that somebody is bound to, on the disk: an upgrade takes it out of the set-up or the program, and a payment that was
//! asked with it is looked up with it. Absent: settings and secrets, which stay where the set-up has them.

use crate::setup::{PluginFile, Wasm};
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use takst_plugins::package::Package;

const ENDING: &str = "tar";

/// A folder of packages, each called like the sha256 of its code.
#[derive(Debug, Default)]
pub struct Kept {
    folder: Option<PathBuf>,
    there: Mutex<BTreeSet<String>>,
}

impl Kept {
    /// In this folder, which is made when it is needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder: Some(folder), there: Mutex::default() }
    }

    /// Keeps the code of a plugin, unless it is kept already.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn keep(&self, sha256: &str, file: &PluginFile) -> Result<(), String> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let there = || self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if there().contains(sha256) {
            return Ok(());
        }
        let path = folder.join(format!("{sha256}.{ENDING}"));
        if !path.exists() {
            let bytes = packed(file)?;
            let write = || -> io::Result<()> {
                std::fs::create_dir_all(folder)?;
                // Whole or not at all, also when the machine stops.
                let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
                fresh.write_all(&bytes)?;
                fresh.as_file().sync_all()?;
                fresh.persist(&path).map_err(|error| error.error)?;
                std::fs::File::open(folder)?.sync_all()
            };
            write().map_err(|error| format!("{}: {error}", path.display()))?;
        }
        there().insert(sha256.to_owned());
        Ok(())
    }

    /// The code with this sha256; none when it is not kept.
    ///
    /// # Errors
    /// When its file is not what it was.
    pub fn read(&self, sha256: &str) -> Result<Option<Package>, String> {
        let Some(folder) = &self.folder else { return Ok(None) };
        // A name of a file is made of it.
        if sha256.is_empty() || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let path = folder.join(format!("{sha256}.{ENDING}"));
        let shown = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(shown(&error)),
        };
        let package = Package::read(&bytes).map_err(|error| shown(&error))?;
        match package.manifest.sha256.as_deref() == Some(sha256) {
            true => Ok(Some(package)),
            false => Err(shown(&"this is other code than its name says")),
        }
    }

    /// What is kept, by sha256.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let name = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(ENDING)?.strip_suffix('.')?.to_owned())
        };
        entries.filter_map(name).collect()
    }

    /// Lets go of code.
    pub fn remove(&self, sha256: &str) {
        let Some(folder) = &self.folder else { return };
        self.there.lock().unwrap_or_else(PoisonError::into_inner).remove(sha256);
        if let Err(error) = std::fs::remove_file(folder.join(format!("{sha256}.{ENDING}"))) {
            tracing::debug!(sha256, %error, "code of a plugin that nobody needs could not be removed");
        }
    }
}

fn packed(file: &PluginFile) -> Result<Vec<u8>, String> {
    let wasm = match &file.wasm {
        Wasm::Shipped(shipped) => shipped.component()?.to_vec(),
        Wasm::Own(bytes) => bytes.to_vec(),
    };
    let package = match file.manifest.sha256 {
        // It names its code already, which was checked when it was loaded.
        Some(_) => {
            Package { text: file.text.to_string(), manifest: file.manifest.clone(), wasm, signature: None }
        }
        None => Package::pack(&file.text, wasm).map_err(|error| error.to_string())?,
    };
    package.write().map_err(|error| error.to_string())
}
