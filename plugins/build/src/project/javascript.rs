//! JavaScript: QuickJS in a component, by `componentize-qjs`.

use super::tools::run;
use crate::BuildError;
use std::path::Path;
use std::process::Command;

pub(super) fn build(folder: &Path, out: &Path) -> Result<Vec<u8>, BuildError> {
    let tool = folder.join("node_modules/.bin/componentize-qjs");
    if !tool.is_file() {
        let install = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
        run(
            Command::new("npm")
                .args([install, "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(folder),
            "install Node.js 20 or later with npm (Debian: apt-get install nodejs npm)",
        )?;
    }
    let wasm = out.join("plugin.wasm");
    // The gateway has no WASI: what the engine would ask of it (time, random numbers) traps. The gateway's own clock is in `host-clock`.
    run(
        Command::new(&tool)
            .args([
                "--wit",
                "wit",
                "--world",
                "plugin",
                "--js",
                "plugin.js",
                "--stub-wasi",
                "--sync",
                "--opt-size",
                "-o",
            ])
            .arg(&wasm)
            .current_dir(folder),
        "package.json names no componentize-qjs among its devDependencies",
    )?;
    std::fs::read(&wasm).map_err(|error| BuildError::File { path: wasm, error })
}
