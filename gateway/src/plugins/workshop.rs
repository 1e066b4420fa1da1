//! The one plugin host of the gateway, and code that is loaded: each at most once, however often the set-up is read.

use crate::setup::{Judge, PluginFile, Wasm};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use takst_plugins::host::HostError;
use takst_plugins::kv::{self, Kv};
use takst_plugins::load::Code;
use takst_plugins::model::Finding;
use takst_plugins::secrets::{Secret, Secrets};
use takst_plugins::{Context, Failed, Host, Installation, Plugin, Setup};

/// The host with the code that is loaded.
pub struct Workshop {
    host: Host,
    codes: Mutex<Vec<(String, Arc<Code>)>>,
}

/// The secrets of one plugin, as the set-up has them.
struct Given(BTreeMap<String, Secret>);

impl Secrets for Given {
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        let secret = self.0.get(name).cloned();
        Box::pin(async { Ok(secret) })
    }
}

impl Workshop {
    /// Starts the host. `cache`: where compiled plugins are kept; without it each start compiles them.
    ///
    /// # Errors
    /// When the machine has no threads or no support for WebAssembly, or the folder cannot be used.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, HostError> {
        Self::with(Setup { cache, ..Setup::default() })
    }

    /// Starts a host that is made of this.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(setup: Setup) -> Result<Self, HostError> {
        Ok(Self { host: Host::new(setup)?, codes: Mutex::default() })
    }

    /// A plugin that can be called, with this space. It takes up to seconds when its code is new here.
    ///
    /// # Errors
    /// Why it cannot be loaded, in the integrator's words.
    pub fn plugin(&self, file: &PluginFile, kv: Arc<dyn Kv>) -> Result<Plugin, String> {
        let installation = Installation {
            name: file.name.clone(),
            grant: file.grant.clone(),
            settings: file.settings.clone(),
            kv,
            secrets: Arc::new(Given(file.secrets.clone())),
        };
        Ok(self.host.plugin(&self.code(file)?, installation))
    }

    /// Lets go of code that none of these plugins is made of. Calls that run keep theirs.
    pub fn keep_only(&self, plugins: &BTreeMap<String, Arc<PluginFile>>) {
        let used = |sha256: &String| plugins.values().any(|file| file.sha256 == *sha256);
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).retain(|(sha256, _)| used(sha256));
    }

    fn code(&self, file: &PluginFile) -> Result<Arc<Code>, String> {
        let codes = || self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let is =
            |(sha256, code): &&(String, Arc<Code>)| *sha256 == file.sha256 && code.manifest == file.manifest;
        if let Some((_, code)) = codes().iter().find(is) {
            return Ok(Arc::clone(code));
        }
        let code = match &file.wasm {
            Wasm::Shipped(shipped) => self.host.code(&file.manifest, &shipped.component()?),
            Wasm::Own(bytes) => self.host.code(&file.manifest, bytes),
        };
        let code = code.map_err(|error| error.to_string())?;
        tracing::debug!(plugin = file.name, took = ?code.took, "a plugin is loaded");
        codes().push((file.sha256.clone(), Arc::clone(&code)));
        Ok(code)
    }
}

// Whoever asks may stand within a runtime: the question has a thread of its own.
fn ask(plugin: &Plugin) -> Result<Vec<Finding>, String> {
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| format!("no thread to ask it: {error}"))?;
        let context = Context::default();
        let done = runtime.block_on(plugin.configuration().check(&context));
        done.result.map_err(|failed: Failed| failed.to_string())
    };
    let asked = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("plugin check".to_owned()).spawn_scoped(scope, wait);
        thread.map(|thread| thread.join().unwrap_or_else(|_| Err("its answer was lost".to_owned())))
    });
    asked.unwrap_or_else(|error| Err(format!("no thread to ask it: {error}")))
}

impl Judge for Workshop {
    fn judge(&self, file: &PluginFile) -> Result<Vec<Finding>, String> {
        let plugin = self.plugin(file, Arc::new(kv::Memory::default()))?;
        // A plugin that cannot look at its settings may work all the same; what it does is seen when it is called.
        Ok(ask(&plugin).unwrap_or_else(|why| {
            let text = format!("it could not look at its settings: {why}");
            vec![Finding { setting: String::new(), text, error: false }]
        }))
    }
}
