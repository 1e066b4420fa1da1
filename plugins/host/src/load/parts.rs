//! How many core instances a component is made of, and what they take of the host beside their memories and tables: for each function,
//! global, table and memory of an instance the host keeps a place, and no limit of wasmtime counts those.

use super::LoadError;
use crate::limits::INSTANCES;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef,
    Instance, Parser, Payload,
};

/// Places of all instances together, of about 40 bytes each: those of Python with its standard library are 20,000.
const PLACES: u64 = 500_000;

const INSTANCES_HELP: &str = "link fewer libraries into it";
const PLACES_HELP: &str = "link less into it, or the same module fewer times";
const HANDED_HELP: &str =
    "put the parts together when the plugin is built (`takst plugin build` and wit-component do)";

// Instances and places of a module (one instance) or of a whole component.
#[derive(Clone, Copy, Default)]
struct Cost {
    instances: u64,
    places: u64,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.places = self.places.saturating_add(other.places);
    }
}

// What is being read: a component with what it defines, or a module.
#[derive(Default)]
struct Frame {
    is_module: bool,
    // None: another component hands it in, and nobody knows here what it is.
    modules: Vec<Option<Cost>>,
    components: Vec<Option<Cost>>,
    total: Cost,
}

/// Whether there are few enough.
///
/// # Errors
/// Too many, or parts that components hand to each other, which are not counted.
pub(super) fn check(wasm: &[u8]) -> Result<(), LoadError> {
    let total = count(wasm)?;
    let most = u64::try_from(INSTANCES).unwrap_or(u64::MAX);
    if total.instances > most {
        let found = format!("is made of {} core instances", total.instances);
        return Err(LoadError::Parts { found, most, help: INSTANCES_HELP });
    }
    if total.places > PLACES {
        let found = format!("has {} functions, globals and the like in all its instances", total.places);
        return Err(LoadError::Parts { found, most: PLACES, help: PLACES_HELP });
    }
    Ok(())
}

fn count(wasm: &[u8]) -> Result<Cost, LoadError> {
    let mut stack: Vec<Frame> = Vec::new();
    let mut next_is_module = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(super::shape::invalid)?;
        if let Payload::Version { .. } = payload {
            stack.push(Frame { is_module: next_is_module, ..Frame::default() });
            next_is_module = false;
            continue;
        }
        if let Payload::End(_) = payload {
            let Some(done) = stack.pop() else { continue };
            match stack.last_mut() {
                Some(around) if done.is_module => {
                    let cost = Cost { instances: 1, places: done.total.places };
                    around.modules.push(Some(cost));
                }
                Some(around) => around.components.push(Some(done.total)),
                None => return Ok(done.total),
            }
            continue;
        }
        read(payload, &mut stack, &mut next_is_module)?;
    }
    // Without an end it is no component: the validator says so.
    Ok(Cost::default())
}

fn read(payload: Payload<'_>, stack: &mut [Frame], next_is_module: &mut bool) -> Result<(), LoadError> {
    let invalid = super::shape::invalid;
    // A module's sections: their counts are read, not what is in them.
    let places = match &payload {
        Payload::ImportSection(section) => Some(section.count()),
        Payload::FunctionSection(section) => Some(section.count()),
        Payload::TableSection(section) => Some(section.count()),
        Payload::MemorySection(section) => Some(section.count()),
        Payload::GlobalSection(section) => Some(section.count()),
        Payload::TagSection(section) => Some(section.count()),
        Payload::ElementSection(section) => Some(section.count()),
        Payload::DataSection(section) => Some(section.count()),
        _ => None,
    };
    if let (Some(places), Some(frame)) = (places, stack.last_mut()) {
        frame.total.places = frame.total.places.saturating_add(places.into());
        return Ok(());
    }
    match payload {
        Payload::ModuleSection { .. } => *next_is_module = true,
        Payload::InstanceSection(section) => {
            for instance in section {
                if let Instance::Instantiate { module_index, .. } = instance.map_err(invalid)? {
                    let cost = stack.last().and_then(|frame| at(&frame.modules, module_index));
                    add(stack, cost)?;
                }
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section {
                if let ComponentInstance::Instantiate { component_index, .. } = instance.map_err(invalid)? {
                    let cost = stack.last().and_then(|frame| at(&frame.components, component_index));
                    add(stack, cost)?;
                }
            }
        }
        Payload::ComponentImportSection(section) => {
            for import in section {
                let kind = import.map_err(invalid)?.ty;
                let Some(frame) = stack.last_mut() else { continue };
                match kind {
                    ComponentTypeRef::Module(_) => frame.modules.push(None),
                    ComponentTypeRef::Component(_) => frame.components.push(None),
                    _ => {}
                }
            }
        }
        Payload::ComponentExportSection(section) => {
            // What is exported has an index of its own from then on.
            for export in section {
                let export = export.map_err(invalid)?;
                let Some(frame) = stack.last_mut() else { continue };
                match export.kind {
                    ComponentExternalKind::Module => {
                        let cost = at(&frame.modules, export.index);
                        frame.modules.push(cost);
                    }
                    ComponentExternalKind::Component => {
                        let cost = at(&frame.components, export.index);
                        frame.components.push(cost);
                    }
                    _ => {}
                }
            }
        }
        Payload::ComponentAliasSection(section) => {
            for alias in section {
                alias_of(&alias.map_err(invalid)?, stack);
            }
        }
        _ => {}
    }
    Ok(())
}

fn alias_of(alias: &ComponentAlias<'_>, stack: &mut [Frame]) {
    let (module, cost) = match alias {
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => (true, None),
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => (false, None),
        ComponentAlias::Outer { kind, count, index } => {
            let outward = usize::try_from(*count).unwrap_or(usize::MAX).saturating_add(1);
            let outer = stack.len().checked_sub(outward).and_then(|nth| stack.get(nth));
            match kind {
                ComponentOuterAliasKind::CoreModule => {
                    (true, outer.and_then(|frame| at(&frame.modules, *index)))
                }
                ComponentOuterAliasKind::Component => {
                    (false, outer.and_then(|frame| at(&frame.components, *index)))
                }
                _ => return,
            }
        }
        _ => return,
    };
    let Some(frame) = stack.last_mut() else { return };
    if module {
        frame.modules.push(cost);
    } else {
        frame.components.push(cost);
    }
}

fn at(all: &[Option<Cost>], index: u32) -> Option<Cost> {
    usize::try_from(index).ok().and_then(|index| all.get(index)).copied().flatten()
}

fn add(stack: &mut [Frame], cost: Option<Cost>) -> Result<(), LoadError> {
    let Some(cost) = cost else {
        let found = "has components that hand modules or components to each other".to_owned();
        return Err(LoadError::Parts { found, most: 0, help: HANDED_HELP });
    };
    if let Some(frame) = stack.last_mut() {
        frame.total.add(cost);
    }
    Ok(())
}
