//! Builds plugins from source: Rust inside another build (for build scripts), and folders in Rust, JavaScript, Python and C (the integrator's kit).
//! Absent from it: what a plugin may do (that is `takst-plugins`).

#[cfg(feature = "component")]
mod component;
mod nested;
#[cfg(feature = "kit")]
mod project;
mod target;

#[cfg(feature = "component")]
pub use component::component;
pub use nested::{Guests, module};
#[cfg(feature = "kit")]
pub use project::{Language, Project, create};
pub use target::{TARGET, ensure_target};

use std::path::PathBuf;

/// Why a plugin could not be built.
#[derive(Debug)]
pub enum BuildError {
    /// The WebAssembly target is not installed, and could not be.
    Target {
        /// What rustup or rustc said.
        said: String,
    },
    /// A program could not be started.
    Start {
        /// Its name.
        program: String,
        /// Why.
        error: std::io::Error,
    },
    /// `cargo build` of the plugin failed.
    Cargo {
        /// The manifest it was to build.
        manifest: PathBuf,
        /// What it wrote to its standard error.
        said: String,
    },
    /// A file that should be there is not.
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The folder holds no plugin that can be built.
    Project {
        /// The folder.
        folder: PathBuf,
        /// Why.
        why: String,
    },
    /// A tool failed, or is not there.
    Tool {
        /// Its name.
        program: String,
        /// What it said.
        said: String,
    },
    /// The core module is no plugin: a component cannot be made of it.
    Component {
        /// Why, in the encoder's words.
        said: String,
    },
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Target { said } => write!(
                f,
                "Rust's WebAssembly target is missing and could not be added: run `rustup target add {TARGET}` and build again\n{}",
                said.trim_end()
            ),
            Self::Start { program, error } => {
                write!(f, "`{program}` could not be started: {error}")
            }
            Self::Cargo { manifest, said } => {
                write!(f, "building the plugin of {} failed\n{}", manifest.display(), said.trim_end())
            }
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Project { folder, why } => write!(f, "{}: {why}", folder.display()),
            Self::Tool { program, said } => write!(f, "{program}: {}", said.trim_end()),
            Self::Component { said } => {
                write!(f, "this is no plugin, no component can be made of it: {said}")
            }
        }
    }
}

impl std::error::Error for BuildError {}
