//! What a component was built from, written beside it: whoever tries or signs a plugin shall have what its source says now.

use super::super::failure::Failure;
use super::load::built;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use takst_plugin_build::{Language, TARGET};
use takst_plugins::load::sha256;

/// Where it is written, in the plugin's folder.
const RECORD: &str = "build/plugin.sources.json";
/// Beside the source, and not a part of it: what tools make, and tapes.
const BESIDE: [&str; 4] = ["build", "node_modules", "target", "tapes"];
const ENDINGS: [&str; 5] = ["key", "plugin", "pub", "pyc", "wasm"];
/// What tools write down while they build.
const LOCKS: [&str; 2] = ["Cargo.lock", "package-lock.json"];
/// Folders in folders; a link may lead round in a circle.
const DEPTH: usize = 16;

/// Files with the sha256 of each. Paths are relative to the folder, but for those outside of it.
type Files = BTreeMap<String, String>;

#[derive(Serialize, Deserialize)]
struct Record {
    /// The sha256 of what was built.
    component: String,
    sources: Files,
}

/// All that is in a plugin's folder and may be a part of its source, as it is now.
pub(super) fn now(folder: &Path) -> Result<Files, Failure> {
    let mut files = Files::new();
    walk(folder, "", 0, &mut files)?;
    Ok(files)
}

fn walk(folder: &Path, within: &str, depth: usize, files: &mut Files) -> Result<(), Failure> {
    let io = |path: &Path, error: std::io::Error| Failure::Io(format!("{}: {error}", path.display()));
    for entry in std::fs::read_dir(folder).map_err(|error| io(folder, error))? {
        let entry = entry.map_err(|error| io(folder, error))?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let hidden = name.starts_with('.') && name != ".cargo";
        if hidden || name == "__pycache__" || (within.is_empty() && BESIDE.contains(&name.as_str())) {
            continue;
        }
        let within = format!("{within}{name}");
        // A link that leads nowhere is nobody's source.
        let Ok(about) = std::fs::metadata(&path) else { continue };
        if about.is_dir() {
            if depth < DEPTH {
                walk(&path, &format!("{within}/"), depth + 1, files)?;
            }
        } else if about.is_file()
            && !path.extension().is_some_and(|ending| ENDINGS.iter().any(|one| ending == *one))
        {
            let bytes = std::fs::read(&path).map_err(|error| io(&path, error))?;
            files.insert(within, sha256(&bytes));
        }
    }
    Ok(())
}

/// Writes down what a component was built from. `before` is what was there when the build began: a file that was changed while it ran
/// may not be in it.
pub(super) fn keep(folder: &Path, mut before: Files, component: &[u8]) -> Result<(), Failure> {
    for (name, hash) in now(folder)? {
        if LOCKS.contains(&name.as_str()) {
            before.entry(name).or_insert(hash);
        }
    }
    before.extend(outside(folder));
    let record = Record { component: sha256(component), sources: before };
    let place = folder.join(RECORD);
    let text = serde_json::to_string_pretty(&record)
        .map_err(|error| Failure::Io(format!("{}: {error}", place.display())))?;
    std::fs::write(&place, text + "\n").map_err(|error| Failure::Io(format!("{}: {error}", place.display())))
}

// Source that lies elsewhere, as cargo says: a crate beside the plugin's.
fn outside(folder: &Path) -> Files {
    let mut files = Files::new();
    let Ok(own) = folder.canonicalize() else { return files };
    let Ok(entries) = std::fs::read_dir(folder.join("build/target").join(TARGET).join("release")) else {
        return files;
    };
    for entry in entries.flatten().filter(|entry| entry.path().extension().is_some_and(|one| one == "d")) {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let paths =
            text.lines().filter_map(|line| line.split_once(": ")).flat_map(|(_, paths)| listed(paths));
        for path in paths.filter(|path| path.is_absolute() && !path.starts_with(&own)) {
            if let (Some(name), Ok(bytes)) = (path.to_str(), std::fs::read(&path)) {
                files.insert(name.to_owned(), sha256(&bytes));
            }
        }
    }
    files
}

// Paths of a line, as `make` reads them: a blank in one has a backslash before it.
fn listed(line: &str) -> Vec<PathBuf> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for part in line.split(' ') {
        let (text, more) = part.strip_suffix('\\').map_or((part, false), |text| (text, true));
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(text);
            }
            None => all.push(text.to_owned()),
        }
        goes_on = more;
    }
    all.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// Why the component of a folder is not what its source would make now, if it is not. A folder without source is as it is.
pub(super) fn stale(folder: &Path, component: &[u8]) -> Result<Option<String>, Failure> {
    if !Language::ALL.iter().any(|language| folder.join(language.file()).is_file()) {
        return Ok(None);
    }
    let record = std::fs::read_to_string(folder.join(RECORD)).unwrap_or_default();
    let place = built(folder);
    let Ok(record) = serde_json::from_str::<Record>(&record) else {
        return Ok(Some(format!("nothing says what {} was built from", place.display())));
    };
    if record.component != sha256(component) {
        return Ok(Some(format!("{} is not what `takst plugin build` made", place.display())));
    }
    let mut now = now(folder)?;
    for name in record.sources.keys().filter(|name| Path::new(name).is_absolute()) {
        if let Ok(bytes) = std::fs::read(name) {
            now.insert(name.clone(), sha256(&bytes));
        }
    }
    let differs = |name: &&String| now.get(*name) != record.sources.get(*name);
    let mut names: Vec<&String> = now.keys().chain(record.sources.keys()).filter(differs).collect();
    names.sort();
    names.dedup();
    Ok(match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} has changed since the plugin was built")),
        [one, rest @ ..] => {
            Some(format!("{one} and {} more have changed since the plugin was built", rest.len()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::listed;
    use std::path::PathBuf;

    #[test]
    fn a_path_may_have_blanks() {
        let paths = ["/a/lib.rs", "/my plugins/sdk/src/lib.rs", "/c.rs"].map(PathBuf::from);
        assert_eq!(listed("/a/lib.rs /my\\ plugins/sdk/src/lib.rs  /c.rs"), paths);
    }
}
