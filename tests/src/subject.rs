//! The real thing, as the oracle's driver calls it: texts in, a bill document out. Only this file knows the crates' API.

use serde_json::Value;
use takst_dsl::diagnostic::Severity;
use takst_dsl::{SourceFile, compile};
use takst_engine::document::Inputs;
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price};

/// Why there is no bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The tariff has errors: code and message of each.
    Tariff(Vec<(String, String)>),
    /// Something else was refused.
    Other(String),
}

/// Compiles `text` and prices the session.
///
/// # Errors
/// What was refused, in its own words.
pub fn engine_bill(
    text: &str,
    session_json: &str,
    feeds_json: &[String],
    standing_json: Option<&str>,
) -> Result<Value, Refusal> {
    let main = SourceFile { name: "random.tariff".into(), text: text.into() };
    let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
    let Some(tariff) = compiled.tariff else {
        let errors = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        return Err(Refusal::Tariff(errors.map(|d| (d.code.into(), d.message.clone())).collect()));
    };
    let other = |what: &str, error: &dyn std::fmt::Display| Refusal::Other(format!("{what}: {error}"));
    let prepared = Prepared::new(tariff).map_err(|e| other("tariff", &e))?;
    let mut book = PriceBook::default();
    for feed in feeds_json {
        book.add_json(feed).map_err(|e| other("prices", &e))?;
    }
    let session = Session::from_json(session_json).map_err(|e| other("session", &e))?;
    let standing = match standing_json {
        Some(text) => Standing::from_json(text).map_err(|e| other("standing", &e))?,
        None => Standing::default(),
    };
    let pricing = Pricing::new(&prepared, &book).map_err(|e| other("pricing", &e))?;
    let bill = price(&pricing, &session, &standing).map_err(|e| other("price", &e))?;
    let document = bill.document(&pricing, &session, Inputs::default());
    serde_json::to_value(document).map_err(|e| other("document", &e))
}
