//! The WebAssembly target of the Rust toolchain.

use crate::BuildError;
use std::path::Path;
use std::process::Command;

/// What plugins are built for. It has no WASI: a plugin imports Takst's interface and nothing else.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Sees to it that the toolchain can build plugins: adds the target with rustup where it is missing.
///
/// # Errors
/// [`BuildError::Target`] with the one command to run, when it is missing and rustup cannot add it.
pub fn ensure_target() -> Result<(), BuildError> {
    if is_installed()? {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).output();
    let said = match added {
        Ok(output) if output.status.success() && is_installed()? => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("rustup: {error}"),
    };
    Err(BuildError::Target { said })
}

fn is_installed() -> Result<bool, BuildError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| BuildError::Start { program: rustc.to_string_lossy().into_owned(), error })?;
    if !output.status.success() {
        return Err(BuildError::Target { said: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    let sysroot = String::from_utf8_lossy(&output.stdout);
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir())
}
