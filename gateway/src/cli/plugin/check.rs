//! `takst plugin check`.

use super::super::failure::{Exit, Failure};
use super::super::out::{Look, Out};
use super::load;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use takst_plugins::grant::Grant;

/// Check that a gateway would take a plugin: its manifest, what it imports and exports, its limits
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  takst plugin check my-sms")]
pub struct Check {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Serialize)]
struct Checked<'a> {
    id: &'a str,
    version: String,
    interface: String,
    capabilities: Vec<&'static str>,
    sha256: &'a str,
    /// What an operator will be asked to grant.
    grant: &'a Grant,
}

impl Check {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let (_, code) = load::code(&self.folder)?;
        let manifest = &code.manifest;
        let grant = Grant::all(manifest);
        let capabilities: Vec<&'static str> =
            manifest.capabilities.iter().map(|capability| capability.name()).collect();
        if out.json() {
            out.document(&Checked {
                id: &manifest.id,
                version: manifest.version.to_string(),
                interface: code.interface.to_string(),
                capabilities,
                sha256: &code.sha256,
                grant: &grant,
            })?;
            return Ok(Exit::Fine);
        }
        let id = out.paint(Look::Strong, &manifest.id);
        out.line(&format!("{id} {}: {}", manifest.version, manifest.description))?;
        out.line(&format!("can: {}", capabilities.join(", ")))?;
        out.line(&format!("interface: takst:plugin {}", code.interface))?;
        out.line(&format!("sha256: {}", code.sha256))?;
        let asked = grant.to_toml();
        if asked.trim().is_empty() {
            out.line("asks for nothing besides")?;
        } else {
            out.line("an operator will be asked to grant:")?;
            for line in asked.lines() {
                out.line(format!("  {line}").trim_end())?;
            }
        }
        Ok(Exit::Fine)
    }
}
