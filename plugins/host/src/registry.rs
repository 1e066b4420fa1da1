//! The plugins of a gateway by name. A new version takes the name at once; older ones stay as long as somebody is bound to them.

use crate::plugin::Plugin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One version of one plugin: what a thing that was begun with it is bound to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// The plugin's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Of its code, in hex.
    pub sha256: String,
}

impl Plugin {
    /// The version that this is.
    #[must_use]
    pub fn pin(&self) -> Pin {
        let code = self.code();
        Pin {
            id: code.manifest.id.clone(),
            version: code.manifest.version.to_string(),
            sha256: code.sha256.clone(),
        }
    }
}

#[derive(Clone, Default)]
struct State {
    current: BTreeMap<String, Plugin>,
    older: BTreeMap<(String, Pin), Plugin>,
}

/// All of them. Readers take what is there in one piece and are never held up by a change.
#[derive(Default)]
pub struct Registry {
    state: RwLock<Arc<State>>,
}

impl Registry {
    fn read(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut state))
    }

    /// The plugin of this name, as it is now.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Plugin> {
        self.read().current.get(name).cloned()
    }

    /// The plugin of this name in that version: the one in use, or an older one that is still kept.
    #[must_use]
    pub fn pinned(&self, name: &str, pin: &Pin) -> Option<Plugin> {
        let state = self.read();
        let current = state.current.get(name).filter(|plugin| plugin.pin() == *pin);
        current.or_else(|| state.older.get(&(name.to_owned(), pin.clone()))).cloned()
    }

    /// All that are in use, in order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<Plugin> {
        self.read().current.values().cloned().collect()
    }

    /// The older versions that are still kept.
    #[must_use]
    pub fn older(&self) -> Vec<(String, Pin)> {
        self.read().older.keys().cloned().collect()
    }

    /// Puts a plugin in place. Calls that run go on with what they began with; another version that had the name is kept for whoever is
    /// bound to it, with its own settings and grant. The same version with other settings takes its place.
    pub fn put(&self, plugin: Plugin) {
        self.change(|state| {
            let name = plugin.name().to_owned();
            let pin = plugin.pin();
            state.older.remove(&(name.clone(), pin.clone()));
            if let Some(before) = state.current.insert(name.clone(), plugin)
                && before.pin() != pin
            {
                state.older.insert((name, before.pin()), before);
            }
        });
    }

    /// Takes a plugin out of use. It is kept for whoever is bound to it.
    pub fn remove(&self, name: &str) {
        self.change(|state| {
            if let Some(before) = state.current.remove(name) {
                state.older.insert((name.to_owned(), before.pin()), before);
            }
        });
    }

    /// Lets go of older versions that nobody is bound to: `bound` says of each whether somebody is. A call that runs keeps its own.
    pub fn drain(&self, mut bound: impl FnMut(&str, &Pin) -> bool) {
        self.change(|state| state.older.retain(|(name, pin), _| bound(name, pin)));
    }
}
