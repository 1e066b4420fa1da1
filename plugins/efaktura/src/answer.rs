//! What the operator's answers mean.

use crate::names::Names;
use serde_json::Value;
use takst_plugin_sdk::http::Response;
use takst_plugin_sdk::invoices::{Consent, Delivery, Reachability, State};
use takst_plugin_sdk::{Error, Options};

/// A field of an answer; a name with dots goes into objects.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(value, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// As people read it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn yes(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::String(word) => match word.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Some(true),
            "false" | "no" | "n" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// What the operator said, for people.
pub fn said(settings: &Options, answer: &Response) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let words = field(&body, Names(settings).of("text")).map_or_else(|| answer.text(), text);
    let short: String = words.chars().take(300).collect();
    if short.is_empty() {
        format!("status {}", answer.status)
    } else {
        format!("status {}: {short}", answer.status)
    }
}

// The items of an answer: a list, a list in an object, or one object.
fn items(body: Value, list: &str) -> Vec<Value> {
    match body {
        Value::Array(items) => items,
        Value::Object(_) => match field(&body, list) {
            Some(Value::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => vec![body],
        },
        _ => Vec::new(),
    }
}

fn none(detail: &str) -> Reachability {
    Reachability { consent: Consent::None, address: String::new(), detail: detail.to_owned() }
}

/// Too little is known of the payer.
pub fn too_little() -> Reachability {
    none(
        "eFaktura finds a payer by national id, or by name and date of birth, phone, e-mail or address: ask for more",
    )
}

/// Nobody was found.
pub fn unknown() -> Reachability {
    none("eFaktura does not know this payer")
}

/// Whether the payer can be reached.
///
/// # Errors
/// When the answer does not say it.
pub fn reachability(settings: &Options, answer: &Response) -> Result<Reachability, Error> {
    let names = Names(settings);
    let found: Vec<Value> = items(answer.json()?, names.of("consumer-list"))
        .into_iter()
        .filter(|item| field(item, names.of("identifier")).is_some_and(|id| !text(id).is_empty()))
        .collect();
    let mut identifiers: Vec<String> =
        found.iter().filter_map(|item| field(item, names.of("identifier"))).map(text).collect();
    identifiers.dedup();
    let (Some(consumer), [identifier]) = (found.first(), identifiers.as_slice()) else {
        // An invoice goes to its recipient and to nobody else.
        return Ok(if found.is_empty() {
            unknown()
        } else {
            none("several payers fit: give the national id")
        });
    };
    let asked = |name: &'static str| -> Result<Option<bool>, Error> {
        let called = names.of(name);
        field(consumer, called)
            .map(|value| yes(value).ok_or_else(|| unreadable(name, called, &text(value))))
            .transpose()
    };
    let address = identifier.clone();
    if asked("blocked")? == Some(true) {
        let detail = "the payer blocks eFaktura of this issuer".to_owned();
        return Ok(Reachability { consent: Consent::Blocked, address, detail });
    }
    match asked("consent")? {
        Some(true) => {
            Ok(Reachability { consent: Consent::Accepts, address, detail: "Alltid eFaktura".to_owned() })
        }
        Some(false) => {
            let detail = "the payer has not agreed to `Alltid eFaktura`".to_owned();
            Ok(Reachability { consent: Consent::None, address, detail })
        }
        None => Err(missing("consent", names.of("consent"))),
    }
}

fn missing(name: &str, called: &str) -> Error {
    let detail = format!(
        "the operator's answer has no field `{called}`: say in the setting `names` what it calls it, `{name}=…`"
    );
    Error::refused("field-missing", detail)
}

fn unreadable(name: &str, called: &str, value: &str) -> Error {
    let detail =
        format!("`{called}` is `{value}`, neither true nor false: is `{name}` in the setting `names` right?");
    Error::refused("field-unreadable", detail)
}

/// A delivery, as one invoice's answer tells. An answer without a state is of an invoice that was taken over.
///
/// # Errors
/// When the state is a word without a meaning.
pub fn delivery(settings: &Options, item: &Value, reference: Option<&str>) -> Result<Delivery, Error> {
    let names = Names(settings);
    let state = match field(item, names.of("status")).map(text) {
        None => State::Accepted,
        Some(word) => names.state(&word).ok_or_else(|| {
            let detail = format!("the operator's state `{word}` has no meaning here: say in the setting `words` what it means, `accepted={word}`");
            Error::unknown("state-unknown", detail)
        })?,
    };
    let own = field(item, names.of("reference")).map(text).filter(|id| !id.is_empty());
    let reference = own.or(reference.map(str::to_owned)).ok_or_else(|| Error {
        outcome: takst_plugin_sdk::Outcome::Unknown,
        ..missing("reference", names.of("reference"))
    })?;
    let detail = field(item, names.of("text")).map(text).unwrap_or_default();
    Ok(Delivery { reference, state, detail })
}

/// What is found under a number.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// How it stands.
    pub delivery: Delivery,
    /// The operator gave our key with it: it is of this attempt, and of no earlier one.
    pub by_key: bool,
}

/// Whether the payer has it, or will.
pub fn is_alive(delivery: &Delivery) -> bool {
    matches!(delivery.state, State::Accepted | State::Delivered)
}

/// The invoice with this number under our key in an answer. Where the operator gives no keys, several attempts can stand under one number: the one
/// that lives is meant, and of several dead ones nobody can say which it is.
///
/// # Errors
/// As [`delivery`], and where several fit.
pub fn by_number(
    settings: &Options,
    answer: &Response,
    key: &str,
    number: &str,
) -> Result<Option<Found>, Error> {
    let names = Names(settings);
    let of = |item: &Value, name: &'static str| field(item, names.of(name)).map(text);
    let mut all = items(answer.json()?, names.of("invoice-list"));
    all.retain(|item| of(item, "number").as_deref() == Some(number));
    let by_key = all.iter().any(|item| of(item, "key").as_deref() == Some(key));
    all.retain(
        |item| if by_key { of(item, "key").as_deref() == Some(key) } else { of(item, "key").is_none() },
    );
    let mut found = Vec::with_capacity(all.len());
    for item in &all {
        found.push(delivery(settings, item, None)?);
    }
    if found.iter().any(is_alive) {
        found.retain(is_alive);
    }
    match <[Delivery; 1]>::try_from(found) {
        Ok([delivery]) => Ok(Some(Found { delivery, by_key })),
        Err(none) if none.is_empty() => Ok(None),
        Err(several) => Err(which(number, several.len())),
    }
}

/// Nobody can say which attempt it is.
pub fn which(number: &str, count: usize) -> Error {
    let detail = format!(
        "the operator has {count} invoices {number} without our key, and which attempt it was nobody can say: look at the operator's pages, and decide"
    );
    Error::unknown("which-attempt", detail)
}
