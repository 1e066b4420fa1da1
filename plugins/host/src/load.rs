//! A plugin's bytes to code that can be called: what it imports and exports is looked at first, then it is compiled, or comes from the cache.

pub mod cache;
mod fit;
pub mod interface;
mod parts;
mod shape;

pub use shape::Shape;

use crate::host::Host;
use crate::manifest::{Capability, Manifest};
use crate::plugin::Function;
use crate::state::State;
use interface::{PACKAGE, Reason, VERSION};
use ring::digest;
use semver::Version;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

/// The largest component.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// Why a plugin cannot be loaded, in the words of whoever builds it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    /// No component at all.
    #[error(
        "plugin.wasm is a core module, not a component\n  help: wrap it with `takst plugin build` (wit-component does the same)"
    )]
    Module,
    /// Not readable.
    #[error("plugin.wasm is not a valid component: {0}")]
    Invalid(String),
    /// Too large.
    #[error(
        "plugin.wasm has {0} bytes, at most {LARGEST} are loaded\n  help: build it without debug information"
    )]
    TooLarge(usize),
    /// It wants more than the interface.
    #[error("the plugin imports what it cannot have:\n  {names}\n  help: {help}")]
    Imports {
        /// One a line.
        names: String,
        /// What to do.
        help: String,
    },
    /// Another version of the interface.
    #[error("{message}\n  help: {help}")]
    Version {
        /// Interface and both versions.
        message: String,
        /// What to do.
        help: String,
    },
    /// Something that it must export.
    #[error("the plugin does not export {PACKAGE}/{interface} {version}\n  help: {help}")]
    Missing {
        /// "configuration".
        interface: String,
        /// The one that is looked for.
        version: Version,
        /// What to do.
        help: String,
    },
    /// Something that its manifest does not say.
    #[error(
        "the plugin exports {PACKAGE}/{interface}, and plugin.toml does not name the capability\n  help: add \"{capability}\" to `capabilities`"
    )]
    Unnamed {
        /// "payments".
        interface: &'static str,
        /// "payment-provider".
        capability: Capability,
    },
    /// The names are right, the types are not.
    #[error(
        "the plugin was built for {PACKAGE} {version} and does not fit {PACKAGE} {VERSION} of this gateway:\n  {lines}\n  help: the interface is the gateway's, a plugin cannot change it: build with plugins/wit/takst-plugin.wit of this release as it is (`takst plugin new` writes it to `wit/deps/takst-plugin`), and bring the source in line with it"
    )]
    Types {
        /// The one that the plugin names.
        version: Version,
        /// A function each: what the plugin has, and what the interface has.
        lines: String,
    },
    /// More of something than a plugin may be made of.
    #[error("the plugin {found}, at most {most}\n  help: {help}")]
    Parts {
        /// "is made of 700 core instances".
        found: String,
        /// As many as there may be.
        most: u64,
        /// What to do.
        help: &'static str,
    },
    /// The bytes are not those that the manifest names.
    #[error(
        "plugin.wasm has the sha256 {found}, plugin.toml names {named}\n  help: one of the two was changed after packing: get the package again"
    )]
    Sha {
        /// Of the bytes.
        found: String,
        /// In the manifest.
        named: String,
    },
}

impl From<Reason> for LoadError {
    fn from(reason: Reason) -> Self {
        Self::Version { message: reason.message, help: reason.help }
    }
}

/// Where code came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// From the cache.
    Cache,
    /// Compiled; with what was wrong with the cache, if it was that.
    Compiled(Option<String>),
}

/// A plugin's code: one (id, version, sha256).
pub struct Code {
    /// Its manifest.
    pub manifest: Manifest,
    /// Of `plugin.wasm`, in hex.
    pub sha256: String,
    /// The version of the interface that it was built with.
    pub interface: Version,
    /// Where it came from.
    pub origin: Origin,
    /// How long that took.
    pub took: Duration,
    pub(crate) pre: InstancePre<State>,
    functions: BTreeMap<&'static str, BTreeMap<&'static str, ComponentExportIndex>>,
}

/// The sha256 of bytes, in small hex digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(
        String::with_capacity(64),
        |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}

impl Host {
    /// Loads a plugin. Takes milliseconds from the cache, and up to seconds without: not for a thread that serves.
    ///
    /// # Errors
    /// What does not fit, in the integrator's words.
    pub fn code(&self, manifest: &Manifest, wasm: &[u8]) -> Result<Arc<Code>, LoadError> {
        let began = Instant::now();
        if wasm.len() > LARGEST {
            return Err(LoadError::TooLarge(wasm.len()));
        }
        let found = sha256(wasm);
        if let Some(named) = manifest.sha256.as_ref().filter(|named| **named != found) {
            return Err(LoadError::Sha { found, named: named.clone() });
        }
        let cached = self.0.cache.as_ref().map_or(Ok(None), |cache| cache.get(&self.0.engine, &found));
        let (component, interface, origin) = match cached {
            // It was put there with another manifest, perhaps: the names are held against this one each time.
            Ok(Some((shape, component))) => (component, shape.check(manifest)?, Origin::Cache),
            missed => {
                let shape = Shape::read(wasm)?;
                let interface = shape.check(manifest)?;
                let component = Component::from_binary(&self.0.engine, wasm)
                    .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
                let kept =
                    self.0.cache.as_ref().map_or(Ok(()), |cache| cache.put(&component, &shape, &found));
                let trouble = missed.err().or(kept.err());
                if let Some(trouble) = &trouble {
                    tracing::warn!(plugin = manifest.id, trouble, "compiled again");
                }
                (component, interface, Origin::Compiled(trouble))
            }
        };
        let pre = self
            .0
            .linker
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Types { version: interface.clone(), lines: format!("{error:#}") })?;
        let functions = exports(&component);
        let manifest = manifest.clone();
        Ok(Arc::new(Code {
            manifest,
            sha256: found,
            interface,
            origin,
            took: began.elapsed(),
            pre,
            functions,
        }))
    }
}

// Where in the component each function of the interface is.
fn exports(component: &Component) -> BTreeMap<&'static str, BTreeMap<&'static str, ComponentExportIndex>> {
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (function, _) in crate::capability::functions() {
        let Some((interface, name)) = function.split_once('.') else { continue };
        let instance = component.get_export_index(None, interface::full_name(interface));
        let index = instance.and_then(|instance| component.get_export_index(Some(&instance), name));
        if let Some(index) = index {
            all.entry(interface).or_default().insert(name, index);
        }
    }
    all
}

impl Code {
    pub(crate) fn function(&self, function: Function) -> Result<&ComponentExportIndex, String> {
        let found = self.functions.get(function.interface).and_then(|names| names.get(function.name));
        found.ok_or_else(|| {
            format!("it does not export `{}` of {PACKAGE}/{} {VERSION}", function.name, function.interface)
        })
    }
}
