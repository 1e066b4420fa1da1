//! The real thing, as the oracle's driver calls it: texts in, a bill document out. Only this file knows the crates' API.

use crate::oracle::text::{BASE, Files};
use rust_decimal::Decimal;
use serde_json::Value;
use takst_dsl::diagnostic::Severity;
use takst_dsl::{SourceFile, compile};
use takst_engine::document::Inputs;
use takst_engine::exact::Num;
use takst_engine::{Prepared, PriceBook, PriceError, Pricing, Session, Standing, price};

/// Why there is no bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The tariff has errors: code and message of each.
    Tariff(Vec<(String, String)>),
    /// A fact that the list asks for is missing: the field.
    Missing(String),
    /// The list is not in force yet, or not any more.
    NotInForce,
    /// Something else was refused.
    Other(String),
}

/// What the engine is given.
#[derive(Clone, Debug)]
pub struct Question {
    /// The list, and the one it is based on.
    pub files: Files,
    /// The session.
    pub session: String,
    /// Price files.
    pub feeds: Vec<String>,
    /// Opening counters.
    pub standing: Option<String>,
    /// What the plant's kWh cost.
    pub cost: Option<Decimal>,
}

/// Compiles the list and prices the session.
///
/// # Errors
/// What was refused, in its own words.
pub fn engine_bill(question: &Question) -> Result<Value, Refusal> {
    let Question { files, session, feeds, standing, cost } = question;
    let main = SourceFile { name: "random.tariff".into(), text: files.list.clone() };
    let compiled = compile(main, &mut |name| match &files.base {
        Some(base) if name == BASE => Ok(SourceFile { name: name.into(), text: base.clone() }),
        _ => Err(format!("there is no `{name}`")),
    });
    let Some(tariff) = compiled.tariff else {
        let errors = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        return Err(Refusal::Tariff(errors.map(|d| (d.code.into(), d.message.clone())).collect()));
    };
    let other = |what: &str, error: &dyn std::fmt::Display| Refusal::Other(format!("{what}: {error}"));
    let prepared = Prepared::new(tariff).map_err(|e| other("tariff", &e))?;
    let mut book = PriceBook::default();
    for feed in feeds {
        book.add_json(feed).map_err(|e| other("prices", &e))?;
    }
    let session = Session::from_json(session).map_err(|e| other("session", &e))?;
    let standing = match standing {
        Some(text) => Standing::from_json(text).map_err(|e| other("standing", &e))?,
        None => Standing::default(),
    };
    let pricing = Pricing::new(&prepared, &book).map_err(|e| other("pricing", &e))?;
    let pricing = match cost {
        Some(cost) => pricing.with_cost_price(Num::from_decimal(*cost)),
        None => pricing,
    };
    let bill = price(&pricing, &session, &standing).map_err(|error| match error {
        PriceError::MissingFact { field, .. } => Refusal::Missing(field.into()),
        PriceError::NotInForce { .. } | PriceError::Over { .. } => Refusal::NotInForce,
        error => other("price", &error),
    })?;
    let document = bill.document(&pricing, &session, Inputs::default());
    serde_json::to_value(document).map_err(|e| other("document", &e))
}
