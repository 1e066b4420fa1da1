//! The invoice document: bills of one seller to one payer as an Invoice or CreditNote of EHF Billing 3.0, which is Peppol BIS Billing 3.0 in UBL 2.1.
//! Absent: IO, numbering, sending, and prices: every amount in it stood in the bills.
//!
//! **Exact VAT.** Where prices include VAT the gross leads: a bill has net = gross / (1 + rate), rounded once, and VAT = gross - net, because a fifth of all
//! gross totals are no net x rate rounded to the cent. An invoice states for each rate the sum of the nets and of the VAT of its bills, so that it agrees
//! with receipts, ledger and VAT return to the last cent, and its total is what the bills come to: there is no `PayableRoundingAmount`. Line nets are shares
//! of the bill's net by largest remainder, so they add up without a rest. Each bill is off `net x rate` by less than a minor unit; the official rules
//! (BR-CO-17, BR-S-09: less than one unit of the currency) leave room for that, and an invoice over so many bills that it comes near is refused.
//! BR-CO-10 to BR-CO-16, the sums per category and price x quantity of each line hold exactly: `check.rs` makes sure before an invoice is given out.

mod check;
pub mod kid;
mod party;
mod rows;
mod taxes;
mod ubl;

pub use check::Inexact;
pub use party::{Address, Contact, Endpoint, NumberError, Party};
pub use taxes::{Category, Tax};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use takst_engine::document::Document;

/// A bill with the number that it was issued under.
#[derive(Clone, Copy, Debug)]
pub struct Billed<'a> {
    /// As printed on the receipt.
    pub number: &'a str,
    /// A final bill, correction or statement.
    pub document: &'a Document,
}

/// Where the payer pays to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payment {
    /// IBAN, or a national account number.
    pub account: String,
    /// BIC of the bank.
    pub bic: Option<String>,
    /// What the payer writes on the payment: KID in Norway, RF or viitenumero in Finland.
    pub reference: Option<String>,
}

/// An invoice that this one corrects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Corrected {
    /// Its number.
    pub number: String,
    /// Its date.
    pub issued: Option<NaiveDate>,
}

/// What an invoice is made from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its number.
    pub number: &'a str,
    /// Its date.
    pub issued: NaiveDate,
    /// When it is to be paid; needed where something is.
    pub due: Option<NaiveDate>,
    /// Who issues it.
    pub seller: &'a Party,
    /// Who pays it.
    pub payer: &'a Party,
    /// What it is about, in the order in which it is shown.
    pub bills: &'a [Billed<'a>],
    /// The payer's own reference. One of this and `order` is needed: for a person the key of the driver will do.
    pub buyer_reference: Option<&'a str>,
    /// The payer's purchase order.
    pub order: Option<&'a str>,
    /// Invoices that it corrects.
    pub corrects: &'a [Corrected],
    /// Where to pay.
    pub payment: Option<&'a Payment>,
    /// What is settled already, in minor units, with the sign of the bills' total.
    pub settled: i64,
    /// A line for the payer.
    pub note: Option<&'a str>,
    /// The payer owes the VAT: rows without VAT and without a reason are reverse charge (AE).
    pub reverse_charge: bool,
    /// Where the car charged.
    pub place: Option<&'a Address>,
}

/// Which of the two documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The payer owes the seller, or nobody owes anything.
    Invoice,
    /// The seller owes the payer. All amounts have the other sign than in the bills.
    CreditNote,
}

/// A line. Amounts in minor units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What it is for.
    pub name: String,
    /// More of it, for people.
    pub description: String,
    /// The bill that it stood in.
    pub bill: String,
    /// Below zero where something is given back.
    pub quantity: Decimal,
    /// UN/ECE recommendation 20: "KWH", "MIN", "C62".
    pub unit: &'static str,
    /// Without VAT, never below zero; times `quantity` it rounds to `net`.
    pub price: Decimal,
    /// Without VAT.
    pub net: i64,
    /// Its VAT category.
    pub category: Category,
    /// Percent.
    pub rate: Decimal,
    /// First and last day.
    pub period: Option<(NaiveDate, NaiveDate)>,
}

/// A rebate or a surcharge on the whole. Amounts in minor units.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adjustment {
    /// Added, not taken off.
    pub is_charge: bool,
    /// Why.
    pub reason: String,
    /// Without VAT, never below zero.
    pub net: i64,
    /// Its VAT category.
    pub category: Category,
    /// Percent.
    pub rate: Decimal,
}

/// Sums in minor units, named as in UBL's `LegalMonetaryTotal`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Lines, without VAT.
    pub lines: i64,
    /// Rebates.
    pub allowances: i64,
    /// Surcharges.
    pub charges: i64,
    /// Without VAT.
    pub net: i64,
    /// VAT.
    pub vat: i64,
    /// With VAT.
    pub total: i64,
    /// Settled before.
    pub prepaid: i64,
    /// Left to pay.
    pub payable: i64,
}

/// An invoice that adds up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invoice {
    /// Invoice or credit note.
    pub kind: Kind,
    /// Its number.
    pub number: String,
    /// Its date.
    pub issued: NaiveDate,
    /// When it is to be paid.
    pub due: Option<NaiveDate>,
    /// ISO 4217.
    pub currency: String,
    /// How many digits a currency amount has after the point.
    pub digits: u8,
    /// Who issues it, as written.
    pub seller: Party,
    /// Who pays it, as written.
    pub payer: Party,
    /// The payer's own reference.
    pub buyer_reference: Option<String>,
    /// The payer's purchase order.
    pub order: Option<String>,
    /// What it corrects.
    pub corrects: Vec<Corrected>,
    /// Where to pay.
    pub payment: Option<Payment>,
    /// For the payer.
    pub note: Option<String>,
    /// Where the car charged.
    pub place: Option<Address>,
    /// First and last day of what was delivered.
    pub period: Option<(NaiveDate, NaiveDate)>,
    /// At least one.
    pub lines: Vec<Line>,
    /// Rebates and surcharges on the whole.
    pub adjustments: Vec<Adjustment>,
    /// VAT by category and rate; at least one.
    pub taxes: Vec<Tax>,
    /// Sums.
    pub totals: Totals,
}

/// Why there is no invoice.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvoiceError {
    /// No bills, or bills without a row.
    #[error("there is nothing to invoice: the bills have no rows")]
    Nothing,
    /// A preview, payout or report.
    #[error(
        "{number} is a {kind} that is {status}; only final bills, corrections and statements are invoiced"
    )]
    NotFinal {
        /// Its number.
        number: String,
        /// Its kind.
        kind: &'static str,
        /// Its status.
        status: &'static str,
    },
    /// Bills in several currencies.
    #[error("{number} is in {currency} and others in {other}; make an invoice for each currency")]
    Currencies {
        /// Its number.
        number: String,
        /// Its currency.
        currency: String,
        /// The one before.
        other: String,
    },
    /// A figure that is none.
    #[error("{number}: `{text}` is no amount of {currency} with at most two digits after the point")]
    Unreadable {
        /// Of the bill.
        number: String,
        /// As it stands there.
        text: String,
        /// The currency.
        currency: String,
    },
    /// A tax that the standard does not know.
    #[error("{number} has the tax `{tax}`; a Peppol invoice can say VAT only")]
    OtherTax {
        /// Of the bill.
        number: String,
        /// Its name.
        tax: String,
    },
    /// VAT without the right to it.
    #[error("{number} has {rate}% VAT, and the seller {seller} has no VAT number; set `vat_number`")]
    NoVatNumber {
        /// Of the bill.
        number: String,
        /// Percent.
        rate: String,
        /// Who.
        seller: String,
    },
    /// VAT where the payer should owe it.
    #[error(
        "{number} has {rate}% VAT and cannot be reverse charge; price the session without VAT for this payer"
    )]
    NotReverse {
        /// Of the bill.
        number: String,
        /// Percent.
        rate: String,
    },
    /// Something that the standard wants is missing.
    #[error("{what} is missing; {help}")]
    Missing {
        /// What.
        what: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A number of a party is wrong.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// It does not add up.
    #[error(transparent)]
    Inexact(#[from] Inexact),
    /// A figure does not fit.
    #[error("a figure is too large to be counted exactly")]
    Overflow,
}

/// The invoice over these bills, checked to the last minor unit. It is a credit note where the bills together come to less than nothing.
///
/// # Errors
/// When a bill is not final or does not add up, something mandatory is missing, or the standard cannot say it.
pub fn invoice(request: &Request<'_>) -> Result<Invoice, InvoiceError> {
    let seller = request.seller.written("the seller", true)?;
    let payer = request.payer.written("the payer", false)?;
    if request.number.trim().is_empty() {
        return Err(InvoiceError::Missing { what: "the invoice number", help: "number it first" });
    }
    if request.buyer_reference.is_none() && request.order.is_none() {
        return Err(InvoiceError::Missing {
            what: "the payer's reference",
            help: "give `buyer_reference` or `order` (PEPPOL-EN16931-R003); for a person the driver's key will do",
        });
    }
    let read = rows::read(request.bills)?;
    let (total, sign) = (read.total, if read.total < 0 { -1 } else { 1 });
    let kind = if sign < 0 { Kind::CreditNote } else { Kind::Invoice };
    let sorted = taxes::sort(&read, &seller, &payer, request.reverse_charge)?;
    let taxes = taxes::breakdown(&read, &sorted, sign)?;
    let (lines, adjustments) = rows::split(&read, &sorted, sign)?;
    let outside = taxes.iter().any(|tax| tax.category == Category::Outside);
    let of =
        |is_charge: bool| adjustments.iter().filter(move |one| one.is_charge == is_charge).map(|one| one.net);
    let totals = Totals {
        lines: rows::sum(lines.iter().map(|line| line.net))?,
        allowances: rows::sum(of(false))?,
        charges: rows::sum(of(true))?,
        net: rows::sum(taxes.iter().map(|tax| tax.taxable))?,
        vat: rows::sum(taxes.iter().map(|tax| tax.amount))?,
        total: total.checked_mul(sign).ok_or(InvoiceError::Overflow)?,
        prepaid: request.settled.checked_mul(sign).ok_or(InvoiceError::Overflow)?,
        payable: total
            .checked_sub(request.settled)
            .and_then(|left| left.checked_mul(sign))
            .ok_or(InvoiceError::Overflow)?,
    };
    if kind == Kind::Invoice && totals.payable > 0 && request.due.is_none() {
        return Err(InvoiceError::Missing {
            what: "the due date",
            help: "something is left to pay (BR-CO-25): give `due`",
        });
    }
    if kind == Kind::CreditNote && seller.address.country == "NL" && request.corrects.is_empty() {
        let help = "a Dutch credit note names the invoice that it corrects (NL-R-001): give `corrects`";
        return Err(InvoiceError::Missing { what: "the corrected invoice", help });
    }
    let days = read.bills.iter().filter_map(|bill| bill.period);
    let invoice = Invoice {
        kind,
        number: request.number.trim().to_owned(),
        issued: request.issued,
        due: request.due,
        currency: read.currency.clone(),
        digits: read.digits,
        seller: if outside { Party { vat_number: None, ..seller } } else { seller },
        payer: if outside { Party { vat_number: None, ..payer } } else { payer },
        buyer_reference: request.buyer_reference.map(str::to_owned),
        order: request.order.map(str::to_owned),
        corrects: request.corrects.to_vec(),
        payment: request.payment.cloned(),
        note: request.note.map(str::to_owned),
        place: request.place.cloned(),
        period: days.reduce(|(from, to), (first, last)| (from.min(first), to.max(last))),
        lines,
        adjustments,
        taxes,
        totals,
    };
    check::exact(&invoice, read.bills.len(), sign, &read)?;
    Ok(invoice)
}

impl Invoice {
    /// The document: UTF-8 XML with its declaration.
    #[must_use]
    pub fn to_xml(&self) -> String {
        ubl::write(self)
    }
}
