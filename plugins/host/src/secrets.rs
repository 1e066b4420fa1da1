//! What the operator trusts a plugin's host with. The plugin knows the names only.

use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The shortest secret that is filled into a request: a shorter one could not be kept out of answers without spoiling them.
pub const SHORTEST: usize = 8;

/// A secret's value. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// From its bytes; ends of line at its end, as files have them, do not belong to it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        Self(bytes.get(..end).unwrap_or(bytes).into())
    }

    /// Its bytes: for sending and signing only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The secrets of **one** plugin: whoever makes it binds it to that plugin.
pub trait Secrets: Send + Sync {
    /// The secret's value, if the operator has given one.
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>>;
}

/// Secrets in memory, for tests and for trying a plugin.
#[derive(Clone, Default, Debug)]
pub struct Memory(BTreeMap<String, Secret>);

impl Memory {
    /// With these names and values.
    pub fn new<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(all.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value.as_bytes()))).collect())
    }
}

impl FromIterator<(String, Secret)> for Memory {
    fn from_iter<I: IntoIterator<Item = (String, Secret)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Secrets for Memory {
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        let secret = self.0.get(name).cloned();
        Box::pin(async { Ok(secret) })
    }
}
