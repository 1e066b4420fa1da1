//! `takst plugin new`.

use super::super::failure::{Exit, Failure};
use super::super::out::Out;
use super::load::failure;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;
use takst_plugin_build::{Language, create};

/// Make a new plugin: a folder with a working example and the interface
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst plugin new --lang rust my-notices
  takst plugin new --lang python my-prices --in plugins")]
pub struct New {
    /// The language to write it in
    #[arg(long, value_enum, value_name = "rust|js|python|c", hide_possible_values = true)]
    lang: Lang,
    /// Its name: small letters, digits and `-`
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to put it in
    #[arg(long = "in", value_name = "DIR", default_value = ".")]
    parent: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lang {
    Rust,
    Js,
    Python,
    C,
}

#[derive(Serialize)]
struct Made {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

impl New {
    /// Does it.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let language = match self.lang {
            Lang::Rust => Language::Rust,
            Lang::Js => Language::JavaScript,
            Lang::Python => Language::Python,
            Lang::C => Language::C,
        };
        let files = create(&self.parent, &self.name, language).map_err(failure)?;
        let folder = self.parent.join(&self.name);
        if out.json() {
            out.document(&Made { folder, files })?;
        } else {
            out.line(&folder.display().to_string())?;
            out.hint(&format!("build it with `takst plugin build {}`", folder.display()));
        }
        Ok(Exit::Fine)
    }
}
