//! What a call may use at most, and what it has used: memory summed over all memories and tables, fuel, CPU, time, bytes, requests.

mod memory;
mod meter;
pub mod units;

pub use memory::{INSTANCES, Memory};
pub use meter::Meter;

use serde::{Deserialize, Serialize};
use std::time::Duration;
use units::{Size, Span};

/// What one call may use at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Bytes of all memories and tables together.
    pub memory: Size,
    /// WebAssembly instructions, as wasmtime counts them.
    pub fuel: u64,
    /// CPU time of the guest and of what the host works out for it.
    pub cpu: Span,
    /// Time from the start of the call to its end, requests included.
    pub wall: Span,
    /// Bytes into the call.
    pub input: Size,
    /// Bytes out of it: its result, and what it hands to one host function.
    pub output: Size,
    /// HTTP requests.
    pub requests: u32,
    /// Bytes of all answers together.
    pub answers: Size,
    /// Bytes of all lines of the log.
    pub log: Size,
    /// Bytes of all names and values that the plugin keeps.
    pub kv: Size,
    /// Names that the call sets or deletes: each is a statement in the store that chargers wait for too.
    pub writes: u32,
}

impl Default for Limits {
    /// What a plugin has that asks for nothing.
    fn default() -> Self {
        Self {
            memory: Size::mib(32),
            fuel: 2_000_000_000,
            cpu: Span(Duration::from_millis(100)),
            wall: Span(Duration::from_secs(10)),
            input: Size::kib(256),
            output: Size::kib(256),
            requests: 20,
            answers: Size::mib(4),
            log: Size::kib(64),
            kv: Size::mib(1),
            writes: 200,
        }
    }
}

/// Limits that somebody names: a manifest that asks for more (or less) than usual, or an operator who allows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of the same name in `Limits`")]
pub struct Wishes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<u32>,
}

// Nobody may ask for more than this, whatever is granted: one call must not take the machine.
const CEILING: Limits = Limits {
    memory: Size::mib(1024),
    fuel: 1_000_000_000_000,
    cpu: Span(Duration::from_secs(60)),
    wall: Span(Duration::from_secs(300)),
    input: Size::mib(64),
    output: Size::mib(64),
    requests: 1_000,
    answers: Size::mib(256),
    log: Size::mib(4),
    kv: Size::mib(256),
    writes: 2_000,
};

impl Limits {
    /// What the manifest asks for, bounded by what is granted: more than the usual needs both. Also the lines that the grant would
    /// need for the rest: `memory = "64 MiB"`.
    #[must_use]
    pub fn effective(asked: &Wishes, granted: &Wishes) -> (Self, Vec<String>) {
        let usual = Self::default();
        let mut missing = Vec::new();
        macro_rules! each {
            ($($field:ident)*) => { Self { $($field: {
                let wanted = asked.$field.unwrap_or(usual.$field).min(CEILING.$field);
                let allowed = granted.$field.unwrap_or(usual.$field);
                if wanted > allowed {
                    missing.push(format!("{} = {}", stringify!($field), units::toml(&wanted)));
                }
                wanted.min(allowed)
            }),* } };
        }
        (each!(memory fuel cpu wall input output requests answers log kv writes), missing)
    }
}

/// What a call used, beside what it might have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// The most bytes of memories and tables that it had.
    pub memory: u64,
    /// Instructions.
    pub fuel: u64,
    /// CPU time in microseconds.
    pub cpu_us: u64,
    /// Time in microseconds, waiting included.
    pub wall_us: u64,
    /// Bytes in.
    pub input: u64,
    /// Bytes of the result.
    pub output: u64,
    /// Requests that were asked for, denied ones too.
    pub requests: u32,
    /// Requests of which at least a byte may have gone out.
    pub sent: u32,
    /// Bytes of answers.
    pub answers: u64,
    /// Bytes of log lines.
    pub log: u64,
    /// Bytes that the plugin would keep after this call; 0 if it did not write.
    pub kv: u64,
    /// Names that it set or deleted.
    pub writes: u32,
}

impl Usage {
    /// Name, used and allowed of each limit, for reports: `("memory", "1.1 MiB", "32 MiB", 3)`; the last is the share in percent.
    #[must_use]
    pub fn against(&self, limits: &Limits) -> Vec<(&'static str, String, String, u64)> {
        let size = |bytes: u64| Size(bytes).to_string();
        let time = |micros: u64| Span(Duration::from_micros(micros)).to_string();
        let share = |used: u64, of: u64| used.saturating_mul(100).checked_div(of).unwrap_or(0);
        let micros = |span: Span| u64::try_from(span.0.as_micros()).unwrap_or(u64::MAX);
        let of_size =
            |name, used: u64, limit: Size| (name, size(used), limit.to_string(), share(used, limit.0));
        let of_count = |name, used: u32, limit: u32| {
            (name, used.to_string(), limit.to_string(), share(used.into(), limit.into()))
        };
        let of_time =
            |name, used: u64, limit: Span| (name, time(used), limit.to_string(), share(used, micros(limit)));
        vec![
            of_size("memory", self.memory, limits.memory),
            ("fuel", self.fuel.to_string(), limits.fuel.to_string(), share(self.fuel, limits.fuel)),
            of_time("cpu", self.cpu_us, limits.cpu),
            of_time("wall", self.wall_us, limits.wall),
            of_size("input", self.input, limits.input),
            of_size("output", self.output, limits.output),
            of_count("requests", self.requests, limits.requests),
            of_size("answers", self.answers, limits.answers),
            of_size("log", self.log, limits.log),
            of_size("kv", self.kv, limits.kv),
            of_count("writes", self.writes, limits.writes),
        ]
    }
}
