//! The space of one plugin in the database, as the plugin host wants it.

use crate::store::{Lane, OrgId, Store};
use futures_util::future::BoxFuture;
use takst_plugins::kv::{Changes, Kv};

/// What one plugin of one organisation keeps: there is no other one to reach from it.
#[derive(Clone)]
pub struct Space {
    store: Store,
    org: OrgId,
    plugin: String,
}

impl Space {
    /// The space of a plugin, by its name here.
    #[must_use]
    pub fn new(store: Store, org: OrgId, plugin: &str) -> Self {
        Self { store, org, plugin: plugin.to_owned() }
    }
}

impl Kv for Space {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, String>> {
        Box::pin(async move {
            let mut reader = self.store.read().await.map_err(|error| error.to_string())?;
            reader.plugin_value(&self.org, &self.plugin, key).await.map_err(|error| error.to_string())
        })
    }

    fn names<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut reader = self.store.read().await.map_err(|error| error.to_string())?;
            let names = reader.plugin_names(&self.org, &self.plugin, (prefix, after), most).await;
            names.map_err(|error| error.to_string())
        })
    }

    fn size(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async move {
            let mut reader = self.store.read().await.map_err(|error| error.to_string())?;
            let size =
                reader.plugin_size(&self.org, &self.plugin).await.map_err(|error| error.to_string())?;
            Ok(u64::try_from(size).unwrap_or(0))
        })
    }

    fn commit<'a>(&'a self, changes: &'a Changes) -> BoxFuture<'a, Result<(), String>> {
        let (org, plugin, changes) = (self.org.clone(), self.plugin.clone(), changes.clone());
        let unit = async move |tx: &mut crate::store::Tx| {
            for (name, value) in &changes {
                tx.put_plugin_value(&org, &plugin, name, value.as_deref()).await?;
            }
            Ok(())
        };
        Box::pin(async move {
            let written = self.store.write(Lane::plugin(&self.org, &self.plugin), unit).await;
            written.map_err(|error| error.to_string())
        })
    }
}
