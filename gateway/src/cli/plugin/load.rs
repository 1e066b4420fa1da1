//! A plugin's folder or package as an integrator has it, ready to be looked at and called.

use super::super::failure::Failure;
use super::super::files;
use super::super::out::Out;
use super::sources;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use takst_plugin_build::{BuildError, Language, Project};
use takst_plugins::grant::Grant;
use takst_plugins::kv;
use takst_plugins::load::{Code, LARGEST, Shape};
use takst_plugins::manifest::{self, Manifest};
use takst_plugins::package::{Package, PackageError};
use takst_plugins::secrets;
use takst_plugins::{Host, Installation, Plugin, Setup};

/// The built component in a folder: what `build` writes, or what a package holds.
const PLACES: [&str; 2] = ["build/plugin.component.wasm", "plugin.wasm"];

// The component, and what else is in a package.
const LARGEST_PACKAGE: usize = LARGEST + (1 << 20);

/// Where `build` writes it.
pub(super) fn built(folder: &Path) -> PathBuf {
    folder.join(PLACES[0])
}

/// What went wrong while building, as a failure of the program.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn failure(error: BuildError) -> Failure {
    match error {
        BuildError::File { .. } | BuildError::Start { .. } | BuildError::Target { .. } => {
            Failure::Io(error.to_string())
        }
        BuildError::Tool { .. }
        | BuildError::Cargo { .. }
        | BuildError::Project { .. }
        | BuildError::Component { .. } => Failure::Input(error.to_string()),
    }
}

/// `plugin.toml` of a folder.
pub(super) fn manifest(folder: &Path) -> Result<Manifest, Failure> {
    let path = folder.join(manifest::FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::Io(format!("{}: {error}; a plugin is a folder with a plugin.toml", path.display()))
    })?;
    Manifest::read(&path.display().to_string(), &text).map_err(|errors| Failure::Input(errors.to_string()))
}

// The component of a folder; built first, if its source is there and nothing was built yet, or something else. Its manifest has been read
// before: what is wrong with that is said before anything is downloaded.
fn component(folder: &Path, manifest: &Manifest, out: &mut Out) -> Result<Vec<u8>, Failure> {
    let read = |place: &Path| match std::fs::read(place) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Io(format!("{}: {error}", place.display()))),
    };
    let [ours, given] = PLACES.map(|place| folder.join(place));
    if let Some(bytes) = read(&ours)? {
        let Some(why) = sources::stale(folder, &bytes)? else { return Ok(bytes) };
        out.message(&format!("{why}: it is built anew"));
    } else if let Some(bytes) = read(&given)? {
        return Ok(bytes);
    }
    compile(folder, manifest, out)
}

/// Builds a folder and keeps the component in it, if its manifest is right and the gateway would take it.
pub(super) fn build(folder: &Path, out: &mut Out) -> Result<Vec<u8>, Failure> {
    let manifest = manifest(folder)?;
    compile(folder, &manifest, out)
}

// It can take minutes the first time, so it says what it does.
fn compile(folder: &Path, manifest: &Manifest, out: &mut Out) -> Result<Vec<u8>, Failure> {
    let project = Project::open(folder).map_err(failure)?;
    let tools = match project.language() {
        Language::Rust => {
            "with cargo; the first time it fetches crates, and the target for WebAssembly where it is missing"
        }
        Language::JavaScript => "with componentize-qjs, which npm fetches the first time",
        Language::Python => "with componentize-py, which is fetched from PyPI the first time",
        Language::C => "with ziglang, which is fetched from PyPI the first time",
    };
    out.message(&format!("building {} {tools}", folder.display()));
    let before = sources::now(folder)?;
    let bytes = project.build().map_err(failure)?;
    Shape::read(&bytes)
        .and_then(|shape| shape.check(manifest))
        .map_err(|error| Failure::Input(format!("{}: {error}", folder.display())))?;
    let place = built(folder);
    std::fs::write(&place, &bytes).map_err(|error| Failure::Io(format!("{}: {error}", place.display())))?;
    sources::keep(folder, before, &bytes)?;
    Ok(bytes)
}

/// A folder as a package, not signed yet.
pub(super) fn pack(folder: &Path, out: &mut Out) -> Result<Package, Failure> {
    let read = manifest(folder)?;
    let path = folder.join(manifest::FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::Io(format!("{}: {error}; a plugin is a folder with a plugin.toml", path.display()))
    })?;
    Package::pack(&text, component(folder, &read, out)?).map_err(|error| wrong(folder, &error))
}

/// A package as it was read from a file.
pub(super) fn package(path: &Path) -> Result<Package, Failure> {
    let bytes = files::bytes(path, LARGEST_PACKAGE)?;
    if bytes.len() > LARGEST_PACKAGE {
        let most = LARGEST_PACKAGE >> 20;
        return Err(Failure::Input(format!("{}: no package is larger than {most} MiB", path.display())));
    }
    Package::read(&bytes).map_err(|error| wrong(path, &error))
}

/// What is wrong with a package, as a failure of the program.
pub(super) fn wrong(path: &Path, error: &PackageError) -> Failure {
    Failure::Input(match error {
        PackageError::Broken(_) => format!("{}: {error}", path.display()),
        PackageError::Manifest(_) => error.to_string(),
    })
}

/// Compiles a folder or a package, or says why it cannot be.
pub(super) fn code(path: &Path, out: &mut Out) -> Result<(Host, Arc<Code>), Failure> {
    if path.is_file() {
        let package = package(path)?;
        return compiled(path, &package.manifest, &package.wasm);
    }
    let manifest = manifest(path)?;
    compiled(path, &manifest, &component(path, &manifest, out)?)
}

/// Compiles a component, or says why it cannot be.
pub(super) fn compiled(from: &Path, manifest: &Manifest, wasm: &[u8]) -> Result<(Host, Arc<Code>), Failure> {
    let host = Host::new(Setup::default()).map_err(|error| Failure::Io(error.to_string()))?;
    let code =
        host.code(manifest, wasm).map_err(|error| Failure::Input(format!("{}: {error}", from.display())))?;
    Ok((host, code))
}

/// A grant from a file.
pub(super) fn grant(path: &Path) -> Result<Grant, Failure> {
    Grant::read(&path.display().to_string(), &files::text(path)?)
        .map_err(|errors| Failure::Input(errors.to_string()))
}

/// What the operator of a plugin says of it, on the command line.
#[derive(Args, Debug)]
pub(super) struct Said {
    /// A setting; may be given more than once
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// A secret, read from a file; may be given more than once
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = pair)]
    secrets: Vec<(String, String)>,
    /// What it may do (TOML); without it, all that plugin.toml asks for
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What is wrong with settings and secrets from the command line: names that the plugin does not have, and values that are not right. What
/// is left out and needed comes besides.
pub(super) fn unfit<'a>(
    manifest: &Manifest,
    settings: &[(String, String)],
    secrets: impl Iterator<Item = &'a str>,
) -> (Vec<String>, Vec<String>) {
    let (mut wrong, mut missing) = (Vec::new(), Vec::new());
    for found in manifest.check_settings(settings).into_iter().filter(|found| found.error) {
        let given = settings.iter().find(|(name, _)| *name == found.setting);
        let near = takst_engine::input::nearest(&found.setting, manifest.settings.keys().map(String::as_str));
        let near = near.filter(|near| *near != found.setting);
        match given {
            Some((name, value)) => {
                let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
                wrong.push(format!("`--set {name}={value}`: {}{near}", found.text));
            }
            None => missing.push(format!("`--set {}=VALUE` is {}", found.setting, found.text)),
        }
    }
    let known: Vec<&str> = manifest.secrets.keys().map(String::as_str).collect();
    for name in secrets.filter(|name| !known.contains(name)) {
        let id = &manifest.id;
        wrong.push(match known.as_slice() {
            [] => format!("`--secret {name}=...`: {id} has no secrets"),
            known => format!("`--secret {name}=...`: {id} has no such secret, it has: {}", known.join(", ")),
        });
    }
    (wrong, missing)
}

impl Said {
    /// The plugin with these settings and secrets, and an empty space of its own. What is needed and left out may stay so: what the plugin
    /// makes of that can be tried too.
    pub(super) fn plugin(&self, host: &Host, code: &Arc<Code>) -> Result<Plugin, Failure> {
        let secrets = self.secrets.iter().map(|(name, _)| name.as_str());
        let (wrong, _) = unfit(&code.manifest, &self.settings, secrets);
        if !wrong.is_empty() {
            return Err(Failure::Input(wrong.join("\n")));
        }
        let grant = match &self.grant {
            Some(path) => grant(path)?,
            None => Grant::all(&code.manifest),
        };
        let mut secrets = Vec::new();
        for (name, file) in &self.secrets {
            let bytes = std::fs::read(file).map_err(|error| Failure::Io(format!("{file}: {error}")))?;
            secrets.push((name.clone(), secrets::Secret::new(&bytes)));
        }
        Ok(host.plugin(
            code,
            Installation {
                name: code.manifest.id.clone(),
                grant,
                settings: self.settings.clone(),
                kv: Arc::new(kv::Memory::default()),
                secrets: Arc::new(secrets::Memory::from_iter(secrets)),
            },
        ))
    }
}
