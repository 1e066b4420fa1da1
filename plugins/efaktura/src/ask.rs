//! Requests to the operator.

use crate::names::Names;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use takst_plugin_sdk::http::{Request, encode};
use takst_plugin_sdk::invoices::Invoice;
use takst_plugin_sdk::{Error, Options, Settings};

/// What is known of a payer, and what the operator calls it.
const PAYER: &[(&str, &str)] = &[
    ("national-id", "ssn"),
    ("name", "name"),
    ("birth-date", "birthDate"),
    ("phone", "phone"),
    ("email", "email"),
    ("address", "address"),
];

/// A request to a path of the interface, with the key.
///
/// # Errors
/// When a setting is missing.
pub fn request(settings: &Options, method: &str, path: &str) -> Result<Request, Error> {
    let address = Settings(settings).need("address")?;
    let request = Request::new(method, format!("{}/{path}", address.trim_end_matches('/')));
    let (name, value) = auth(settings).ok_or_else(|| Error::refused("setting-wrong", AUTH))?;
    Ok(request.header(name, value).header("accept", "application/json"))
}

/// What is wrong with the setting `auth` where it cannot be read.
pub const AUTH: &str = "the setting `auth` is a header as in `Authorization: Bearer {{secret:api_key}}`";

/// The header with the key.
pub fn auth(settings: &Options) -> Option<(&str, &str)> {
    let header = Settings(settings).get_or("auth", "Authorization: Bearer {{secret:api_key}}");
    let (name, value) = header.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let fine = !name.is_empty() && value.contains("{{secret:api_key}}");
    fine.then_some((name, value))
}

/// The body that looks a payer up; nothing where too little is known to find exactly one: it takes a national id, or a name and one thing more.
///
/// # Errors
/// When a setting is missing.
pub fn consumer(settings: &Options, payer: &Options) -> Result<Option<Value>, Error> {
    let known = |name: &str| Settings(payer).get(name);
    let beside_the_name =
        ["birth-date", "phone", "email", "address"].iter().any(|name| known(name).is_some());
    if known("national-id").is_none() && !(known("name").is_some() && beside_the_name) {
        return Ok(None);
    }
    let mut body = Map::new();
    body.insert("issuer".to_owned(), Settings(settings).need("issuer")?.into());
    for (ours, theirs) in PAYER {
        if let Some(value) = known(ours) {
            body.insert((*theirs).to_owned(), value.into());
        }
    }
    Ok(Some(Value::Object(body)))
}

/// A JSON object whose numbers are text until the end: an amount goes through no float.
pub type Body = BTreeMap<String, Box<RawValue>>;

/// The body that sends an invoice.
///
/// # Errors
/// When a setting is missing.
pub fn invoice(settings: &Options, key: &str, invoice: &Invoice) -> Result<Body, Error> {
    let names = Names(settings);
    let kind = if is_credit_note(invoice) { "CREDIT_NOTE" } else { "INVOICE" };
    let document = BASE64_STANDARD.encode(&invoice.document);
    let attachment = BASE64_STANDARD.encode(&invoice.attachment);
    let texts = [
        ("issuer", Settings(settings).need("issuer")?),
        (names.of("key"), key),
        (names.of("number"), &invoice.number),
        ("efakturaIdentifier", &invoice.address),
        ("documentType", kind),
        ("currency", &invoice.amount.currency),
        ("issueDate", &invoice.issued),
        ("dueDate", &invoice.due),
        ("kid", &invoice.payment_reference),
        ("invoiceUri", Settings(&invoice.more).get_or("uri", "")),
        ("document", &document),
        ("attachment", &attachment),
    ];
    let wrong = |e: serde_json::Error| Error::refused("no-json", e.to_string());
    let mut body = Body::new();
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        body.insert(name.to_owned(), to_raw_value(text).map_err(wrong)?);
    }
    let amount = match Settings(settings).get_or("amount_as", "number") {
        "text" => to_raw_value(&invoice.amount.decimal()),
        "minor" => to_raw_value(&invoice.amount.minor),
        _ => RawValue::from_string(invoice.amount.decimal()),
    };
    body.insert("amount".to_owned(), amount.map_err(wrong)?);
    Ok(body)
}

/// Whether the document gives money back.
pub fn is_credit_note(invoice: &Invoice) -> bool {
    let head = invoice.document.get(..400).unwrap_or(&invoice.document);
    invoice.amount.minor < 0 || String::from_utf8_lossy(head).contains("<CreditNote")
}

/// The path of an invoice, or of the invoices with a number.
pub fn path(settings: &Options, rest: &str) -> String {
    format!("{}{rest}", Names(settings).of("invoices"))
}

/// `invoices?issuer=…&invoiceNumber=…`.
///
/// # Errors
/// When a setting is missing.
pub fn by_number(settings: &Options, number: &str) -> Result<String, Error> {
    let issuer = encode(Settings(settings).need("issuer")?);
    let name = Names(settings).of("number");
    Ok(path(settings, &format!("?issuer={issuer}&{name}={}", encode(number))))
}
