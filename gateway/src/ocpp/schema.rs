//! A strict check beside the tolerant reading: what the schemas of the standards would say. It reports and never refuses.
//!
//! The types come from `ocpp-types`, generated from the official schemas by someone else: an independent opinion. They do not
//! look for fields that are not in the standard; [`super::Deviation`] does.

use super::Dialect;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::fmt::Display;

mod v16;
mod v201;
mod v21;

/// What is against the schema in a charger's request; empty: nothing, or the action is unknown.
#[must_use]
pub fn violations(dialect: Dialect, action: &str, payload: Option<&RawValue>) -> Vec<String> {
    let text = payload.map_or("{}", RawValue::get);
    match dialect {
        Dialect::V16 => {
            let mut found = v16::request(action, text);
            found.retain(|found| action != "MeterValues" || !is_hertz(found));
            found
        }
        Dialect::V201 => v201::request(action, text),
        Dialect::V21 => v21::request(action, text),
    }
}

/// What is against the schema in a charger's answer to a request of ours; empty: nothing, or the action is unknown.
#[must_use]
pub fn violations_of_answer(dialect: Dialect, action: &str, payload: Option<&RawValue>) -> Vec<String> {
    let text = payload.map_or("{}", RawValue::get);
    match dialect {
        Dialect::V16 => v16::answer(action, text),
        Dialect::V201 => v201::answer(action, text),
        Dialect::V21 => v21::answer(action, text),
    }
}

// The schema of MeterValues knows this unit, that of StopTransaction does not, and the types know it in neither.
fn is_hertz(found: &str) -> bool {
    found.contains("unknown variant `Hertz`")
}

// The shape first; bounds only of what has the shape.
fn strict<T: DeserializeOwned>(text: &str, check: fn(&T) -> Option<String>) -> Vec<String> {
    match serde_json::from_str::<T>(text) {
        Ok(message) => check(&message).into_iter().collect(),
        Err(error) => vec![located(text, &error)],
    }
}

// Where it is wrong is shown by what stands before it.
fn located(text: &str, error: &serde_json::Error) -> String {
    const SHOWN: usize = 40;
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let mut end = error.column().min(line.len());
    while !line.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let before: Vec<char> = line.get(..end).unwrap_or_default().chars().rev().take(SHOWN).collect();
    let before: String = before.into_iter().rev().collect();
    format!("{error}, after `{before}`")
}

fn told<E: Display>(result: Result<(), E>) -> Option<String> {
    result.err().map(|error| error.to_string())
}

macro_rules! open {
    (v16, $type:ident) => {
        ocpp_types::v16::$type
    };
    ($module:ident, $type:ident) => {
        ocpp_types::$module::$type<serde::de::IgnoredAny>
    };
}
use open;

macro_rules! messages {
    ($module:ident: $function:ident, $open:ident: $($action:literal => $type:ident),* $(,)?) => {
        pub(super) fn $function(action: &str, text: &str) -> Vec<String> {
            use ocpp_types::validate::Validate;
            match action {
                $($action => super::strict::<ocpp_types::$module::$type>(text, |message| super::told(message.validate())),)*
                // Its content is open in 2.x.
                "DataTransfer" => super::strict::<super::open!($module, $open)>(text, |_| None),
                _ => Vec::new(),
            }
        }
    };
}
use messages;
