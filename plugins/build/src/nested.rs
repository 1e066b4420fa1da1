//! `cargo build` for WebAssembly, out of whatever build it stands in.

use crate::{BuildError, TARGET};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Plugins of one Cargo package or workspace.
pub struct Guests<'a> {
    /// Its `Cargo.toml`.
    pub manifest: &'a Path,
    /// Where cargo puts what it builds. Not the target folder of a build that is running: cargo would wait for itself.
    pub target: &'a Path,
    /// One of its packages, or all.
    pub package: Option<&'a str>,
    /// Take the versions of the lock file, and fail where there is none.
    pub locked: bool,
}

/// What the build around it says of itself and must not be said to this one: flags for another machine, another compiler, another target folder.
const LEFT_OUT: &[&str] = &[
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC",
    "RUSTDOC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "TARGET",
    "HOST",
    "OUT_DIR",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "NUM_JOBS",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
];

/// Of cargo's own variables, the ones that are about the machine and not about the build around.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];

impl Guests<'_> {
    /// Builds them in the release profile and returns the folder where the core modules stand, as `NAME.wasm`.
    ///
    /// # Errors
    /// [`BuildError::Target`] when the target cannot be had, [`BuildError::Cargo`] with cargo's own words when it does not build.
    pub fn build(&self) -> Result<PathBuf, BuildError> {
        crate::ensure_target()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(&cargo);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let about_the_build = LEFT_OUT.contains(&name.as_str())
                || (name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept)));
            if about_the_build {
                command.env_remove(&name);
            }
        }
        command
            .args(["build", "--release", "--target", TARGET])
            .arg("--manifest-path")
            .arg(self.manifest)
            .arg("--target-dir")
            .arg(self.target);
        if let Some(package) = self.package {
            command.args(["--package", package]);
        }
        if self.locked {
            command.arg("--locked");
        }
        if let Some(folder) = self.manifest.parent().filter(|f| f.is_dir()) {
            // Cargo reads the settings of the folder it stands in.
            command.current_dir(folder);
        }
        let output = command
            .output()
            .map_err(|error| BuildError::Start { program: cargo.to_string_lossy().into_owned(), error })?;
        if !output.status.success() {
            return Err(BuildError::Cargo {
                manifest: self.manifest.to_path_buf(),
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        Ok(self.target.join(TARGET).join("release"))
    }
}

/// The core module of one package in the folder that [`Guests::build`] returned. A `-` in a package's name is a `_` in the file's.
///
/// # Errors
/// [`BuildError::File`]: it is not there, most often because the package's `crate-type` is not `cdylib`.
pub fn module(folder: &Path, package: &str) -> Result<Vec<u8>, BuildError> {
    let path = folder.join(format!("{}.wasm", package.replace('-', "_")));
    std::fs::read(&path).map_err(|error| BuildError::File { path, error })
}
