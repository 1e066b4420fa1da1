//! An installed plugin, ready to be called: its code, what it may, its settings and its space. And the call itself.

mod outcome;
mod run;

pub use outcome::{Done, Failed, Kind, Stop};
pub(crate) use run::{Function, shown};

use crate::capability::{Calls, Configuration, Invoices, Messages, Meters, Payments, Prices};
use crate::grant::Grant;
use crate::host::HostInner;
use crate::http::policy::Policy;
use crate::kv::Kv;
use crate::limits::{Limits, Usage};
use crate::load::Code;
use crate::manifest::Capability;
use crate::model::Options;
use crate::secrets::Secrets;
use crate::tape::Tape;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a plugin is set up at this gateway.
pub struct Installation {
    /// Its name here; two of one kind (two shops at one provider) have two. Logs and fairness go by it.
    pub name: String,
    /// What the operator lets it do.
    pub grant: Grant,
    /// The operator's settings.
    pub settings: Options,
    /// Its own space.
    pub kv: Arc<dyn Kv>,
    /// Its own secrets.
    pub secrets: Arc<dyn Secrets>,
}

/// A plugin that can be called. Copies are the same plugin.
#[derive(Clone)]
pub struct Plugin(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) host: Arc<HostInner>,
    pub(crate) code: Arc<Code>,
    pub(crate) name: String,
    pub(crate) grant: Grant,
    pub(crate) settings: Options,
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) short: Vec<String>,
    pub(crate) totals: Totals,
    // Held by the call whose writes are being kept.
    pub(crate) commits: tokio::sync::Mutex<()>,
}

/// What a call is given besides its arguments.
#[derive(Clone, Debug, Default)]
pub struct Context {
    tape: Option<Deal>,
}

#[derive(Clone, Debug)]
pub(crate) enum Deal {
    Record,
    Replay(Arc<Tape>),
}

impl Context {
    /// The call is recorded: its tape is in what comes back.
    #[must_use]
    pub fn recorded() -> Self {
        Self { tape: Some(Deal::Record) }
    }

    /// The host's answers come from this tape; nothing is sent and nothing is kept.
    #[must_use]
    pub fn replayed(tape: Arc<Tape>) -> Self {
        Self { tape: Some(Deal::Replay(tape)) }
    }

    pub(crate) fn deal(&self) -> Option<&Deal> {
        self.tape.as_ref()
    }
}

/// The plugin cannot do this, or may not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAble {
    /// It is not in its manifest.
    #[error("{plugin} is no {capability}: its manifest names {has}")]
    Cannot {
        /// The plugin's id.
        plugin: String,
        /// What was wanted.
        capability: Capability,
        /// What it can.
        has: String,
    },
    /// It is not in its grant.
    #[error("{plugin} may not be used as {capability}: add it to `capabilities` of its grant")]
    Forbidden {
        /// The plugin's name here.
        plugin: String,
        /// What was wanted.
        capability: Capability,
    },
}

/// Sums over all calls since the plugin was set up, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metrics {
    /// Calls that ended.
    pub calls: u64,
    /// Of them, those that the plugin answered with an error of its own.
    pub errors: u64,
    /// Of them, those that were stopped: traps, time-outs, limits.
    pub stopped: u64,
    /// Requests sent.
    pub sent: u64,
    /// CPU time in microseconds.
    pub cpu_us: u64,
    /// Time in microseconds.
    pub wall_us: u64,
    /// The most memory that one call had, in bytes.
    pub memory_most: u64,
}

#[derive(Default)]
pub(crate) struct Totals {
    calls: AtomicU64,
    errors: AtomicU64,
    stopped: AtomicU64,
    sent: AtomicU64,
    cpu_us: AtomicU64,
    wall_us: AtomicU64,
    memory_most: AtomicU64,
}

impl Totals {
    pub(crate) fn add<T>(&self, result: &Result<T, Failed>, usage: &Usage) {
        let add = |to: &AtomicU64, more: u64| to.fetch_add(more, Ordering::Relaxed);
        add(&self.calls, 1);
        match result {
            Ok(_) => 0,
            Err(Failed::Said(_)) => add(&self.errors, 1),
            Err(Failed::Stopped(_)) => add(&self.stopped, 1),
        };
        add(&self.sent, usage.sent.into());
        add(&self.cpu_us, usage.cpu_us);
        add(&self.wall_us, usage.wall_us);
        self.memory_most.fetch_max(usage.memory, Ordering::Relaxed);
    }
}

impl Plugin {
    /// Its name at this gateway.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its code: manifest, version, sha256.
    #[must_use]
    pub fn code(&self) -> &Arc<Code> {
        &self.0.code
    }

    /// What a call of it may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Lines for `[limits]` of its grant that would give it what its manifest asks for.
    #[must_use]
    pub fn missing_limits(&self) -> &[String] {
        &self.0.short
    }

    /// The settings with their defaults.
    #[must_use]
    pub fn settings(&self) -> &Options {
        &self.0.settings
    }

    /// Sums over all calls.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let Totals { calls, errors, stopped, sent, cpu_us, wall_us, memory_most } = &self.0.totals;
        let read = |of: &AtomicU64| of.load(Ordering::Relaxed);
        Metrics {
            calls: read(calls),
            errors: read(errors),
            stopped: read(stopped),
            sent: read(sent),
            cpu_us: read(cpu_us),
            wall_us: read(wall_us),
            memory_most: read(memory_most),
        }
    }

    /// Whether it can and may do this.
    ///
    /// # Errors
    /// Which of the two it is not.
    pub fn able(&self, capability: Capability) -> Result<(), NotAble> {
        let manifest = &self.0.code.manifest;
        if !manifest.capabilities.contains(&capability) {
            let has: Vec<&str> = manifest.capabilities.iter().map(|one| one.name()).collect();
            return Err(NotAble::Cannot { plugin: manifest.id.clone(), capability, has: has.join(", ") });
        }
        if !self.0.grant.allows(capability) {
            return Err(NotAble::Forbidden { plugin: self.0.name.clone(), capability });
        }
        Ok(())
    }

    /// Every plugin's look at its settings.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        Configuration(self.clone())
    }
}

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident $handle:ident $capability:ident;)*) => { impl Plugin { $(
        $(#[$doc])*
        ///
        /// # Errors
        /// The plugin cannot, or may not.
        pub fn $name(&self) -> Result<$handle, NotAble> {
            self.able(Capability::$capability)?;
            Ok($handle(self.clone()))
        }
    )* } };
}

capabilities! {
    /// As a source of prices.
    prices Prices PriceSource;
    /// As a provider of payments.
    payments Payments PaymentProvider;
    /// As a channel for invoices.
    invoices Invoices InvoiceChannel;
    /// As a reader and writer of meter values.
    meters Meters MeterExport;
    /// As a sender of messages.
    messages Messages Notifier;
    /// As somebody who understands calls from outside.
    calls Calls Webhook;
}
