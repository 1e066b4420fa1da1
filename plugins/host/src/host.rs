//! The host: one engine, its threads and its clock tick, shared by all plugins of a gateway.

use crate::http::transport::Transport;
use crate::http::wire::Wire;
use crate::imports;
use crate::load::cache::Cache;
use crate::model::crypto::Level;
use crate::plugin::{Inner, Installation, Plugin};
use crate::pool::{Bounds, Load, Pool};
use crate::state::State;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use wasmtime::component::Linker;
use wasmtime::{Config, Engine, EngineWeak};

/// How often a guest that computes is looked at: its CPU time, and the turn of others.
const TICK: Duration = Duration::from_millis(5);
// The guest's own stack, and the one that it shares with what the host does for it.
const GUEST_STACK: usize = 512 * 1024;
const STACK: usize = 2 * 1024 * 1024;

/// What time it is for plugins.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Where plugins' lines go.
pub trait Log: Send + Sync {
    /// One line of one plugin, already within the limits and without control characters.
    fn line(&self, plugin: &str, level: Level, text: &str);
}

/// The gateway's own log.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tracing;

impl Log for Tracing {
    fn line(&self, plugin: &str, level: Level, text: &str) {
        match level {
            Level::Debug => tracing::debug!(target: "plugin", plugin, "{text}"),
            Level::Info => tracing::info!(target: "plugin", plugin, "{text}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, "{text}"),
            Level::Error => tracing::error!(target: "plugin", plugin, "{text}"),
        }
    }
}

/// What a host is made of.
pub struct Setup {
    /// The folder for compiled plugins; without one, each start compiles.
    pub cache: Option<PathBuf>,
    /// How much runs at once.
    pub bounds: Bounds,
    /// How requests go out.
    pub transport: Arc<dyn Transport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where plugins' lines go.
    pub log: Arc<dyn Log>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            cache: None,
            bounds: Bounds::default(),
            transport: Arc::new(Wire::default()),
            clock: Arc::new(SystemClock),
            log: Arc::new(Tracing),
        }
    }
}

/// The host cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the plugin host: {0}")]
pub struct HostError(pub(crate) String);

/// All that plugins share.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<HostInner>);

pub(crate) struct HostInner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) cache: Option<Cache>,
    pub(crate) pool: Pool,
    pub(crate) ticker: Ticker,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Arc<dyn Log>,
}

impl Host {
    /// Sets it up.
    ///
    /// # Errors
    /// The machine has no threads or no support for WebAssembly, or the cache's folder cannot be used.
    pub fn new(setup: Setup) -> Result<Self, HostError> {
        let Setup { cache, bounds, transport, clock, log } = setup;
        let says = |error: wasmtime::Error| HostError(format!("{error:#}"));
        let engine = Engine::new(&config()).map_err(says)?;
        let linker = imports::linker(&engine).map_err(says)?;
        let cache = cache.map(Cache::open).transpose().map_err(HostError)?;
        let pool =
            Pool::new(bounds).map_err(|error| HostError(format!("no threads for plugins: {error}")))?;
        let ticker =
            Ticker::new(&engine).map_err(|error| HostError(format!("no thread for the tick: {error}")))?;
        Ok(Self(Arc::new(HostInner { engine, linker, cache, pool, ticker, transport, clock, log })))
    }

    /// A plugin that can be called: code with what the operator says of it. Cheap: made anew whenever a setting or a grant changes.
    #[must_use]
    pub fn plugin(&self, code: &Arc<crate::load::Code>, installation: Installation) -> Plugin {
        let Installation { name, grant, settings, kv, secrets } = installation;
        let settings = code.manifest.complete(&settings);
        let (limits, short) = crate::limits::Limits::effective(&code.manifest.limits, &grant.limits);
        let policy = crate::http::policy::Policy::new(&code.manifest, &grant, &settings);
        Plugin(Arc::new(Inner {
            host: Arc::clone(&self.0),
            code: Arc::clone(code),
            name,
            grant,
            settings,
            kv,
            secrets,
            policy,
            limits,
            short,
            totals: crate::plugin::Totals::default(),
            commits: tokio::sync::Mutex::default(),
        }))
    }

    /// How full the pool is, for metrics.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.pool.load()
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(STACK)
        // What the same bytes work out to does not depend on the machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // A 64-bit memory would have its bounds checked one by one, and nobody needs one here.
        .wasm_memory64(false);
    config
}

/// Advances the engine's epoch while calls run, and sleeps while none does.
pub(crate) struct Ticker(Arc<(Mutex<Ticks>, Condvar)>);

#[derive(Default)]
struct Ticks {
    calls: usize,
    over: bool,
}

impl Ticker {
    fn new(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new((Mutex::new(Ticks::default()), Condvar::new()));
        let (theirs, engine) = (Arc::clone(&shared), engine.weak());
        std::thread::Builder::new().name("plugin tick".to_owned()).spawn(move || tick(&theirs, &engine))?;
        Ok(Self(shared))
    }

    /// Ticks until what comes back is dropped.
    pub(crate) fn start(&self) -> Ticking {
        let (ticks, wake) = &*self.0;
        let mut ticks = ticks.lock().unwrap_or_else(PoisonError::into_inner);
        ticks.calls += 1;
        if ticks.calls == 1 {
            wake.notify_one();
        }
        Ticking(Arc::clone(&self.0))
    }
}

pub(crate) struct Ticking(Arc<(Mutex<Ticks>, Condvar)>);

impl Drop for Ticking {
    fn drop(&mut self) {
        let mut ticks = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        ticks.calls = ticks.calls.saturating_sub(1);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let (ticks, wake) = &*self.0;
        ticks.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        wake.notify_one();
    }
}

fn tick(shared: &(Mutex<Ticks>, Condvar), engine: &EngineWeak) {
    let (ticks, wake) = shared;
    loop {
        let guard = ticks.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = wake.wait_while(guard, |ticks| ticks.calls == 0 && !ticks.over);
        if guard.unwrap_or_else(PoisonError::into_inner).over {
            return;
        }
        std::thread::sleep(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
    }
}
