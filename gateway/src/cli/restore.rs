//! `takst restore`.

use super::backup::Done;
use super::failure::{Exit, Failure};
use super::files;
use super::out::Out;
use super::place::{self, Place};
use crate::store::{Since, Store, restore};
use clap::Args;
use std::path::PathBuf;

/// Fill an empty database from a backup
///
/// Every table is compared with what the backup says of itself. If anything is not as it was saved, nothing is restored. A backup of
/// SQLite can be restored into PostgreSQL and the other way round: so a gateway moves from one to the other.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst restore 2026-03-01.takst --data restored
  takst restore 2026-03-01.takst --database postgres://takst@db/takst --nothing-since

The folder must hold no data yet, the database no rows. To put a backup in place of a gateway's data: stop it, move its folder
away, restore, start it again.

What was billed, charged and sent since the backup is not known in it. So nothing is, after a restore, until somebody has looked
and says so: POST /api/v1/outbox-resume, see \"Backups\" in MANUAL.md. With --nothing-since all goes on at once.")]
pub struct Restore {
    /// A backup made by `takst backup`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Nothing was done since the backup: the gateway was stopped before it was made, and not started again
    #[arg(long)]
    nothing_since: bool,
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
            let since = if self.nothing_since { Since::Nothing } else { Since::Unknown };
            let line = |seconds| format!("restoring {from}: {seconds} s");
            let contents = place::waiting(restore(&self.file, &url, since), line).await;
            let contents = contents.map_err(|error| place::failure(&error))?;
            // Without the password that may stand in the address.
            let store = Store::open_reader(&url).await.map_err(|error| place::failure(&error))?;
            let to = store.place();
            store.close().await;
            if out.json() {
                out.document(&Done { from: &from, to: &to, tables: &contents })?;
            } else {
                out.line(&format!("restored {from} into {to}: {}", place::contents(&contents)))?;
                if since == Since::Unknown {
                    out.line("what came after the backup is not known: nothing is billed, charged or sent before POST /api/v1/outbox-resume")?;
                }
            }
            Ok(Exit::Fine)
        })
    }
}
