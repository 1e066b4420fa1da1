//! Bills on their way to those who pay by invoice: which go so, by which way each, and what takes its place when a way leads nowhere. Absent: what an
//! e-invoice looks like (`invoices`), and how a channel is asked (`outbox`, `plugins`).
//!
//! ```text
//! bill ─▶ issue ─▶ invoice + first way, in the bill's commit
//!                     │
//!      channel ─(no consent, blocked, rejected)─▶ e-mail ─(no address)─▶ paper: incident `invoice.print`, a person prints it
//! credit note ─▶ issue ─▶ the invoice is taken back at its channel, or the note follows by the same way
//! ```
//!
//! An invoice is the bill: its number, its figures, one document each. Who the payer is is looked up when it is sent, as for messages.

mod issue;
mod letter;
mod page;
mod way;

pub use issue::issued;
pub use letter::{Letter, NoLetter, letter};
pub use page::{page, plain};
pub use way::{again, moved, of_another_attempt, printed, ready};

use crate::invoices::kid::Method;
use crate::invoices::{Endpoint, Party};
use crate::store::{Error, Invoice};
use serde::{Deserialize, Serialize};

/// The code of an invoice that was taken back because its bill was credited.
pub const CANCELLED: &str = "cancelled";
/// The kind of incident: an invoice is to be printed.
pub const PRINT: &str = "invoice.print";

/// How the check digit of payment references is worked out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kid {
    /// Luhn's or the one with weights.
    pub mod11: bool,
    /// Places in all, with the check digit.
    pub length: usize,
}

impl Kid {
    /// The method.
    #[must_use]
    pub fn method(self) -> Method {
        if self.mod11 { Method::Mod11 } else { Method::Mod10 }
    }
}

/// What the set-up says about a seller's invoices, on the day of a bill.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Terms {
    /// The plugin that sends them; none: they go by e-mail or on paper.
    pub channel: Option<String>,
    /// Mail can be sent.
    #[serde(default)]
    pub mail: bool,
    /// Days from the bill to the day that it is to be paid by.
    pub due_days: u32,
    /// Where the payer pays to.
    pub account: String,
    /// BIC of the bank.
    pub bic: Option<String>,
    /// How payment references are made; none: the number of the bill is written on the payment.
    pub kid: Option<Kid>,
    /// The seller stands in Foretaksregisteret.
    pub in_foretaksregisteret: bool,
    /// The electronic address of whoever delivers to payers without one of their own: scheme and number.
    pub payer_endpoint: Option<(String, String)>,
    /// The seller's country.
    pub country: String,
}

impl Terms {
    fn of(invoice: &Invoice) -> Result<Self, Error> {
        let corrupt = |error| Error::Corrupt(format!("the terms of the invoice {}: {error}", invoice.id));
        serde_json::from_str(&invoice.terms).map_err(corrupt)
    }

    fn endpoint(&self) -> Option<Endpoint> {
        let (scheme, id) = self.payer_endpoint.clone()?;
        Some(Endpoint { scheme, id })
    }
}

// The driver who owes what this debtor owes; none where it is a company, or whoever had a session.
fn driver(debtor: &str) -> Option<&str> {
    debtor.strip_prefix("driver:")
}

/// Whether a seller with these particulars can send e-invoices at all; what is wrong, in words that say what to do.
///
/// # Errors
/// What an EHF document needs of its seller and he does not have.
pub fn seller_is_fit(seller: &Party) -> Result<(), String> {
    let missing = |what: &str, help: &str| Err(format!("{what} is missing; {help}"));
    if seller.address.city.trim().is_empty() || seller.address.postcode.trim().is_empty() {
        return missing("the seller's postal code or town", "add `postcode` and `city` to `address`");
    }
    seller.check("the seller", true).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_owes_is_a_driver_only_where_that_is_said() {
        assert_eq!(super::driver("driver:d:17"), Some("d:17"));
        for other in ["payer:d-17", "session:210", "bill:b1", "d-17"] {
            assert_eq!(super::driver(other), None, "{other}");
        }
    }
}
