//! One call: a store and an instance of its own, everything within the limits, and what is left when it ends.

use super::{Context, Deal, Done, Failed, Inner, Kind, Plugin, Stop};
use crate::imports::Broken;
use crate::kv::Buffer;
use crate::limits::{Memory, Meter, Usage};
use crate::model::{Error, Finding, Outcome, Weigh};
use crate::state::State;
use crate::tape::{Deck, Difference, FORMAT, Tape};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{ComponentNamedList, Lift, Lower};
use wasmtime::{Store, Trap, UpdateDeadline};

// The names and lengths of what crosses the border take bytes besides what is in it.
const BESIDES: usize = 64 * 1024;
// For what is kept after the plugin has returned.
const COMMIT: Duration = Duration::from_secs(5);

/// What a function of a plugin returns: `result<T, error>`, or a value that cannot fail.
pub(crate) trait Answer: Weigh + Lift + Send + Sync + 'static {
    type Value: Serialize + Send + 'static;
    fn answer(self) -> Result<Self::Value, Error>;
}

impl<T> Answer for Result<T, Error>
where
    T: Weigh + Lift + Serialize + Send + Sync + 'static,
{
    type Value = T;

    fn answer(self) -> Result<T, Error> {
        self
    }
}

macro_rules! sure {
    ($($sure:ty),*) => { $(impl Answer for $sure {
        type Value = Self;

        fn answer(self) -> Result<Self, Error> {
            Ok(self)
        }
    })* };
}

sure!(Vec<Finding>, Vec<String>, Option<String>);

/// A function of a plugin: interface and name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Function {
    pub(crate) interface: &'static str,
    pub(crate) name: &'static str,
}

/// The guest used more CPU time than allowed.
#[derive(Debug, thiserror::Error)]
#[error("more CPU time than allowed")]
struct Cpu;

impl Plugin {
    /// Calls a function. `key` is that of the thing asked for; `arguments` makes the call's part of a tape.
    pub(crate) async fn call<P, A>(
        &self,
        context: &Context,
        function: Function,
        key: Option<String>,
        params: P,
        arguments: impl FnOnce(&P) -> Value,
    ) -> Done<A::Value>
    where
        P: ComponentNamedList + Lower + Weigh + Send + Sync + 'static,
        A: Answer,
    {
        let inner = Arc::clone(&self.0);
        let recorded = matches!(context.deal(), Some(Deal::Record)).then(|| Tape {
            format: FORMAT,
            plugin: inner.code.manifest.id.clone(),
            version: inner.code.manifest.version.to_string(),
            function: format!("{}.{}", function.interface, function.name),
            settings: inner.settings.clone(),
            arguments: arguments(&params),
            calls: Vec::new(),
            result: Value::Null,
        });
        let deck = match context.deal() {
            None => Deck::Off,
            Some(Deal::Record) => Deck::record(),
            Some(Deal::Replay(tape)) => Deck::replay(tape),
        };
        let input = params.weigh();
        if input > inner.limits.input.0 {
            let limit = inner.limits.input;
            return inner.not_called(
                input,
                Kind::Input,
                format!("the call carries {input} bytes, {} takes {limit}: for more, [limits] input in plugin.toml and grant", inner.name),
            );
        }
        let permit = match inner.host.pool.enter(&inner.name).await {
            Ok(permit) => permit,
            Err(full) => return inner.not_called(input, Kind::Busy, full.to_string()),
        };
        let running = Arc::clone(&inner);
        let work = async move {
            let _permit = permit;
            execute::<P, A>(running, function, key, deck, recorded, params, input).await
        };
        // On the pool's threads, and to its end even if nobody waits any more: a payment is not left half done.
        match inner.host.pool.spawn(work) {
            Some(task) => match task.await {
                Ok(done) => done,
                Err(error) => {
                    let mut done = inner.not_called(input, Kind::Host, format!("the call was lost: {error}"));
                    if let Err(Failed::Stopped(stop)) = &mut done.result {
                        stop.outcome = Outcome::Unknown;
                    }
                    done
                }
            },
            None => inner.not_called(input, Kind::Busy, "the gateway is stopping".to_owned()),
        }
    }
}

impl Inner {
    fn not_called<T>(&self, input: u64, kind: Kind, detail: String) -> Done<T> {
        let usage = Usage { input, ..Usage::default() };
        let result = Err(Failed::Stopped(Stop { kind, outcome: Outcome::NotDone, detail }));
        self.totals.add(&result, &usage);
        Done { result, usage, limits: self.limits, log: Vec::new(), warnings: Vec::new(), tape: None }
    }
}

async fn execute<P, A>(
    plugin: Arc<Inner>,
    function: Function,
    key: Option<String>,
    deck: Deck,
    recorded: Option<Tape>,
    params: P,
    input: u64,
) -> Done<A::Value>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    A: Answer,
{
    let began = Instant::now();
    let limits = plugin.limits;
    let replayed = matches!(deck, Deck::Replay { .. });
    let mut store = store(&plugin, key, deck, input);
    let _ticking = plugin.host.ticker.start();
    let returned = match store {
        Ok(ref mut store) => {
            let enter = enter::<P, A>(&plugin, function, store, params);
            match tokio::time::timeout(limits.wall.0, enter).await {
                Ok(returned) => returned,
                Err(_) => Err(Ended::Time),
            }
        }
        Err(ref error) => Err(Ended::Error(format!("{error:#}"), Kind::Start)),
    };
    let Ok(store) = store else {
        return plugin.not_called(input, Kind::Start, "the plugin has no store".to_owned());
    };
    let fuel = store.get_fuel().map_or(0, |left| limits.fuel.saturating_sub(left));
    let mut state = store.into_data();
    state.meter.stop();
    let mut warnings = Vec::new();
    let result = match returned {
        Ok(answer) => {
            state.usage.output = answer.weigh();
            finish(&plugin, &mut state, answer, replayed, &mut warnings).await
        }
        Err(ended) => Err(Failed::Stopped(ended.stop(&plugin, &state))),
    };
    if state.dropped > 0 {
        warnings
            .push(format!("{} lines of the log were dropped: a call may log {}", state.dropped, limits.log));
    }
    let usage = Usage {
        memory: state.memory.used(),
        fuel,
        cpu_us: micros(state.meter.used()),
        wall_us: micros(began.elapsed()),
        input,
        kv: state.kv.size().unwrap_or(0),
        writes: state.kv.writes(),
        ..state.usage
    };
    plugin.totals.add(&result, &usage);
    let tape = recorded.and_then(|mut tape| {
        tape.result = shown(&result);
        state.deck.finish(tape)
    });
    Done { result, usage, limits, log: state.lines, warnings, tape }
}

/// A result as it stands on a tape: `{"ok": …}`, or `{"error": …}` in the plugin's or the host's words.
pub(crate) fn shown<T: Serialize>(result: &Result<T, Failed>) -> Value {
    match result {
        Ok(value) => serde_json::json!({ "ok": value }),
        Err(Failed::Said(error)) => serde_json::json!({ "error": error }),
        Err(Failed::Stopped(stop)) => serde_json::json!({ "stopped": stop.kind }),
    }
}

fn store(plugin: &Arc<Inner>, key: Option<String>, deck: Deck, input: u64) -> wasmtime::Result<Store<State>> {
    let limits = plugin.limits;
    let state = State {
        key,
        meter: Arc::new(Meter::default()),
        memory: Memory::new(limits.memory.bytes()),
        kv: Buffer::new(Arc::clone(&plugin.kv)),
        deck,
        lines: Vec::new(),
        dropped: 0,
        bound: std::collections::BTreeMap::new(),
        usage: Usage { input, ..Usage::default() },
        plugin: Arc::clone(plugin),
    };
    let mut store = Store::new(&plugin.host.engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_fuel(limits.fuel)?;
    // Of each single question and answer: a list of a million texts that are all the same megabyte would else cost the host a terabyte.
    store.set_hostcall_fuel(limits.output.bytes().saturating_add(BESIDES));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |store| {
        let meter = Arc::clone(&store.data().meter);
        if meter.used() > limits.cpu.0 {
            return Err(wasmtime::Error::new(Cpu));
        }
        // Others have their turn on this thread; it may go on on another one.
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(async move { meter.outside(tokio::task::yield_now()).await }),
        ))
    });
    Ok(store)
}

async fn enter<P, A>(
    plugin: &Inner,
    function: Function,
    store: &mut Store<State>,
    params: P,
) -> Result<A, Ended>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    A: Answer,
{
    let meter = Arc::clone(&store.data().meter);
    meter.start();
    let start = |error: wasmtime::Error| Ended::of(&error, Kind::Start);
    let instance = plugin.code.pre.instantiate_async(&mut *store).await.map_err(start)?;
    let index = plugin.code.function(function).map_err(|text| Ended::Error(text, Kind::Start))?;
    let typed = instance.get_typed_func::<P, (A,)>(&mut *store, index).map_err(|error| {
        let text = format!("{}.{} is not as in the interface: {error:#}", function.interface, function.name);
        Ended::Error(text, Kind::Start)
    })?;
    let (answer,) =
        typed.call_async(&mut *store, params).await.map_err(|error| Ended::of(&error, Kind::Trap))?;
    meter.stop();
    Ok(answer)
}

// The plugin has returned: its answer counts, and with it what it wrote.
async fn finish<A: Answer>(
    plugin: &Inner,
    state: &mut State,
    answer: A,
    replayed: bool,
    warnings: &mut Vec<String>,
) -> Result<A::Value, Failed> {
    if state.usage.output > plugin.limits.output.0 {
        let ended = Ended::Error("the result is larger than allowed".to_owned(), Kind::Output);
        return Err(Failed::Stopped(ended.stop(plugin, state)));
    }
    if let Some(left) = state.deck.left() {
        return Err(Failed::Stopped(Ended::Error(left.to_string(), Kind::Tape).stop(plugin, state)));
    }
    if !replayed {
        let commit = async {
            // One call of a plugin after the other: its many calls at once would else fill one group of the store's writer.
            let _turn = plugin.commits.lock().await;
            state.kv.commit().await
        };
        match tokio::time::timeout(COMMIT, commit).await {
            Ok(Ok(())) => {}
            // What the plugin did, it did: its answer stays true.
            Ok(Err(error)) => warnings.push(format!("what the plugin wrote was not kept: {error}")),
            Err(_) => {
                warnings.push("what the plugin wrote may not be kept: the store did not answer".to_owned());
            }
        }
    }
    answer.answer().map_err(Failed::Said)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

// How a call ended that did not return.
enum Ended {
    Time,
    Error(String, Kind),
}

impl Ended {
    fn of(error: &wasmtime::Error, otherwise: Kind) -> Self {
        let text = format!("{error:#}");
        if error.is::<Cpu>() {
            return Self::Error(text, Kind::Cpu);
        }
        if error.is::<Difference>() {
            return Self::Error(error.root_cause().to_string(), Kind::Tape);
        }
        if error.is::<Broken>() {
            return Self::Error(error.root_cause().to_string(), Kind::Host);
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::Error(text, Kind::Fuel),
            Some(Trap::StackOverflow) => Self::Error(text, Kind::Stack),
            // The stack of a Rust or C guest is a part of its memory: below it there is nothing.
            Some(Trap::MemoryOutOfBounds) => Self::Error(
                "an address that it does not have, as after recursion without end".to_owned(),
                Kind::Trap,
            ),
            Some(trap) => {
                Self::Error(trap.to_string().trim_start_matches("wasm trap: ").to_owned(), Kind::Trap)
            }
            // wasmtime has no type for it.
            None if text.contains("allocated for hostcalls") => Self::Error(text, Kind::Output),
            None => Self::Error(text, otherwise),
        }
    }

    fn stop(self, plugin: &Inner, state: &State) -> Stop {
        let limits = &plugin.limits;
        let (kind, text) = match self {
            Self::Time => (Kind::Time, String::new()),
            Self::Error(text, kind) => (kind, text),
        };
        // A plugin that gets no memory crashes, mostly.
        let kind = if matches!(kind, Kind::Trap | Kind::Start) && state.memory.refused() {
            Kind::Memory
        } else {
            kind
        };
        let more = |limit: &str| format!("for more, [limits] {limit} in plugin.toml and grant");
        let detail = match kind {
            Kind::Trap => match state.last_words() {
                Some(words) => format!("{} crashed: {words} ({text})", plugin.name),
                None => format!("{} crashed: {text}", plugin.name),
            },
            Kind::Stack => format!("{} called itself too deeply", plugin.name),
            Kind::Memory => {
                format!("{} wanted more than {} of memory: {}", plugin.name, limits.memory, more("memory"))
            }
            Kind::Fuel => {
                format!("{} used up its {} instructions: {}", plugin.name, limits.fuel, more("fuel"))
            }
            Kind::Cpu => format!("{} used up its {} of CPU time: {}", plugin.name, limits.cpu, more("cpu")),
            Kind::Time => format!("{} did not return within {}: {}", plugin.name, limits.wall, more("wall")),
            Kind::Output => {
                format!("{} handed over more than {} at once: {}", plugin.name, limits.output, more("output"))
            }
            Kind::Start => format!("{} did not start: {text}", plugin.name),
            Kind::Input | Kind::Busy | Kind::Tape | Kind::Host => text,
        };
        let outcome = if state.usage.sent > 0 { Outcome::Unknown } else { Outcome::NotDone };
        Stop { kind, outcome, detail }
    }
}
