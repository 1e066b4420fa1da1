//! `takst plugin sign`.

use super::super::failure::{Exit, Failure};
use super::super::files;
use super::super::out::Out;
use super::load;
use clap::Args;
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use takst_plugins::package::{Package, SignError, Signer};

/// Pack a plugin into one file and sign it, or make a key for that
///
/// The signature is one of minisign, over `plugin.toml` in the package, which names the sha256 of the component. A key made by the
/// program minisign works too. TAKST_PLUGIN_KEY_PASSWORD holds the password of a key that has one, else it is asked for.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin sign --new-key author.key        # writes author.pub too: that one is for everybody
  takst plugin sign my-sms --key author.key     # my-sms-1.0.0.plugin
  takst plugin sign my-sms-1.0.0.plugin --key author.key")]
pub struct Sign {
    /// The plugin's folder, or a package
    #[arg(value_name = "PATH", required_unless_present = "new_key")]
    path: Option<PathBuf>,
    /// The secret key
    #[arg(long, value_name = "FILE", required_unless_present = "new_key")]
    key: Option<PathBuf>,
    /// Where the package goes: ID-VERSION.plugin here, or over the package that was named
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Make a new pair of keys: the secret one here, the public one beside it with the ending .pub
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "key", "out"])]
    new_key: Option<PathBuf>,
    /// Make the new key without a password: for machines that sign by themselves
    #[arg(long, requires = "new_key")]
    no_password: bool,
}

#[derive(Serialize)]
struct Signed<'a> {
    file: &'a Path,
    id: &'a str,
    version: String,
    sha256: &'a str,
}

#[derive(Serialize)]
struct Keys<'a> {
    secret: &'a Path,
    public: &'a Path,
    key: &'a str,
}

impl Sign {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        if let Some(place) = &self.new_key {
            return self.make(place, out);
        }
        let (Some(path), Some(key)) = (&self.path, &self.key) else {
            return Err(Failure::Usage("name what to sign, and the key".to_owned()));
        };
        let signer = signer(key)?;
        let is_package = path.is_file();
        let mut package = if is_package { load::package(path)? } else { load::pack(path, out)? };
        // What no gateway would take is not signed.
        load::compiled(path, &package.manifest, &package.wasm)?;
        signer.sign(&mut package).map_err(|error| Failure::Input(error.to_string()))?;
        let place = match &self.out {
            Some(place) => place.clone(),
            None if is_package => path.clone(),
            None => PathBuf::from(file_name(&package)),
        };
        let bytes = package.write().map_err(|error| load::wrong(path, &error))?;
        write(&place, &bytes)?;
        let manifest = &package.manifest;
        if out.json() {
            out.document(&Signed {
                file: &place,
                id: &manifest.id,
                version: manifest.version.to_string(),
                sha256: manifest.sha256.as_deref().unwrap_or_default(),
            })?;
        } else {
            out.line(&place.display().to_string())?;
        }
        Ok(Exit::Fine)
    }

    fn make(&self, place: &Path, out: &mut Out) -> Result<Exit, Failure> {
        let public = place.with_extension("pub");
        if public == place {
            return Err(Failure::Usage("give the secret key another ending than .pub".to_owned()));
        }
        for path in [place, &public] {
            if path.exists() {
                let path = path.display();
                return Err(Failure::Input(format!(
                    "`{path}` is there already: a key is never written over"
                )));
            }
        }
        let password = if self.no_password { None } else { Some(new_password()?) };
        let (secret, open) = Signer::generate(password).map_err(|error| Failure::Io(error.to_string()))?;
        secret_file(place, &secret)?;
        write(&public, open.as_bytes())?;
        let key = open.lines().nth(1).unwrap_or_default();
        if out.json() {
            out.document(&Keys { secret: place, public: &public, key })?;
        } else {
            out.line(&format!("{}  keep it secret, and a copy of it", place.display()))?;
            out.line(&format!("{}  for those who run your plugins: {key}", public.display()))?;
        }
        Ok(Exit::Fine)
    }
}

/// What a package is called.
pub(super) fn file_name(package: &Package) -> String {
    format!("{}-{}.plugin", package.manifest.id, package.manifest.version)
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let io = |error: std::io::Error| Failure::Io(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    readable(file.as_file()).map_err(io)?;
    file.persist(path).map(drop).map_err(|error| io(error.error))
}

// A file that is made under another name belongs to its owner alone; this one is for the gateway's user too.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

// Never readable by others, not even for a moment, and never over another file.
fn secret_file(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| Failure::Io(format!("{}: {error}", path.display())))
}

const PASSWORD: &str = "TAKST_PLUGIN_KEY_PASSWORD";

fn signer(path: &Path) -> Result<Signer, Failure> {
    let text = files::text(path)?;
    let wrong = |error: SignError| Failure::Input(format!("{}: {error}", path.display()));
    match Signer::read(&text, None) {
        Ok(signer) => Ok(signer),
        Err(first) => {
            // It has a password, or it is no key at all; a public key is the usual slip.
            if takst_plugins::package::Trusted::read(&text).is_ok() {
                let path = path.display();
                return Err(Failure::Input(format!("{path}: this is the public key; the secret one signs")));
            }
            let Some(password) = password("Password of the key: ")? else { return Err(wrong(first)) };
            Signer::read(&text, Some(password)).map_err(wrong)
        }
    }
}

fn password(question: &str) -> Result<Option<String>, Failure> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(Some(password));
    }
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    rpassword::prompt_password(question)
        .map(Some)
        .map_err(|error| Failure::Io(format!("the password cannot be read: {error}")))
}

fn new_password() -> Result<String, Failure> {
    let first = password("A password for the new key: ")?.filter(|password| !password.is_empty());
    let Some(first) = first else {
        return Err(Failure::Usage(format!(
            "a key needs a password: set {PASSWORD}, or write --no-password for a machine that signs by itself"
        )));
    };
    if std::env::var_os(PASSWORD).is_none() && password("Again: ")?.as_ref() != Some(&first) {
        return Err(Failure::Usage("the two passwords differ; nothing was written".to_owned()));
    }
    Ok(first)
}
