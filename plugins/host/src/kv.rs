//! What a plugin keeps: a store of names and values per plugin, and the writes of one call, which count when the call returns.

use crate::limits::Limits;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest name, in bytes.
pub const KEY: usize = 256;
/// The most names that are told at once.
pub const NAMES: usize = 1_000;

/// What a call changes: a value, or nothing for a name that goes.
pub type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// The space of **one** plugin: whoever makes it binds it to that plugin, so that there is no other one to reach from it.
pub trait Kv: Send + Sync {
    /// The value of a name.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, String>>;
    /// The names that begin so and come after `after`, in order, at most so many.
    fn names<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>>;
    /// Bytes of all names and values.
    fn size(&self) -> BoxFuture<'_, Result<u64, String>>;
    /// Makes all changes or none.
    fn commit<'a>(&'a self, changes: &'a Changes) -> BoxFuture<'a, Result<(), String>>;
}

/// Spaces in memory, for tests and for trying a plugin.
#[derive(Clone, Default, Debug)]
pub struct Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Memory {
    /// What is in it.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Kv for Memory {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, String>> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        Box::pin(async { Ok(value) })
    }

    fn names<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let names: Vec<String> = all
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(prefix))
            .take(most)
            .cloned()
            .collect();
        Box::pin(async { Ok(names) })
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, String>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = all.iter().map(|(name, value)| bytes(name, value)).sum();
        Box::pin(async move { Ok(size) })
    }

    fn commit<'a>(&'a self, changes: &'a Changes) -> BoxFuture<'a, Result<(), String>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in changes {
            match value {
                Some(value) => all.insert(name.clone(), value.clone()),
                None => all.remove(name),
            };
        }
        Box::pin(async { Ok(()) })
    }
}

fn bytes(key: &str, value: &[u8]) -> u64 {
    u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX)
}

/// The space as one call sees it: what is kept, under what the call wrote.
pub(crate) struct Buffer {
    kept: Arc<dyn Kv>,
    changes: Changes,
    // Bytes with the changes; known from the first write on.
    size: Option<u64>,
}

impl Buffer {
    pub(crate) fn new(kept: Arc<dyn Kv>) -> Self {
        Self { kept, changes: Changes::new(), size: None }
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.kept.get(key).await,
        }
    }

    /// Inner errors are for the plugin, outer ones are the store's.
    pub(crate) async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        limits: &Limits,
    ) -> Result<Result<(), String>, String> {
        if key.is_empty() || key.len() > KEY {
            return Ok(Err(format!("a key has 1 to {KEY} bytes, this one has {}", key.len())));
        }
        if !self.has_room(&key, limits) {
            return Ok(Err(full(limits)));
        }
        let size = self.without(&key).await?.saturating_add(bytes(&key, &value));
        if size > limits.kv.0 {
            return Ok(Err(format!(
                "the plugin's space of {} is used up: delete what is old, or ask for more in the manifest ([limits] kv)",
                limits.kv
            )));
        }
        self.size = Some(size);
        self.changes.insert(key, Some(value));
        Ok(Ok(()))
    }

    /// Inner errors are for the plugin, outer ones are the store's.
    pub(crate) async fn delete(
        &mut self,
        key: String,
        limits: &Limits,
    ) -> Result<Result<(), String>, String> {
        // What cannot have been set need not be remembered.
        if key.len() > KEY || self.get(&key).await?.is_none() {
            return Ok(Ok(()));
        }
        if !self.has_room(&key, limits) {
            return Ok(Err(full(limits)));
        }
        self.size = Some(self.without(&key).await?);
        // Of a name that this call alone has set nothing is left to be done.
        match self.kept.get(&key).await? {
            Some(_) => drop(self.changes.insert(key, None)),
            None => drop(self.changes.remove(&key)),
        }
        Ok(Ok(()))
    }

    // Whether the call may change this name too.
    fn has_room(&self, key: &str, limits: &Limits) -> bool {
        self.changes.contains_key(key) || self.writes() < limits.writes
    }

    // Bytes of all but this name.
    async fn without(&self, key: &str) -> Result<u64, String> {
        let all = match self.size {
            Some(size) => size,
            None => self.kept.size().await?,
        };
        let old = self.get(key).await?.map_or(0, |value| bytes(key, &value));
        Ok(all.saturating_sub(old))
    }

    pub(crate) async fn names(&self, prefix: &str) -> Result<Vec<String>, String> {
        let mut names: Vec<String> = Vec::new();
        let mut after: Option<String> = None;
        // The store's names come in pieces, since any number of them may be deleted in this call.
        loop {
            let piece = self.kept.names(prefix, after.as_deref(), NAMES).await?;
            let last = piece.len() < NAMES;
            after = piece.last().cloned();
            names.extend(piece.into_iter().filter(|name| !self.changes.contains_key(name)));
            if last || names.len() >= NAMES {
                break;
            }
        }
        let written = self.changes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let written = written.take_while(|(name, _)| name.starts_with(prefix));
        names.extend(written.filter(|(_, value)| value.is_some()).map(|(name, _)| name.clone()));
        names.sort_unstable();
        names.truncate(NAMES);
        Ok(names)
    }

    /// What would be kept after this call, if it wrote.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Names that the call changes.
    pub(crate) fn writes(&self) -> u32 {
        u32::try_from(self.changes.len()).unwrap_or(u32::MAX)
    }

    /// Keeps what the call wrote.
    pub(crate) async fn commit(&self) -> Result<(), String> {
        if self.changes.is_empty() { Ok(()) } else { self.kept.commit(&self.changes).await }
    }
}

fn full(limits: &Limits) -> String {
    format!(
        "a call sets or deletes {} names at most: spread them over several calls, or ask for more in the manifest ([limits] writes)",
        limits.writes
    )
}
