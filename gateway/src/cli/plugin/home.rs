//! The set-up of a gateway, as an operator changes its plugins: checked whole before anything of it is written.

use super::super::diagnostics;
use super::super::failure::Failure;
use super::super::out::Out;
use super::load;
use super::sign::{file_name, write};
use crate::plugins::Workshop;
use crate::plugins::shipped::{self, Shipped};
use crate::setup::{Environment, Files, Loaded, Organisation, Plugin, PluginFile};
use clap::Args;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use takst_plugins::grant::Grant;
use takst_plugins::limits::Limits;
use takst_plugins::manifest::Manifest;
use takst_plugins::package::{Package, SignError, Trusted};

/// Stands in for a variable that only `takst serve` has: as long as a secret may be.
const ELSEWHERE: &[u8] = b"a variable that is set elsewhere";

/// Which set-up.
#[derive(Args, Debug)]
pub(super) struct Where {
    /// The gateway's set-up: a TOML file, or a folder of them
    #[arg(long, value_name = "FILE", default_value = "takst.toml")]
    config: PathBuf,
}

/// What an operator answers to what a plugin asks for.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// All of it.
    All,
    /// Nothing.
    Nothing,
    /// What a file says.
    File(PathBuf),
}

impl Answer {
    /// From the command line.
    pub(super) fn read(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(match text {
            "all" => Self::All,
            "none" => Self::Nothing,
            path => Self::File(path.into()),
        })
    }

    /// As a grant.
    pub(super) fn grant(&self, manifest: &Manifest) -> Result<Grant, Failure> {
        match self {
            Self::All => Ok(Grant::all(manifest)),
            Self::Nothing => Ok(Grant::default()),
            Self::File(path) => load::grant(path),
        }
    }
}

/// A set-up without errors.
pub(super) struct Home {
    pub(super) loaded: Loaded,
    files: Files,
}

impl Where {
    /// Reads and checks it.
    pub(super) fn open(&self, out: &mut Out) -> Result<Home, Failure> {
        let files = match Files::read(&self.config) {
            Ok(files) => files,
            Err(problems) => return Err(diagnostics::of_setup(&problems, out)?),
        };
        let loaded = checked(&files, out)?;
        Ok(Home { loaded, files })
    }
}

// Checked as `serve` does, but for the values of variables, which need not be set here.
fn checked(files: &Files, out: &mut Out) -> Result<Loaded, Failure> {
    let workshop = Workshop::new(None).map_err(|error| Failure::Io(error.to_string()))?;
    let missing = RefCell::new(BTreeSet::new());
    let variable = |name: &str| {
        let value = std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes);
        Some(value.unwrap_or_else(|| {
            missing.borrow_mut().insert(name.to_owned());
            ELSEWHERE.to_vec()
        }))
    };
    let environment = Environment { variable: &variable, before: None, judge: Some(&workshop) };
    match files.load(&environment) {
        Ok(loaded) => {
            for name in missing.take() {
                out.hint(&format!("the variable {name} is not set here; `takst serve` needs it"));
            }
            Ok(loaded)
        }
        Err(problems) => Err(diagnostics::of_setup(&problems, out)?),
    }
}

impl Home {
    /// The plugin of this name: what the set-up says of it, and what it is made of.
    pub(super) fn find(&self, id: &str) -> Result<(&Plugin, &Arc<PluginFile>), Failure> {
        let said = self.loaded.setup.document().plugins.iter().find(|plugin| plugin.id.as_str() == id);
        match (said, self.loaded.plugins.get(id)) {
            (Some(said), Some(file)) => Ok((said, file)),
            _ => {
                let all: Vec<&str> = self.loaded.plugins.keys().map(String::as_str).collect();
                let all = if all.is_empty() { "it has none".to_owned() } else { all.join(", ") };
                Err(Failure::Input(format!("there is no plugin `{id}` in this set-up: {all}")))
            }
        }
    }

    /// Those in the program that are not set up.
    pub(super) fn others(&self) -> Vec<&'static Shipped> {
        let used = |one: &&Shipped| {
            !self.loaded.plugins.values().any(|file| file.is_shipped() && file.manifest.id == one.id())
        };
        shipped::all().iter().filter(used).collect()
    }

    /// The keys whose packages may run, with their texts.
    pub(super) fn keys(&self) -> Result<Vec<(String, Trusted)>, Failure> {
        let Organisation { plugin_keys, .. } = &self.loaded.setup.document().organisation;
        plugin_keys
            .iter()
            .map(|text| match Trusted::read(text) {
                Ok(key) => Ok((text.clone(), key)),
                Err(error) => Err(Failure::Input(error.to_string())),
            })
            .collect()
    }

    /// Where a path of the set-up is.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.files.folder().join(relative)
    }

    /// Where a package goes, beside the set-up. A file that is there keeps its content: another plugin may be made of it, and nobody
    /// gives that one new code by the way. A package of the same name gets its hash into its own.
    pub(super) fn package_file(
        &self,
        package: &Package,
        bytes: &[u8],
        out: &mut Out,
    ) -> Result<String, Failure> {
        let free = |name: &str| match std::fs::read(self.path(name)) {
            Ok(there) => Ok(there == bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(Failure::Io(format!("{}: {error}", self.path(name).display()))),
        };
        let plain = format!("plugins/{}", file_name(package));
        if free(&plain)? {
            return Ok(plain);
        }
        let sha256 = takst_plugins::load::sha256(bytes);
        let manifest = &package.manifest;
        let own = format!(
            "plugins/{}-{}-{}.plugin",
            manifest.id,
            manifest.version,
            sha256.get(..16).unwrap_or(&sha256)
        );
        if free(&own)? {
            out.hint(&format!("`{plain}` has other content and stays as it is: this package is `{own}`"));
            return Ok(own);
        }
        Err(Failure::Input(format!(
            "`{}` is there with other content than its name says: move it away if no plugin is made of it; nothing was changed",
            self.path(&own).display()
        )))
    }

    /// The file of a plugin's grant, which is its own: what is written there is said of no other plugin.
    pub(super) fn own_grant(&self, id: &str) -> Result<String, Failure> {
        let plugins = &self.loaded.setup.document().plugins;
        let said = plugins.iter().find(|plugin| plugin.id.as_str() == id);
        let usual = grant_file(id);
        let named = said.and_then(|plugin| plugin.grant.as_ref()).map(ToString::to_string);
        let user = |name: &str| {
            let place = self.path(name).canonicalize().ok()?;
            let others = plugins.iter().filter(|plugin| plugin.id.as_str() != id);
            others
                .filter(|plugin| {
                    let grant = plugin.grant.as_ref().map(|grant| self.path(grant.as_str()).canonicalize());
                    grant.is_some_and(|grant| grant.is_ok_and(|grant| grant == place))
                })
                .map(|plugin| plugin.id.to_string())
                .next()
        };
        match named.filter(|name| user(name).is_none()) {
            Some(name) => Ok(name),
            None => match user(&usual) {
                None => Ok(usual),
                Some(other) => Err(Failure::Input(format!(
                    "`{usual}` is the grant of `{other}`: give that one a file of its own (`grant = ...` in the set-up); nothing was changed"
                ))),
            },
        }
    }

    /// Writes new files and changes the set-up, all or nothing: it is checked with the files in place, and they are put back as they
    /// were when it has errors.
    pub(super) fn change(
        &mut self,
        new: &[(String, Vec<u8>)],
        edit: impl FnOnce(&mut Files) -> Result<(), crate::setup::EditError>,
        out: &mut Out,
    ) -> Result<Vec<PathBuf>, Failure> {
        edit(&mut self.files).map_err(|error| Failure::Input(error.to_string()))?;
        let mut before = Vec::new();
        let mut done = (|| {
            for (name, bytes) in new {
                let path = self.path(name);
                let was = std::fs::read(&path).ok();
                // A package that two plugins are made of.
                if was.as_ref() == Some(bytes) {
                    continue;
                }
                before.push((path.clone(), was));
                write(&path, bytes)?;
            }
            Ok(())
        })();
        if done.is_ok() {
            done = checked(&self.files, out).and_then(|loaded| {
                let written = self.files.save().map_err(Failure::Io)?;
                self.loaded = loaded;
                for path in written {
                    before.push((path, None));
                }
                Ok(())
            });
        }
        match done {
            Ok(()) => Ok(before.into_iter().map(|(path, _)| path).collect()),
            Err(failure) => {
                for (path, was) in before {
                    let back = match was {
                        Some(bytes) => write(&path, &bytes),
                        None => std::fs::remove_file(&path).map_err(|error| Failure::Io(error.to_string())),
                    };
                    if let Err(error) = back {
                        out.hint(&format!("`{}` could not be put back: {error}", path.display()));
                    }
                }
                Err(failure)
            }
        }
    }
}

/// Which of the keys has signed a package.
pub(super) fn signed_by<'a>(package: &Package, keys: &'a [(String, Trusted)]) -> Result<&'a str, SignError> {
    let mut last = None;
    for (text, key) in keys {
        match package.verify(std::slice::from_ref(key)) {
            Ok(()) => return Ok(text),
            Err(SignError::Stranger(id, _)) => last = Some(SignError::Stranger(id, keys.len())),
            Err(error) => return Err(error),
        }
    }
    let id = || package.manifest.id.clone();
    Err(last.unwrap_or_else(|| match package.signature {
        Some(_) => SignError::Stranger(id(), 0),
        None => SignError::Unsigned(id()),
    }))
}

/// A public key from its file, with its text as the set-up has it.
pub(super) fn public_key(path: &Path) -> Result<(String, Trusted), Failure> {
    let text = super::super::files::text(path)?;
    let key = Trusted::read(&text).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
    // The key itself is the last line; the one before it is a comment.
    let line = text.trim().lines().last().unwrap_or_default().trim();
    Ok((line.to_owned(), key))
}

/// Something that a plugin asks for, in words, and whether it may have it.
#[derive(serde::Serialize)]
pub(super) struct Wish {
    pub(super) what: String,
    pub(super) granted: bool,
}

/// All that a plugin asks for beside the usual.
pub(super) fn wishes(manifest: &Manifest, grant: &Grant) -> Vec<Wish> {
    let mut all = Vec::new();
    for capability in &manifest.capabilities {
        all.push(Wish { what: format!("work as {capability}"), granted: grant.allows(*capability) });
    }
    for rule in &Grant::all(manifest).http {
        let has = grant.http.iter().find(|one| one.host == rule.host && one.port == rule.port);
        let fewer = |asked: &Option<Vec<String>>, given: &Option<Vec<String>>| match (asked, given) {
            (Some(asked), Some(given)) => asked.iter().any(|one| !given.contains(one)),
            _ => false,
        };
        let granted =
            has.is_some_and(|has| !fewer(&rule.methods, &has.methods) && !fewer(&rule.paths, &has.paths));
        let port = rule.port.map(|port| format!(":{port}")).unwrap_or_default();
        let methods = rule.methods.clone().unwrap_or_default().join(", ");
        let paths = rule.paths.clone().unwrap_or_default().join(", ");
        all.push(Wish { what: format!("call {}{port}: {methods} {paths}", rule.host), granted });
    }
    let (_, beyond) = Limits::effective(&manifest.limits, &Grant::default().limits);
    let (_, missing) = Limits::effective(&manifest.limits, &grant.limits);
    for line in beyond {
        let granted = !missing.contains(&line);
        all.push(Wish { what: format!("{line}, which is beyond the usual"), granted });
    }
    all
}

// What a grant's file is called, beside the set-up.
fn grant_file(id: &str) -> String {
    format!("plugins/{id}.grant")
}

/// Fields of the set-up from names and values.
pub(super) fn fields(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Where a secret is, from `NAME=env:VARIABLE` or `NAME=file:PATH`.
pub(super) fn secret(text: &str) -> Result<(String, Value), String> {
    let (name, place) = load::pair(text)?;
    let value = match place.split_once(':') {
        Some(("env", variable)) if !variable.is_empty() => json!({ "env": variable }),
        Some(("file", path)) if !path.is_empty() => json!({ "file": path }),
        _ => {
            return Err(format!(
                "say where it is: {name}=env:VARIABLE or {name}=file:PATH; the secret itself has no place on a command line"
            ));
        }
    };
    Ok((name, value))
}
