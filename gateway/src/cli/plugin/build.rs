//! `takst plugin build`.

use super::super::failure::{Exit, Failure};
use super::super::out::Out;
use super::load;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Build a plugin from its source
///
/// What the language needs (compilers and tools from npm or PyPI) is fetched into the plugin's folder. The component is
/// build/plugin.component.wasm; `takst plugin sign` makes a package of it.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst plugin build my-sms")]
pub struct Build {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Built {
    file: PathBuf,
    bytes: usize,
    sha256: String,
}

impl Build {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let bytes = load::build(&self.folder, out)?;
        let built = Built {
            file: load::built(&self.folder),
            bytes: bytes.len(),
            sha256: takst_plugins::load::sha256(&bytes),
        };
        if out.json() {
            out.document(&built)?;
        } else {
            out.line(&format!("{}  {} bytes", built.file.display(), built.bytes))?;
        }
        Ok(Exit::Fine)
    }
}
