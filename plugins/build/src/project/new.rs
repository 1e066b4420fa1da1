//! A new plugin's folder: the example in its language, under its own name, with the interface beside it.

use super::Language;
use crate::BuildError;
use include_dir::{Dir, include_dir};
use std::path::{Path, PathBuf};

macro_rules! example {
    ($folder:literal: $($file:literal),*) => {
        (
            $folder,
            &[$(($file, include_str!(concat!("../../../../examples/plugins/", $folder, "/", $file)))),*],
        )
    };
}

type Example = (&'static str, &'static [(&'static str, &'static str)]);

const RUST: Example = example!("rust-chat": "plugin.toml", "Cargo.toml", "src/lib.rs");
const JAVASCRIPT: Example =
    example!("js-webhook": "plugin.toml", "package.json", "plugin.js", "wit/plugin.wit");
const PYTHON: Example =
    example!("python-csv-prices": "plugin.toml", "requirements.txt", "plugin.py", "wit/plugin.wit");
const C: Example = example!("c-flat-price": "plugin.toml", "requirements.txt", "plugin.c", "wit/plugin.wit");

const INTERFACE: &str = include_str!("../../../wit/takst-plugin.wit");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdk/src");
const SDK_MANIFEST: &str = include_str!("../../../sdk/Cargo.toml");

/// Where the example's manifest has the SDK, and where a new plugin's has it.
const SDK_PLACE: (&str, &str) = ("../../../plugins/sdk", "takst-plugin-sdk");

const IGNORED: &str = "/build\n/node_modules\n";

/// Writes a new plugin into the folder `parent/name`; the files that were written.
///
/// # Errors
/// [`BuildError::Project`]: the name cannot be a plugin's, or there is something by that name already. [`BuildError::File`].
pub fn create(parent: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>, BuildError> {
    let folder = parent.join(name);
    let wrong = |why: &str| Err(BuildError::Project { folder: folder.clone(), why: why.to_owned() });
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(2..=40).contains(&name.len())
        || !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.chars().all(letters)
        || name.ends_with('-')
    {
        return wrong(
            "a plugin's name has 2 to 40 small letters, digits and `-`, and begins with a letter, as in my-prices",
        );
    }
    if folder.exists() {
        return wrong("there is something by that name already");
    }
    let (example, files) = match language {
        Language::Rust => RUST,
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::C => C,
    };
    let mut written = Vec::new();
    let mut write = |path: &str, text: &str| {
        let path = folder.join(path);
        let place = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(place)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| BuildError::File { path: path.clone(), error })?;
        written.push(path);
        Ok(())
    };
    for (path, text) in files {
        write(path, &text.replace(example, name).replace(SDK_PLACE.0, SDK_PLACE.1))?;
    }
    write(".gitignore", IGNORED)?;
    if language != Language::Rust {
        write("wit/deps/takst-plugin/takst-plugin.wit", INTERFACE)?;
    } else {
        // The SDK brings the interface with it.
        write(&format!("{}/Cargo.toml", SDK_PLACE.1), SDK_MANIFEST)?;
        write(&format!("{}/wit/takst-plugin.wit", SDK_PLACE.1), INTERFACE)?;
        for file in files_of(&SDK) {
            let text = file.contents_utf8().unwrap_or_default();
            write(&format!("{}/src/{}", SDK_PLACE.1, file.path().display()), text)?;
        }
    }
    Ok(written)
}

fn files_of<'a>(folder: &'a Dir<'a>) -> Vec<&'a include_dir::File<'a>> {
    let below = folder.dirs().flat_map(files_of);
    folder.files().chain(below).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails panics")]
    use super::*;

    #[test]
    fn a_new_plugin_has_its_own_name_and_the_interface() {
        let parent = tempfile::tempdir().unwrap();
        for language in Language::ALL {
            let name = format!("my-{}", language.name());
            let files = create(parent.path(), &name, language).unwrap();
            let folder = parent.path().join(&name);
            assert_eq!(super::super::Project::open(&folder).unwrap().language(), language);
            let manifest = std::fs::read_to_string(folder.join("plugin.toml")).unwrap();
            assert!(manifest.contains(&format!("id = \"{name}\"")), "{manifest}");
            assert!(files.iter().all(|file| file.is_file()), "{files:?}");
            let interface = files.iter().filter(|file| file.ends_with("takst-plugin.wit"));
            assert_eq!(interface.count(), 1);
            assert!(create(parent.path(), &name, language).is_err(), "nothing is written over");
        }
    }

    #[test]
    fn the_guide_has_the_version_that_a_new_plugin_has() {
        let guide = include_str!("../../../GUIDE.md");
        for (folder, files) in [RUST, JAVASCRIPT, PYTHON, C] {
            let (_, manifest) = files.iter().find(|(name, _)| *name == "plugin.toml").unwrap();
            let line = manifest.lines().find_map(|line| line.strip_prefix("version = \"")).unwrap();
            let version = line.trim_end_matches('"');
            assert!(guide.contains(&format!("my-prices-{version}.plugin")), "{folder}: {version}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_is_refused_before_anything_is_written() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["", "My", "../x", "1x", "a_b", "x-", "x", &"x".repeat(41)] {
            let error = create(parent.path(), name, Language::C).unwrap_err().to_string();
            assert!(error.contains("small letters"), "{name}: {error}");
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
