//! `takst backup`.

use super::failure::{Exit, Failure};
use super::out::Out;
use super::place::{self, Place};
use crate::store::Contents;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Save all data of a gateway in one file, while it runs
///
/// The file holds one moment's state: set-up, sessions, bills, keys, personal data. Keep it as safe as the database itself. It can be
/// restored into SQLite and into PostgreSQL, whichever it came from.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst backup 2026-03-01.takst
  takst backup --data /var/lib/takst /backup/takst-$(date +%F).takst
  takst backup --database postgres://takst@db/takst 2026-03-01.takst")]
pub struct Backup {
    /// The file to be made; it must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// The result as JSON.
#[derive(Serialize)]
pub(super) struct Done<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub tables: &'a Contents,
}

impl Backup {
    /// Saves the data.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        place::run(async {
            let store = self.place.reader().await?;
            let from = store.place();
            let mut part = self.file.clone().into_os_string();
            part.push(".part");
            let line = |_| format!("saving {from}: {}", place::size(Path::new(&part)));
            let contents = place::waiting(store.backup(&self.file), line).await;
            store.close().await;
            let contents = contents.map_err(|error| place::failure(&error))?;
            let to = self.file.display().to_string();
            if out.json() {
                out.document(&Done { from: &from, to: &to, tables: &contents })?;
            } else {
                let size = place::size(&self.file);
                out.line(&format!("saved {from} in {to} ({size}): {}", place::contents(&contents)))?;
            }
            Ok(Exit::Fine)
        })
    }
}
