//! Compiled plugins on disk. wasmtime runs whatever stands in such a file, so only what this gateway wrote itself is believed: each file
//! begins with a MAC over its name and content, by a key that lies beside it for its owner alone. After it stand the names at the plugin's
//! border, as JSON with its length before it, and the code.

use super::Shape;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Engine;
use wasmtime::component::Component;

// Of the MAC.
const MAC: usize = 32;
const KEY_FILE: &str = "key";

/// A folder of compiled plugins.
pub struct Cache {
    folder: PathBuf,
    key: hmac::Key,
    writes: AtomicU64,
}

impl Cache {
    /// Opens a folder; makes it and its key if they are not there. A key that others could read is replaced: what was written with it
    /// is then compiled again.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, String> {
        let says = |error: io::Error| format!("the cache {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(says)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(says)?;
        let key = key(&folder.join(KEY_FILE)).map_err(says)?;
        Ok(Self { folder, key: hmac::Key::new(hmac::HMAC_SHA256, &key), writes: AtomicU64::new(0) })
    }

    // The name has everything that the content depends on: the plugin, wasmtime with its settings, and the interface that it was found to fit.
    fn name(engine: &Engine, sha256: &str) -> String {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        super::fit::WIT.hash(&mut hasher);
        format!("{sha256}-{:016x}", hasher.finish())
    }

    fn mac(&self, name: &str, content: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        // The name has no NUL.
        context.update(name.as_bytes());
        context.update(&[0]);
        context.update(content);
        context.sign()
    }

    /// The compiled plugin and the names at its border, if it is there. An error says why a file that is there is not used.
    #[expect(unsafe_code, reason = "deserialize trusts its bytes: the MAC says that this gateway wrote them")]
    pub(crate) fn get(&self, engine: &Engine, sha256: &str) -> Result<Option<(Shape, Component)>, String> {
        let name = Self::name(engine, sha256);
        let path = self.folder.join(&name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        let Some((mac, content)) = bytes.split_at_checked(MAC) else {
            return Err(format!("{} is cut off", path.display()));
        };
        // Checked and used from the same bytes: nobody can change the file in between.
        let mut text = name.into_bytes();
        text.push(0);
        text.extend_from_slice(content);
        hmac::verify(&self.key, &text, mac).map_err(|_| {
            format!("{} was not written by this gateway, or was changed since", path.display())
        })?;
        let of_another =
            |error: &dyn std::fmt::Display| format!("{} is of another release: {error}", path.display());
        let (length, rest) = content.split_first_chunk::<4>().ok_or_else(|| of_another(&"too short"))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (shape, code) = rest.split_at_checked(length).ok_or_else(|| of_another(&"too short"))?;
        let shape: Shape = serde_json::from_slice(shape).map_err(|error| of_another(&error))?;
        // SAFETY: the bytes are those that `put` got from `Component::serialize`, as the MAC with a key of ours says. wasmtime itself
        // refuses those of another version or other settings.
        let component = unsafe { Component::deserialize(engine, code) };
        component.map(|component| Some((shape, component))).map_err(|error| of_another(&format!("{error:#}")))
    }

    /// Keeps a compiled plugin.
    pub(crate) fn put(&self, component: &Component, shape: &Shape, sha256: &str) -> Result<(), String> {
        let name = Self::name(component.engine(), sha256);
        let says = |error: &dyn std::fmt::Display| format!("it cannot be kept in the cache: {error}");
        let shape = serde_json::to_vec(shape).map_err(|error| says(&error))?;
        let length = u32::try_from(shape.len()).map_err(|error| says(&error))?;
        let code = component.serialize().map_err(|error| says(&format!("{error:#}")))?;
        let content = [length.to_le_bytes().as_slice(), &shape, &code].concat();
        let path = self.folder.join(&name);
        let write = || {
            let number = self.writes.fetch_add(1, Ordering::Relaxed);
            let part = self.folder.join(format!("{name}.{}.{number}.part", std::process::id()));
            let mut file = private(&part)?;
            file.write_all(self.mac(&name, &content).as_ref())?;
            file.write_all(&content)?;
            // Whole or not at all.
            fs::rename(&part, &path)
        };
        write().map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }
}

fn private(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn key(path: &Path) -> io::Result<Vec<u8>> {
    match fs::metadata(path) {
        Ok(data) if data.permissions().mode() & 0o077 == 0 => {
            let key = fs::read(path)?;
            if key.len() == MAC {
                return Ok(key);
            }
            tracing::warn!(file = %path.display(), "the cache's key is not whole: a new one is made, and plugins are compiled again");
            fs::remove_file(path)?;
        }
        Ok(_) => {
            tracing::warn!(file = %path.display(), "others could read the cache's key: a new one is made, and plugins are compiled again");
            fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Two gateways that start at the same time agree on the key of the one that was first.
    let mut key = vec![0; MAC];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("the machine has no random numbers"))?;
    let name: String = key.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let part = path.with_extension(format!("{name}.part"));
    private(&part)?.write_all(&key)?;
    let placed = fs::hard_link(&part, path);
    fs::remove_file(&part)?;
    match placed {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(path),
        Err(error) => Err(error),
    }
}
