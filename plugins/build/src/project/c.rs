//! C: bindings generated here, compiled by zig's C compiler, which brings its own C library for WebAssembly.

use super::tools;
use crate::{BuildError, component};
use std::path::Path;
use std::process::Command;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

/// Writes `plugin.h`, `plugin.c` and the interface as an object file.
fn bindings(folder: &Path, out: &Path) -> Result<(), BuildError> {
    let wrong = |said: String| BuildError::Project { folder: folder.to_path_buf(), why: said };
    let wit = folder.join("wit");
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(&wit).map_err(|error| wrong(format!("its interface cannot be read: {error:#}")))?;
    let world = resolve
        .select_world(&[package], Some("plugin"))
        .map_err(|error| wrong(format!("wit/plugin.wit has no world `plugin`: {error:#}")))?;
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator
        .generate(&mut resolve, world, &mut files)
        .map_err(|error| wrong(format!("no C can be made of its interface: {error:#}")))?;
    for (name, bytes) in files.iter() {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(|error| BuildError::File { path, error })?;
    }
    Ok(())
}

pub(super) fn build(folder: &Path, out: &Path) -> Result<Vec<u8>, BuildError> {
    let python = tools::python(folder, out)?;
    let generated = out.join("bindings");
    std::fs::create_dir_all(&generated)
        .map_err(|error| BuildError::File { path: generated.clone(), error })?;
    bindings(folder, &generated)?;
    let wasm = out.join("plugin.core.wasm");
    tools::run(
        Command::new(&python)
            // A library, not a program: nothing of WASI is left in it as long as it uses memory and strings only.
            .args(["-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-Os", "-Wall"])
            .arg("-I")
            .arg(&generated)
            .args(["plugin.c", "-o"])
            .arg(&wasm)
            .arg(generated.join("plugin.c"))
            .arg(generated.join("plugin_component_type.o"))
            .current_dir(folder),
        "requirements.txt names no ziglang",
    )?;
    let core = std::fs::read(&wasm).map_err(|error| BuildError::File { path: wasm, error })?;
    component(&core)
}
