//! A plugin's folder: which language it is written in, and how it becomes a component.
//!
//! What a folder holds says its language: `Cargo.toml` Rust, `package.json` JavaScript, `plugin.py` Python, `plugin.c` C. The interface stands in `wit`, with the
//! plugin's own world `plugin` in `wit/plugin.wit`. What the tools need is fetched from npm and PyPI into the folder; nothing is installed for the whole machine.

mod c;
mod javascript;
mod new;
mod python;
mod tools;

pub use new::create;

use crate::nested::Guests;
use crate::{BuildError, component, module};
use std::path::{Path, PathBuf};

/// What a plugin is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// Rust, with `takst-plugin-sdk`.
    Rust,
    /// JavaScript, with `componentize-qjs` from npm.
    JavaScript,
    /// Python, with `componentize-py` from PyPI.
    Python,
    /// C, with the compiler of `ziglang` from PyPI.
    C,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::JavaScript, Self::Python, Self::C];

    /// As options of commands say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// The file that a folder in this language has.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::JavaScript => "package.json",
            Self::Python => "plugin.py",
            Self::C => "plugin.c",
        }
    }
}

/// A plugin's folder.
#[derive(Clone, Debug)]
pub struct Project {
    folder: PathBuf,
    language: Language,
}

impl Project {
    /// Looks what the folder holds.
    ///
    /// # Errors
    /// [`BuildError::Project`]: it holds no plugin, or plugins in two languages.
    pub fn open(folder: &Path) -> Result<Self, BuildError> {
        let wrong = |why: String| BuildError::Project { folder: folder.to_path_buf(), why };
        let has = |language: &Language| folder.join(language.file()).is_file();
        let found: Vec<Language> = Language::ALL.into_iter().filter(has).collect();
        let language = match found.as_slice() {
            [language] => *language,
            [] => {
                let files = Language::ALL.map(Language::file).join(", ");
                return Err(wrong(format!("it has none of {files}; `takst plugin new` makes a plugin")));
            }
            [one, other, ..] => {
                return Err(wrong(format!(
                    "it has both {} and {}: a plugin is written in one language",
                    one.file(),
                    other.file()
                )));
            }
        };
        // Compilers and their tools are started in the folder.
        let folder =
            folder.canonicalize().map_err(|error| BuildError::File { path: folder.to_path_buf(), error })?;
        Ok(Self { folder, language })
    }

    /// Its language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The component. What the tools need is fetched first, where it is missing.
    ///
    /// # Errors
    /// What the compiler said, or what is missing and how to get it.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let out = self.folder.join("build");
        std::fs::create_dir_all(&out).map_err(|error| BuildError::File { path: out.clone(), error })?;
        match self.language {
            Language::Rust => self.rust(&out),
            Language::JavaScript => javascript::build(&self.folder, &out),
            Language::Python => python::build(&self.folder, &out),
            Language::C => c::build(&self.folder, &out),
        }
    }

    fn rust(&self, out: &Path) -> Result<Vec<u8>, BuildError> {
        let manifest = self.folder.join("Cargo.toml");
        let folder = Guests {
            manifest: &manifest,
            target: &out.join("target"),
            package: None,
            locked: self.folder.join("Cargo.lock").is_file(),
        }
        .build()?;
        let mut modules = Vec::new();
        let entries =
            std::fs::read_dir(&folder).map_err(|error| BuildError::File { path: folder.clone(), error })?;
        for entry in entries.flatten() {
            if entry.path().extension().is_some_and(|e| e == "wasm") {
                modules.push(entry.path());
            }
        }
        match modules.as_slice() {
            [path] => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                component(&module(&folder, &name)?)
            }
            [] => Err(BuildError::Project {
                folder: self.folder.clone(),
                why: "cargo made no .wasm file; Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`"
                    .to_owned(),
            }),
            _ => Err(BuildError::Project {
                folder: self.folder.clone(),
                why: format!("cargo made more than one .wasm file in {}", folder.display()),
            }),
        }
    }
}
