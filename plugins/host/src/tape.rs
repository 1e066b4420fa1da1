//! A tape: one call of a plugin with everything that the host answered to it. Recorded once, it is replayed for ever as a test:
//! the plugin must ask for the same things in the same order and come to the same result.
//!
//! No secret is on it: requests have their placeholders, answers come without secrets as the plugin sees them, and whatever looks like a
//! credential that the other side gave (a token, a cookie, a signed JWT) is replaced everywhere by `{{redacted:N}}`.

mod redact;

use redact::Redactions;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;

/// The form of the file.
pub const FORMAT: u32 = 1;

/// One question of the plugin to the host, and the answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// "http.send", "clock.now".
    pub call: String,
    /// What was asked.
    pub ask: Value,
    /// What was answered.
    pub answer: Value,
}

/// A recorded call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tape {
    /// [`FORMAT`].
    pub format: u32,
    /// The plugin's id.
    pub plugin: String,
    /// Its version when this was recorded.
    pub version: String,
    /// "payments.charge".
    pub function: String,
    /// The operator's settings in that call.
    pub settings: Vec<(String, String)>,
    /// What was given to the function, by name.
    pub arguments: Value,
    /// What the plugin asked of the host, in order.
    pub calls: Vec<Entry>,
    /// What came of it.
    pub result: Value,
}

impl Tape {
    /// From a file.
    ///
    /// # Errors
    /// It is no tape, or one of another form.
    pub fn read(text: &str) -> Result<Self, String> {
        let tape: Self = serde_json::from_str(text).map_err(|error| format!("it is no tape: {error}"))?;
        if tape.format != FORMAT {
            return Err(format!(
                "the tape has the form {}, this release reads {FORMAT}: record it again",
                tape.format
            ));
        }
        Ok(tape)
    }

    /// As it stands in a file: the same call gives the same bytes.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// What a call does with a tape.
pub(crate) enum Deck {
    Off,
    Record { entries: Vec<Entry>, redactions: Redactions },
    Replay { entries: VecDeque<Entry>, played: usize },
}

/// The plugin asked for something else than on the tape.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Difference(pub String);

impl Deck {
    pub(crate) fn record() -> Self {
        Self::Record { entries: Vec::new(), redactions: Redactions::default() }
    }

    pub(crate) fn replay(tape: &Tape) -> Self {
        Self::Replay { entries: tape.calls.iter().cloned().collect(), played: 0 }
    }

    /// The answer on the tape, while one is replayed.
    pub(crate) fn answer<R: DeserializeOwned>(
        &mut self,
        call: &str,
        ask: &impl Serialize,
    ) -> Result<Option<R>, Difference> {
        let Self::Replay { entries, played } = self else { return Ok(None) };
        let ask = serde_json::to_value(ask).unwrap_or_default();
        *played += 1;
        let number = *played;
        let Some(entry) = entries.pop_front() else {
            return Err(Difference(format!(
                "call {number} is not on the tape: {call} {}\nthe tape ends after {} calls",
                short(&ask),
                number - 1
            )));
        };
        if entry.call != call || entry.ask != ask {
            let mut text = format!("call {number} is another than on the tape:\n  tape: {} ", entry.call);
            text += &short(&entry.ask);
            text += &format!("\n  now:  {call} {}", short(&ask));
            if entry.call == call
                && let Some((path, old, new)) = first_difference("", &entry.ask, &ask)
            {
                text += &format!("\n  at {path}: {} on the tape, {} now", short(&old), short(&new));
            }
            return Err(Difference(text));
        }
        serde_json::from_value(entry.answer).map(Some).map_err(|error| {
            Difference(format!("the answer to call {number} ({call}) on the tape cannot be read: {error}"))
        })
    }

    /// Writes question and answer down, while a tape is recorded.
    pub(crate) fn keep(&mut self, call: &str, ask: &impl Serialize, answer: &impl Serialize) {
        if let Self::Record { entries, redactions } = self {
            let ask = serde_json::to_value(ask).unwrap_or_default();
            let answer = serde_json::to_value(answer).unwrap_or_default();
            redactions.look(&ask);
            redactions.look(&answer);
            entries.push(Entry { call: call.to_owned(), ask, answer });
        }
    }

    /// A value that must not be on the tape.
    pub(crate) fn hide(&mut self, value: &str) {
        if let Self::Record { redactions, .. } = self {
            redactions.add(value);
        }
    }

    /// What was recorded, cleaned.
    pub(crate) fn finish(self, mut tape: Tape) -> Option<Tape> {
        let Self::Record { entries, redactions } = self else { return None };
        tape.calls = entries;
        for entry in &mut tape.calls {
            redactions.clean(&mut entry.ask);
            redactions.clean(&mut entry.answer);
        }
        redactions.clean(&mut tape.arguments);
        redactions.clean(&mut tape.result);
        Some(tape)
    }

    /// What is on the tape and was not asked for.
    pub(crate) fn left(&self) -> Option<Difference> {
        let Self::Replay { entries, played } = self else { return None };
        let next = entries.front()?;
        Some(Difference(format!(
            "the plugin returned after {played} calls; the tape goes on with {} {}",
            next.call,
            short(&next.ask)
        )))
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The first place where two values differ: `body.amount`, with both values.
pub(crate) fn first_difference(path: &str, old: &Value, new: &Value) -> Option<(String, Value, Value)> {
    let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (old, new) {
        _ if old == new => None,
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let side = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or(Value::Null);
                first_difference(&within(name), &side(a), &side(b))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| first_difference(&within(&index.to_string()), a, b)),
        _ => Some((
            if path.is_empty() { "the value".to_owned() } else { path.to_owned() },
            old.clone(),
            new.clone(),
        )),
    }
}
