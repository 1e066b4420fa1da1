//! The folder of an authority: files that only their owner can read, written whole or not at all.

use super::PkiError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Error, Write as _};
use std::path::{Path, PathBuf};

/// What stands for itself in the name of a file.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

pub(super) struct Folder {
    path: PathBuf,
}

/// Held while files are changed, so that two programs do not undo each other's changes.
pub(super) struct Lock {
    _file: File,
}

/// A name of a charger or server as a name of a file.
pub(super) fn file_name(name: &str) -> String {
    const LONGEST: usize = 180;
    let mut text = utf8_percent_encode(name, PLAIN).to_string();
    if text.starts_with('.') {
        // Neither hidden nor another folder.
        text.replace_range(..1, "%2E");
    }
    if text.len() > LONGEST {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        text.truncate(LONGEST);
        text.push_str(&format!("-{:016x}", hasher.finish()));
    }
    text
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes it if it is not there.
    pub fn make(path: &Path) -> Result<Self, PkiError> {
        let folder = Self::new(path);
        folder.make_dir(path)?;
        Ok(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn lock(&self) -> Result<Lock, PkiError> {
        let path = self.path(".lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        let locked = options.open(&path).and_then(|file| file.lock().map(|()| file));
        locked.map(|file| Lock { _file: file }).map_err(|error| failed("locked", &path, &error))
    }

    pub fn read(&self, name: &str) -> Result<String, PkiError> {
        let path = self.path(name);
        std::fs::read_to_string(&path).map_err(|error| failed("read", &path, &error))
    }

    /// Writes a file; where it is. It is on the disk before it takes the place of an older one.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, PkiError> {
        let path = self.path(name);
        let place = path.parent().unwrap_or(&self.path);
        self.make_dir(place)?;
        let write = || {
            // Such a file is private from its first byte on.
            let mut file = tempfile::NamedTempFile::new_in(place)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            sync_dir(place)
        };
        write().map_err(|error| failed("written", &path, &error))?;
        Ok(path)
    }

    fn make_dir(&self, path: &Path) -> Result<(), PkiError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| failed("made", path, &error))
    }
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

// The name of a file is on the disk when its folder is.
fn sync_dir(path: &Path) -> Result<(), Error> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn failed(what: &str, path: &Path, error: &Error) -> PkiError {
    PkiError::Io(format!("{} cannot be {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_name_stays_in_its_folder() {
        for (name, file) in [
            ("CP-1_a", "CP-1_a"),
            ("takst.example.org", "takst.example.org"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("a/b", "a%2Fb"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("æ", "%C3%A6"),
        ] {
            assert_eq!(file_name(name), file);
        }
        assert!(file_name(&"x".repeat(999)).len() <= 200);
    }
}
