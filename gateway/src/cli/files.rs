//! Reading input files, `-` being standard input, with clear messages and bounded memory.

use super::failure::Failure;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Whether the path means standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How a path is shown to people.
pub fn shown(path: &Path) -> String {
    if is_stdin(path) { "standard input".into() } else { path.display().to_string() }
}

/// Opens a file or standard input.
///
/// # Errors
/// A missing file, a folder, or one that may not be read.
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if is_stdin(path) {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(Failure::Io(format!("`{}` is a folder; name a file in it", path.display())));
    }
    Ok(Box::new(file))
}

/// The bytes of a file, but no more than one beyond `limit`.
///
/// # Errors
/// As [`open`].
pub fn bytes(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    open(path)?.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

/// The text of a JSON document.
///
/// # Errors
/// As [`open`]; also a document that is too large or not UTF-8.
pub fn text(path: &Path) -> Result<String, Failure> {
    let limit = takst_engine::input::MAX_JSON;
    let bytes = bytes(path, limit)?;
    if bytes.len() > limit {
        return Err(Failure::Input(format!("{}: larger than {} MiB", shown(path), limit >> 20)));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::Input(format!("{}: not UTF-8 text", shown(path))))?;
    // Some programs write a byte order mark.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Writes a file.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::Io(format!("`{}` cannot be written: {error}", path.display())))
}

/// The message for a file that cannot be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let shown = shown(path);
    Failure::Io(match error.kind() {
        std::io::ErrorKind::NotFound => format!("`{shown}` does not exist"),
        std::io::ErrorKind::PermissionDenied => format!("`{shown}` may not be read (permission denied)"),
        std::io::ErrorKind::IsADirectory => format!("`{shown}` is a folder; name a file in it"),
        _ => format!("`{shown}` cannot be read: {error}"),
    })
}
