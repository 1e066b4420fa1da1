//! The document of an issued bill: what the engine says, with number, seller and date.

use super::Seller;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_engine::calendar_time::local_text;
use takst_engine::document::Document;
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;

/// What stands on a bill beside what the session came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// As printed: the series and the number.
    pub number: String,
    /// Who issued it.
    pub seller: String,
    /// When, on the clock of the tariff.
    pub issued: String,
    /// Who that was on that day.
    pub issued_by: IssuedBy,
}

/// A seller as he stood on the day of a bill: what he is called later changes no bill.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IssuedBy {
    /// Name.
    pub name: String,
    /// Number in the register of companies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_number: Option<String>,
    /// VAT number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_number: Option<String>,
    /// Lines of the address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Where drivers write to or call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<String>,
}

impl From<&Seller> for IssuedBy {
    fn from(seller: &Seller) -> Self {
        let Seller { name, company_number, vat_number, address, contact, .. } = seller.clone();
        Self { name, company_number, vat_number, address, contact }
    }
}

impl Head {
    /// The head of a bill.
    #[must_use]
    pub fn new(
        (series, number): (&str, i64),
        (seller, issued_by): (&str, IssuedBy),
        issued_at: Instant,
        zone: &Zone,
    ) -> Self {
        Self {
            number: printed_number(series, number),
            seller: seller.to_owned(),
            issued: local_text(zone, issued_at),
            issued_by,
        }
    }
}

/// The number of a bill as people read it, as in `KOTI-0096`.
#[must_use]
pub fn printed_number(series: &str, number: i64) -> String {
    format!("{series}{number:04}")
}

/// A bill as JSON: `number`, `seller`, `issued` and `issued_by`, then the engine's document with `id` in place of its own.
///
/// # Errors
/// Never for a document of the engine's; says why otherwise.
pub fn to_json(head: &Head, id: &str, document: &Document) -> Result<String, String> {
    let document = Document { id: id.to_owned(), ..document.clone() };
    let body = serde_json::to_string(&document).map_err(|error| error.to_string())?;
    let Head { number, seller, issued, issued_by } = head;
    let issued_by = serde_json::to_string(issued_by).map_err(|error| error.to_string())?;
    let text = |text: &str| serde_json::to_string(text).map_err(|error| error.to_string());
    let rest = body.strip_prefix('{').ok_or("the document of a bill is no object")?;
    Ok(format!(
        r#"{{"number":{},"seller":{},"issued":{},"issued_by":{issued_by},{rest}"#,
        text(number)?,
        text(seller)?,
        text(issued)?
    ))
}

/// Reads what `to_json` wrote.
///
/// # Errors
/// Says what is not as it was written.
pub fn from_json(text: &str) -> Result<(Head, Document), String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(mut fields) = value else {
        return Err("the document of a bill is no object".to_owned());
    };
    let issued_by = fields.remove("issued_by").unwrap_or_default();
    let issued_by = serde_json::from_value(issued_by).unwrap_or_default();
    let mut take = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("the document of a bill has no `{name}`")),
    };
    let head = Head { number: take("number")?, seller: take("seller")?, issued: take("issued")?, issued_by };
    let document = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
    Ok((head, document))
}

/// A printed amount in minor units.
#[must_use]
pub fn minor(amount: &str) -> Option<i64> {
    amount.replacen('.', "", 1).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_amounts() {
        assert_eq!(printed_number("KOTI-", 96), "KOTI-0096");
        assert_eq!(printed_number("2026/", 123_456), "2026/123456");
        assert_eq!(
            (minor("-0.50"), minor("31.28"), minor("120"), minor("1.2.3"), minor("")),
            (Some(-50), Some(3128), Some(120), None, None)
        );
    }
}
