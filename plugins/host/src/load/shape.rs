//! What a component imports and exports, read before anything is compiled.

use super::fit::{self, Way};
use super::interface::{self, PACKAGE, VERSION};
use super::{LoadError, parts};
use crate::manifest::{Capability, Manifest};
use semver::Version;
use serde::{Deserialize, Serialize};
use wasmparser::component_types::{ComponentEntityType, ComponentItem};
use wasmparser::{Chunk, Encoding, Parser, Payload, Validator, WasmFeatures};

/// Names at the border of a component.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Shape {
    /// Interfaces with their functions.
    pub imports: Vec<(String, Vec<String>)>,
    /// Interfaces with their functions.
    pub exports: Vec<(String, Vec<String>)>,
    // Functions that are not as in the interface, a line each. Not kept: what was kept had none.
    #[serde(skip)]
    misfits: Vec<String>,
}

impl Shape {
    /// Reads a component.
    ///
    /// # Errors
    /// The bytes are no component, or one with too many parts.
    pub fn read(wasm: &[u8]) -> Result<Self, LoadError> {
        only_components(wasm)?;
        let mut names = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(invalid)? {
                // A name within a nested component is not at the border.
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {}
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        names.0.push(import.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        names.1.push(export.map_err(invalid)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        parts::check(wasm)?;
        let types = Validator::new_with_features(WasmFeatures::all()).validate_all(wasm).map_err(invalid)?;
        let types = types.as_ref();
        let mut misfits = Vec::new();
        // What the validator does not know at the top belongs to a component inside.
        let mut border = |names: Vec<String>, way| {
            let mut known = Vec::new();
            for name in names {
                let item = match way {
                    Way::Imported => types.component_item_for_import(&name),
                    Way::Exported => types.component_item_for_export(&name),
                };
                let Some(item) = item else { continue };
                let mut functions = Vec::new();
                if let ComponentEntityType::Instance(id) = item.ty
                    && let Some(instance) = types.get(id)
                {
                    let is_function = |item: &ComponentItem| matches!(item.ty, ComponentEntityType::Func(_));
                    let all = instance.exports.iter().filter(|(_, item)| is_function(item));
                    functions.extend(all.map(|(name, _)| name.clone()));
                    if let Some((interface, version)) = interface::parse(&name) {
                        misfits.extend(fit::misfits(types, (interface, &version), instance, way));
                    }
                }
                known.push((name, functions));
            }
            known
        };
        let imports = border(names.0, Way::Imported);
        let exports = border(names.1, Way::Exported);
        Ok(Self { imports, exports, misfits })
    }

    /// Whether the component can run here and does what its manifest says; the newest version of the interface in it.
    ///
    /// # Errors
    /// What does not fit, in the integrator's words.
    pub fn check(&self, manifest: &Manifest) -> Result<Version, LoadError> {
        let foreign: Vec<&str> = self
            .imports
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| interface::parse(name).is_none())
            .collect();
        if !foreign.is_empty() {
            return Err(LoadError::Imports {
                names: foreign.join("\n  "),
                help: if foreign.iter().any(|name| name.starts_with("wasi:")) {
                    "plugins run without WASI: no files, sockets or environment. Rust: build for wasm32-unknown-unknown; \
                     JavaScript: componentize-js with all features disabled; Python: componentize-py --stub-wasi; \
                     C: without a libc that needs it"
                        .to_owned()
                } else {
                    format!(
                        "a plugin imports from {PACKAGE} only: what it needs besides, it has to bring along"
                    )
                },
            });
        }
        let mut newest = Version::new(0, 0, 0);
        for (name, functions) in &self.imports {
            let Some((interface, version)) = interface::parse(name) else { continue };
            interface::offered(interface, &version, functions)?;
            newest = newest.max(version);
        }
        let mut exported = Vec::new();
        for (name, _) in &self.exports {
            let Some((interface, version)) = interface::parse(name) else { continue };
            interface::readable(&version)?;
            exported.push(interface);
            newest = newest.max(version);
        }
        if !exported.contains(&"configuration") {
            return Err(LoadError::Missing {
                interface: "configuration".to_owned(),
                version: VERSION,
                help: "every plugin exports it: `check` may return an empty list".to_owned(),
            });
        }
        for capability in &manifest.capabilities {
            if !exported.contains(&capability.interface()) {
                return Err(LoadError::Missing {
                    interface: capability.interface().to_owned(),
                    version: VERSION,
                    help: format!(
                        "plugin.toml names the capability \"{capability}\": build the plugin for the world `{capability}`, or take it out of `capabilities`"
                    ),
                });
            }
        }
        let unnamed = Capability::ALL
            .iter()
            .find(|one| exported.contains(&one.interface()) && !manifest.capabilities.contains(one));
        if let Some(capability) = unnamed {
            return Err(LoadError::Unnamed { interface: capability.interface(), capability: *capability });
        }
        if !self.misfits.is_empty() {
            return Err(LoadError::Types { version: newest, lines: self.misfits.join("\n  ") });
        }
        Ok(newest)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid(error.message().to_owned())
}

fn only_components(wasm: &[u8]) -> Result<(), LoadError> {
    match Parser::new(0).parse(wasm, true) {
        Ok(Chunk::Parsed { payload: Payload::Version { encoding: Encoding::Component, .. }, .. }) => Ok(()),
        Ok(Chunk::Parsed { payload: Payload::Version { .. }, .. }) => Err(LoadError::Module),
        Ok(_) => Err(LoadError::Invalid("the file is too short".to_owned())),
        Err(error) => Err(invalid(error)),
    }
}
