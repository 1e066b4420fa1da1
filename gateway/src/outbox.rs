//! The outbox: what is asked of others, written down with what causes it, asked until its outcome is known. Absent: how they
//! are reached (see [`provider`]), and any second asking before a look-up.
//!
//! ```text
//! bill, credit note ─▶ plan ─▶ intent + payment, in the bill's commit
//!                                 │
//!                 run ─▶ claim (commit) ─▶ call ─▶ apply (commit): machine, payment, ledger, events
//! webhook ─▶ hint ─▶  │                              │
//! person ─▶ decide ───┴──────────────────────────────┘
//! ```
//!
//! Whatever stops between two steps leaves a row that says how far it came; `machine` has the table of its states. The order
//! of a debtor is kept: nothing of his is asked for before all that stands before it is taken on by the other side, refused,
//! or decided by a person.

mod account;
mod answer;
mod apply;
mod backoff;
mod breaker;
mod call;
mod decide;
mod disputed;
mod hold;
mod intent;
pub mod machine;
mod owed;
mod plan;
pub mod provider;
mod received;
mod returns;
mod run;
mod said;

pub use backoff::Backoff;
pub use breaker::{Breaker, Gate, Limits};
pub use decide::{Decision, Refused, Saving};
pub use disputed::{Dispute, Outcome};
pub use hold::{is_held, released};
pub use intent::{RecallRequest, RefundRequest, Request, Wanted, new};
pub use machine::Rules;
pub use owed::{Owed, is_open, message};
pub use plan::{Terms, issued};
pub use provider::{NoProviders, PaymentProvider, Pin, Providers};
pub use received::Received;
pub use returns::{OnItsWay, Returns};
pub use run::PluginState;
pub use said::{Asked, Meaning, meaning};

use crate::store::{OrgId, Store};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// How the outbox works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Of waiting and trying.
    pub rules: Rules,
    /// Of each plugin's circuit breaker.
    pub breaker: Limits,
    /// Calls of one plugin at once.
    pub calls: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { rules: Rules::default(), breaker: Limits::default(), calls: 16 }
    }
}

/// The outbox of all organisations. Copies share it.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    providers: Arc<dyn Providers>,
    options: Options,
    wake: Notify,
    desk: Mutex<Desk>,
}

// What is under way in this process.
#[derive(Default)]
struct Desk {
    // By organisation and plugin.
    plugins: HashMap<(OrgId, String), Plugin>,
    // Payments and instruments: two answers about one would overtake each other.
    busy: HashSet<(OrgId, String)>,
}

#[derive(Default)]
struct Plugin {
    breaker: Breaker,
    calls: usize,
    last: Option<String>,
}

impl Outbox {
    /// Over this storage, with these providers.
    #[must_use]
    pub fn new(store: Store, providers: Arc<dyn Providers>, options: Options) -> Self {
        let inner = Inner { store, providers, options, wake: Notify::new(), desk: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Looks at once at what is to be done.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }
}
