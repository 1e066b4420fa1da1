//! The tariff files in the folder of the set-up, also those that are assigned nowhere.

use super::House;
use super::change::{ChangeError, ended};
use super::taken;
use crate::setup::{EditError, folder_of, join, list_name};
use crate::store::Lane;
use std::path::Path;
use std::sync::Arc;
use takst_engine::units::Instant;

const MOST_FILES: usize = 1_000;
const MOST_DEPTH: usize = 8;

impl House {
    /// The tariff files in the folder of the set-up, seen from there, in the order of their names.
    #[must_use]
    pub fn lists(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(folder) = self.folder() {
            look(&folder, "", 0, &mut found);
        }
        found.sort();
        found
    }

    /// The text of a tariff file in the folder of the set-up; none when there is no such file.
    ///
    /// # Errors
    /// When the name is none of a tariff file there.
    pub fn list_text(&self, name: &str) -> Result<Option<String>, EditError> {
        let name = list_name(name)?;
        Ok(self.folder().and_then(|folder| std::fs::read_to_string(folder.join(name)).ok()))
    }

    /// What uses a tariff file: assignments of the set-up and files that are based on it.
    fn users(&self, name: &str) -> Vec<String> {
        let assigned = self.state().loaded.section("tariff").unwrap_or_default();
        let file =
            |thing: &serde_json::Value| thing.get("file").and_then(|file| Some(join("", file.as_str()?)));
        let assigned = assigned.iter().filter(|(_, thing)| file(thing).as_deref() == Some(name));
        let mut users: Vec<String> = assigned.map(|(id, _)| format!("tariff {id}")).collect();
        for other in self.lists().into_iter().filter(|other| other != name) {
            let text = self.list_text(&other).ok().flatten().unwrap_or_default();
            // The file that a list is based on is the only one that it names.
            let names = text.split('"').skip(1).step_by(2).filter(|named| named.ends_with(".tariff"));
            if names.into_iter().any(|named| join(folder_of(&other), named) == name) {
                users.push(other);
            }
        }
        users
    }

    /// Takes a tariff file out of the folder that nothing uses. Versions that were in force stay known: bills are made of them.
    /// Whether there was one.
    ///
    /// # Errors
    /// [`ChangeError::InUse`]; when the file cannot be removed.
    pub async fn remove_list(
        self: &Arc<Self>,
        name: &str,
        by: &str,
        now: Instant,
    ) -> Result<bool, ChangeError> {
        let (house, name, by) = (Arc::clone(self), list_name(name)?, by.to_owned());
        let work = tokio::spawn(async move {
            let _turn = house.turn.lock().await;
            let Some(folder) = house.folder() else { return Err(ChangeError::NoFiles) };
            if house.list_text(&name)?.is_none() {
                return Ok(false);
            }
            let users = house.users(&name);
            if !users.is_empty() {
                return Err(ChangeError::InUse(name, users.join(", ")));
            }
            let (org, entry) = (house.org.clone(), taken::removed(&name, &by, now));
            let unit = async move |tx: &mut crate::store::Tx| tx.audit(&org, &entry).await;
            house.store.write(Lane::org(&house.org), unit).await?;
            std::fs::remove_file(folder.join(&name))
                .map_err(|error| ChangeError::Write(format!("`{name}` cannot be removed: {error}")))?;
            Ok(true)
        });
        work.await.map_err(|_| ended())?
    }
}

fn look(folder: &Path, below: &str, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || found.len() >= MOST_FILES {
            continue;
        }
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < MOST_DEPTH => look(&entry.path(), &name, depth + 1, found),
            Ok(kind) if kind.is_file() && name.ends_with(".tariff") => found.push(name),
            _ => {}
        }
    }
}
