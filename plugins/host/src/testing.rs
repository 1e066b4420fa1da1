//! What an integrator tests a plugin with: requests answered from a script, tapes replayed, and the report of what a call used.

use crate::capability::BadCall;
use crate::grant::Grant;
use crate::host::Host;
use crate::http::failed;
use crate::http::transport::{Outgoing, Transport};
use crate::kv;
use crate::load::Code;
use crate::model::http::{Failure, Response, SendError};
use crate::plugin::{Context, Done, Failed, Installation, Kind, Plugin, shown};
use crate::secrets;
use crate::tape::{Difference, Tape, first_difference};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A request that a test expects, and what it is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exchange {
    /// "GET".
    pub method: String,
    /// The whole address, or its beginning with `*` at the end.
    pub url: String,
    /// What the request's body must have in it.
    #[serde(default)]
    pub body_has: Vec<String>,
    /// The answer.
    pub answer: Response,
}

/// Answers requests from a script, in its order.
#[derive(Default)]
pub struct Script {
    left: Mutex<VecDeque<Exchange>>,
    wrong: Mutex<Vec<String>>,
}

impl Script {
    /// With these exchanges.
    #[must_use]
    pub fn new(exchanges: Vec<Exchange>) -> Self {
        Self { left: Mutex::new(exchanges.into()), wrong: Mutex::default() }
    }

    /// What did not go as in the script: requests that are not in it, and what was not asked for.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.extend(left.iter().map(|one| format!("{} {} was not asked for", one.method, one.url)));
        wrong
    }

    fn answer(&self, request: &Outgoing) -> Result<Response, SendError> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let body = String::from_utf8_lossy(&request.body);
        let what = format!("{} {}", request.method, request.url);
        let problem = match left.front() {
            None => format!("{what} is not in the script, which is at its end"),
            Some(next) => {
                let url = request.url.as_str();
                let fits = next.url.strip_suffix('*').map_or(next.url == url, |start| url.starts_with(start));
                let missing = next.body_has.iter().find(|part| !body.contains(part.as_str()));
                match missing {
                    _ if !fits || next.method != request.method => {
                        format!("{what} came, the script expects {} {}", next.method, next.url)
                    }
                    Some(part) => format!("the body of {what} has not `{part}` in it: {body}"),
                    None => {
                        return left
                            .pop_front()
                            .map(|one| one.answer)
                            .ok_or_else(|| failed(Failure::Lost, what));
                    }
                }
            }
        };
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(problem.clone());
        Err(failed(Failure::NoConnection, problem))
    }
}

impl Transport for Script {
    fn send(&self, request: Outgoing) -> BoxFuture<'_, Result<Response, SendError>> {
        let answer = self.answer(&request);
        Box::pin(async { answer })
    }
}

/// A plugin for trying it: a space of its own in memory, everything granted that its manifest asks for unless a grant is given.
#[must_use]
pub fn plugin(
    host: &Host,
    code: &Arc<Code>,
    grant: Option<Grant>,
    settings: Vec<(String, String)>,
    secrets: secrets::Memory,
) -> Plugin {
    let grant = grant.unwrap_or_else(|| Grant::all(&code.manifest));
    let name = code.manifest.id.clone();
    let kv = Arc::new(kv::Memory::default());
    host.plugin(code, Installation { name, grant, settings, kv, secrets: Arc::new(secrets) })
}

/// A replay that did not go as on the tape.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplayError {
    /// The plugin did something else.
    #[error(transparent)]
    Difference(#[from] Difference),
    /// The call on the tape cannot be made.
    #[error(transparent)]
    BadCall(#[from] BadCall),
    /// For another plugin.
    #[error("the tape is of {tape}, this is {plugin}")]
    Other {
        /// On the tape.
        tape: String,
        /// The plugin's id.
        plugin: String,
    },
}

/// Replays a tape: the plugin must ask for the same and return the same. Nothing is sent and nothing is kept.
///
/// # Errors
/// The first difference.
pub async fn replay(
    host: &Host,
    code: &Arc<Code>,
    grant: Option<Grant>,
    tape: &Tape,
) -> Result<(), ReplayError> {
    if tape.plugin != code.manifest.id {
        return Err(ReplayError::Other { tape: tape.plugin.clone(), plugin: code.manifest.id.clone() });
    }
    let plugin = plugin(host, code, grant, tape.settings.clone(), secrets::Memory::default());
    let context = Context::replayed(Arc::new(tape.clone()));
    let done = plugin.invoke(&context, &tape.function, tape.arguments.clone()).await?;
    if let Err(Failed::Stopped(stop)) = &done.result
        && stop.kind == Kind::Tape
    {
        return Err(Difference(stop.detail.clone()).into());
    }
    match first_difference("", &tape.result, &shown(&done.result)) {
        None => Ok(()),
        Some((path, old, new)) => {
            Err(Difference(format!("the result is another at {path}: {old} on the tape, {new} now")).into())
        }
    }
}

/// What a call used beside what it may use, as a table for people.
#[must_use]
pub fn report<T>(done: &Done<T>) -> String {
    let rows = done.usage.against(&done.limits);
    let width = |column: fn(&(&'static str, String, String, u64)) -> usize| {
        rows.iter().map(column).max().unwrap_or(0)
    };
    let (name, used, limit) = (width(|row| row.0.len()), width(|row| row.1.len()), width(|row| row.2.len()));
    let line = |row: &(&'static str, String, String, u64)| {
        format!("{:name$}  {:>used$} of {:>limit$}  {:>3} %\n", row.0, row.1, row.2, row.3)
    };
    rows.iter().map(line).collect()
}
