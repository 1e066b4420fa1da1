//! The plugins that are in the program: manifest and core module of each, as `build.rs` made them. No file is read here.

use std::sync::{Arc, Mutex, PoisonError};
use takst_plugins::load::sha256;
use takst_plugins::manifest::{Diagnostics, Manifest};

/// A plugin that is in the program.
#[derive(Debug)]
pub struct Shipped {
    folder: &'static str,
    text: &'static str,
    module: &'static [u8],
}

static ALL: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

// Components that were made, by folder. Few are used, and each is made once.
type Made = Vec<(&'static str, Arc<Vec<u8>>)>;
static MADE: Mutex<Made> = Mutex::new(Vec::new());

/// All of them, in order of their names.
#[must_use]
pub fn all() -> &'static [Shipped] {
    ALL
}

/// The one of this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Shipped> {
    ALL.iter().find(|one| one.id() == id)
}

impl Shipped {
    /// Its id: a folder is called like its plugin, as a test checks.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.folder
    }

    /// Its manifest.
    ///
    /// # Errors
    /// What is wrong with it; a test checks that nothing is.
    pub fn manifest(&self) -> Result<Manifest, Diagnostics> {
        Manifest::read(&format!("{}/plugin.toml", self.folder), self.text)
    }

    /// The text of its manifest.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// What tells its code from that of another program, in hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.module)
    }

    /// The component. It is made of the core module at first use.
    ///
    /// # Errors
    /// When the module is none; a test checks that all are.
    pub fn component(&self) -> Result<Arc<Vec<u8>>, String> {
        let made = || {
            let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
            made.iter().find(|(known, _)| *known == self.folder).map(|(_, bytes)| Arc::clone(bytes))
        };
        if let Some(bytes) = made() {
            return Ok(bytes);
        }
        let bytes = takst_plugin_build::component(self.module).map_err(|error| error.to_string())?;
        let bytes = Arc::new(bytes);
        MADE.lock().unwrap_or_else(PoisonError::into_inner).push((self.folder, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugins::load::Shape;

    #[test]
    fn every_plugin_in_the_program_is_what_its_manifest_says() {
        assert!(all().len() >= 7, "{:?}", all().iter().map(Shipped::id).collect::<Vec<_>>());
        for shipped in all() {
            let manifest = shipped.manifest().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(manifest.id, shipped.id());
            let component = shipped.component().unwrap();
            let shape = Shape::read(&component).unwrap_or_else(|error| panic!("{}: {error}", manifest.id));
            shape.check(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.id));
        }
    }
}
