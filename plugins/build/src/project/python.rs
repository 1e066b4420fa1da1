//! Python: CPython in a component, by `componentize-py`.

use super::tools;
use crate::BuildError;
use std::path::Path;
use std::process::Command;

pub(super) fn build(folder: &Path, out: &Path) -> Result<Vec<u8>, BuildError> {
    let python = tools::python(folder, out)?;
    let wasm = out.join("plugin.wasm");
    tools::run(
        Command::new(python.with_file_name("componentize-py"))
            .args([
                "--wit-path",
                "wit",
                "--world",
                "plugin",
                "componentize",
                "--stub-wasi",
                "plugin",
                "--output",
            ])
            .arg(&wasm)
            .current_dir(folder),
        "requirements.txt names no componentize-py",
    )?;
    std::fs::read(&wasm).map_err(|error| BuildError::File { path: wasm, error })
}
