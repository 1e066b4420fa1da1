//! `takst plugin check`.

use super::super::failure::{Exit, Failure};
use super::super::out::{Look, Out};
use super::{home, load};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use takst_plugins::grant::Grant;

/// Check that a gateway would take a plugin: its manifest, what it imports and exports, its limits
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin check my-sms
  takst plugin check my-sms-1.0.0.plugin --trust author.pub")]
pub struct Check {
    /// The plugin's folder, or a package
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,
    /// Check that a package is signed with this public key
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

#[derive(Serialize)]
struct Checked<'a> {
    id: &'a str,
    version: String,
    interface: String,
    capabilities: Vec<&'static str>,
    sha256: &'a str,
    /// The public key whose signature was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    /// What an operator will be asked to grant.
    grant: &'a Grant,
}

impl Check {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let signed_by = self.signed_by()?;
        let (_, code) = load::code(&self.path, out)?;
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
                signed_by,
                grant: &grant,
            })?;
            return Ok(Exit::Fine);
        }
        let id = out.paint(Look::Strong, &manifest.id);
        out.line(&format!("{id} {}: {}", manifest.version, manifest.description))?;
        out.line(&format!("can: {}", capabilities.join(", ")))?;
        out.line(&format!("interface: takst:plugin {}", code.interface))?;
        out.line(&format!("sha256: {}", code.sha256))?;
        if let Some(key) = signed_by {
            out.line(&format!("signed by {key}"))?;
        }
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

    fn signed_by(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.trust else { return Ok(None) };
        if !self.path.is_file() {
            return Err(Failure::Usage("only a package has a signature: name one".to_owned()));
        }
        let keys = [home::public_key(path)?];
        let package = load::package(&self.path)?;
        match home::signed_by(&package, &keys) {
            Ok(key) => Ok(Some(key.to_owned())),
            Err(error) => Err(Failure::Input(error.to_string())),
        }
    }
}
