//! `takst restore`.

use super::backup::Done;
use super::failure::{Exit, Failure};
use super::files;
use super::out::Out;
use super::place::{self, Place};
use crate::store::{Store, restore};
use clap::Args;
use std::path::PathBuf;

/// Fill an empty database from a backup
///
/// Every table is compared with what the backup says of itself. If anything is not as it was saved, nothing is restored. A backup of
/// SQLite can be restored into PostgreSQL and the other way round: so a gateway moves from one to the other.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst restore 2026-03-01.takst --data restored
  takst restore 2026-03-01.takst --database postgres://takst@db/takst

The folder must hold no data yet, the database no rows. To put a backup in place of a gateway's data: stop it, move its folder
away, restore, start it again.")]
pub struct Restore {
    /// A backup made by `takst backup`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    /// Restores the data.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let from = self.file.display().to_string();
        if !self.file.is_file() {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(files::unreadable(&self.file, &missing));
        }
        place::run(async {
            let url = self.place.url()?;
            let line = |seconds| format!("restoring {from}: {seconds} s");
            let contents = place::waiting(restore(&self.file, &url), line).await;
            let contents = contents.map_err(|error| place::failure(&error))?;
            // Without the password that may stand in the address.
            let store = Store::open_reader(&url).await.map_err(|error| place::failure(&error))?;
            let to = store.place();
            store.close().await;
            if out.json() {
                out.document(&Done { from: &from, to: &to, tables: &contents })?;
            } else {
                out.line(&format!("restored {from} into {to}: {}", place::contents(&contents)))?;
            }
            Ok(Exit::Fine)
        })
    }
}
