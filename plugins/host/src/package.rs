//! A plugin as one file: a tar of `plugin.toml`, `plugin.wasm` and, signed, `plugin.toml.minisig`. The signature is over the manifest, which
//! names the sha256 of the wasm.

mod sign;

pub use sign::{SignError, Signer, Trusted};

use crate::load::{LARGEST, sha256};
use crate::manifest::{Diagnostics, FILE, Manifest};
use std::io::Read as _;

/// The file of the component in a package.
pub const WASM: &str = "plugin.wasm";
/// The file of the signature in a package.
pub const SIGNATURE: &str = "plugin.toml.minisig";
// Of the manifest and of the signature.
const SMALL: usize = 256 * 1024;

/// A package that cannot be read or made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PackageError {
    /// Something is wrong with the file.
    #[error("the package {0}")]
    Broken(String),
    /// Something is wrong with its manifest.
    #[error(transparent)]
    Manifest(#[from] Diagnostics),
}

fn broken(text: impl Into<String>) -> PackageError {
    PackageError::Broken(text.into())
}

/// A package in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Package {
    /// The text of `plugin.toml`.
    pub text: String,
    /// What it says.
    pub manifest: Manifest,
    /// The component.
    pub wasm: Vec<u8>,
    /// The signature's text.
    pub signature: Option<String>,
}

impl Package {
    /// Makes one from a source manifest and a component: names the component's sha256 at the manifest's end.
    ///
    /// # Errors
    /// What is wrong with the manifest.
    pub fn pack(text: &str, wasm: Vec<u8>) -> Result<Self, PackageError> {
        if Manifest::read(FILE, text)?.sha256.is_some() {
            return Err(broken(
                "has a [wasm] table in its plugin.toml already: packing writes it, take it out",
            ));
        }
        if wasm.len() > LARGEST {
            return Err(broken(format!(
                "has a component of {} bytes, at most {LARGEST} are loaded",
                wasm.len()
            )));
        }
        let text = format!("{}\n\n[wasm]\nsha256 = \"{}\"\n", text.trim_end(), sha256(&wasm));
        let manifest = Manifest::read(FILE, &text)?;
        Ok(Self { text, manifest, wasm, signature: None })
    }

    /// Reads one. Nothing is written to disk, whatever names stand in it, and no more is read than a package may have.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        let (mut text, mut wasm, mut signature) = (None, None, None);
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().map_err(|error| broken(format!("is no tar: {error}")))?;
        for entry in entries {
            let mut entry = entry.map_err(|error| broken(format!("is no whole tar: {error}")))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if !entry.header().entry_type().is_file() {
                return Err(broken(format!("has `{}` in it, which is no plain file", name.escape_debug())));
            }
            let (slot, most) = match name.as_str() {
                FILE => (&mut text, SMALL),
                WASM => (&mut wasm, LARGEST),
                SIGNATURE => (&mut signature, SMALL),
                other => {
                    let other = other.escape_debug();
                    return Err(broken(format!(
                        "has `{other}` in it; it holds {FILE}, {WASM} and {SIGNATURE} alone"
                    )));
                }
            };
            let mut content = Vec::new();
            let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
            let read = entry.by_ref().take(limit).read_to_end(&mut content);
            read.map_err(|error| broken(format!("is cut off in `{name}`: {error}")))?;
            if content.len() > most {
                return Err(broken(format!("has a `{name}` of more than {most} bytes")));
            }
            if slot.replace(content).is_some() {
                return Err(broken(format!("has `{name}` twice")));
            }
        }
        let missing = |name: &str| broken(format!("has no `{name}`"));
        let as_text = |name: &str, bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| broken(format!("has a `{name}` that is not UTF-8")))
        };
        let text = as_text(FILE, text.ok_or_else(|| missing(FILE))?)?;
        let manifest = Manifest::read(FILE, &text)?;
        let wasm = wasm.ok_or_else(|| missing(WASM))?;
        let found = sha256(&wasm);
        match &manifest.sha256 {
            Some(named) if *named == found => {}
            Some(named) => {
                let text = "it was changed after packing, get it again";
                return Err(broken(format!("names sha256 {named} for {WASM}, which has {found}: {text}")));
            }
            None => {
                return Err(broken(format!(
                    "does not name the sha256 of {WASM} in {FILE}: pack it with `takst plugin sign`"
                )));
            }
        }
        let signature = signature.map(|bytes| as_text(SIGNATURE, bytes)).transpose()?;
        Ok(Self { text, manifest, wasm, signature })
    }

    /// As one file: the same package gives the same bytes.
    ///
    /// # Errors
    /// It does not fit into a tar.
    pub fn write(&self) -> Result<Vec<u8>, PackageError> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |name: &str, content: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
            header.set_mode(0o644);
            builder.append_data(&mut header, name, content)
        };
        add(FILE, self.text.as_bytes())
            .and_then(|()| add(WASM, &self.wasm))
            .and_then(|()| self.signature.as_ref().map_or(Ok(()), |text| add(SIGNATURE, text.as_bytes())))
            .and_then(|()| builder.into_inner())
            .map_err(|error| broken(format!("cannot be written: {error}")))
    }
}
