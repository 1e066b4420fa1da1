//! What is booked of what, as pure functions. Amounts are minor units.
//!
//! | what | debit | credit |
//! |---|---|---|
//! | bill, correction | receivable of the debtor | revenue, VAT per tax and rate |
//! | credit note | refunds, VAT | receivable |
//! | what a bill books for the property | the site's share | payable to the site |
//! | money taken by a provider | clearing | receivable |
//! | money given back, charged back | receivable | clearing |
//! | a chargeback that was won | clearing | receivable |
//! | money that came to the seller's own bank | bank | receivable |
//! | settlement of a provider | bank, fees | clearing |
//! | payout to the property | payable | bank |

use super::posting::{Account, Head, Line, NotBalanced, Posting};
use crate::billing::minor;
use crate::store::{AccountKind, Bill, BillKind, EntryKind, LedgerEntry, LedgerLine, Payment};
use serde_json::json;
use takst_engine::document::Document;
use takst_engine::units::Instant;

/// In place of a payment provider: the seller's own bank.
pub const BANK: &str = "@bank";

/// Who owes what a document says: its payer, else its driver, else whoever had the session.
#[must_use]
pub fn debtor(document: &Document, bill: &str) -> String {
    match (&document.payer, &document.driver) {
        (Some(payer), _) => format!("payer:{payer}"),
        (None, Some(driver)) => format!("driver:{driver}"),
        (None, None) if !document.session.is_empty() => format!("session:{}", document.session),
        (None, None) => format!("bill:{bill}"),
    }
}

struct Books<'a> {
    seller: &'a str,
    currency: &'a str,
}

impl Books<'_> {
    fn line(&self, kind: AccountKind, owner: &str, amount: i64) -> Line {
        let account = Account { seller: self.seller.to_owned(), kind, owner: owner.to_owned() };
        Line { account, currency: self.currency.to_owned(), amount }
    }
}

fn negative(amount: i64, source: &str) -> Result<i64, NotBalanced> {
    amount.checked_neg().ok_or_else(|| NotBalanced::TooLarge(source.to_owned()))
}

/// The entry of a bill, correction or credit note.
///
/// # Errors
/// When the document's figures cannot be read, or do not add up to its total.
pub fn bill(bill: &Bill, document: &Document) -> Result<Posting, NotBalanced> {
    let source = format!("bill:{}", bill.id);
    let unreadable = |what: &str, text: &str| {
        NotBalanced::Unreadable(source.clone(), format!("its {what} `{text}` is no amount"))
    };
    let amount = |what: &str, text: &str| minor(text).ok_or_else(|| unreadable(what, text));
    let books = Books { seller: &bill.seller, currency: &document.currency };
    let debtor = debtor(document, &bill.id);
    let net = if bill.kind == BillKind::Refund { AccountKind::Refunds } else { AccountKind::Revenue };
    let mut lines = vec![
        books.line(AccountKind::Receivable, &debtor, amount("total", &document.total)?),
        books.line(net, "", negative(amount("net", &document.net)?, &source)?),
    ];
    for tax in &document.vat {
        let owner = format!("{} {}", tax.label.as_deref().unwrap_or("VAT"), tax.rate);
        lines.push(books.line(AccountKind::Vat, &owner, negative(amount("VAT", &tax.vat)?, &source)?));
    }
    let site = document.site.as_deref().unwrap_or_default();
    for payout in &document.payouts {
        let share = amount("payout", &payout.amount)?;
        lines.push(books.line(AccountKind::SiteShare, site, share));
        lines.push(books.line(AccountKind::Payable, site, negative(share, &source)?));
    }
    let kind = match bill.kind {
        BillKind::Bill => EntryKind::Bill,
        BillKind::Correction => EntryKind::Correction,
        BillKind::Refund => EntryKind::Refund,
    };
    let about = json!({ "number": crate::billing::printed_number(&bill.series, bill.number) });
    let head = Head {
        kind,
        seller: bill.seller.clone(),
        debtor: Some(debtor),
        bill: Some(bill.id.clone()),
        payment: None,
        reverses: None,
        at: bill.issued_at,
        document: about.to_string(),
        source,
    };
    Posting::new(head, lines)
}

/// The entry of money that a provider took: `amount` more, `in_all` altogether.
///
/// # Errors
/// When a figure does not fit.
pub fn captured(payment: &Payment, amount: i64, in_all: i64, at: Instant) -> Result<Posting, NotBalanced> {
    moved(payment, amount, (format!("captured:{in_all}"), EntryKind::Payment), at)
}

/// The entry of money that a provider gave back: `amount` more, `in_all` altogether.
///
/// # Errors
/// When a figure does not fit.
pub fn paid_back(payment: &Payment, amount: i64, in_all: i64, at: Instant) -> Result<Posting, NotBalanced> {
    moved(payment, amount, (format!("refunded:{in_all}"), EntryKind::PaidBack), at)
}

/// The entry of a chargeback that the provider calls so: `amount` is gone, or has come again when it is negative.
///
/// # Errors
/// When a figure does not fit.
pub fn charged_back(
    payment: &Payment,
    amount: i64,
    reference: &str,
    at: Instant,
) -> Result<Posting, NotBalanced> {
    let word = if amount < 0 { "charged-back-won" } else { "charged-back" };
    moved(payment, amount, (format!("{word}:{reference}"), EntryKind::PaidBack), at)
}

fn moved(
    payment: &Payment,
    amount: i64,
    (name, kind): (String, EntryKind),
    at: Instant,
) -> Result<Posting, NotBalanced> {
    // What it comes to altogether names it: the same answer twice is the same entry.
    let source = format!("payment:{}:{name}", payment.id);
    let books = Books { seller: &payment.seller, currency: &payment.currency };
    let back = negative(amount, &source)?;
    let (to, from) = if kind == EntryKind::Payment { (amount, back) } else { (back, amount) };
    let (holds, owner) = match payment.plugin.as_str() {
        BANK => (AccountKind::Bank, ""),
        plugin => (AccountKind::Clearing, plugin),
    };
    let lines = [books.line(holds, owner, to), books.line(AccountKind::Receivable, &payment.debtor, from)];
    let head = Head {
        kind,
        seller: payment.seller.clone(),
        debtor: Some(payment.debtor.clone()),
        bill: Some(payment.bill.clone()),
        payment: Some(payment.id.clone()),
        reverses: None,
        at,
        document: json!({ "plugin": payment.plugin, "reference": payment.theirs }).to_string(),
        source,
    };
    Posting::new(head, lines)
}

/// What is known of a settlement or payout: money that a person or program found on a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// In whose books.
    pub seller: String,
    /// ISO 4217.
    pub currency: String,
    /// The statement's name for it: the same is booked once.
    pub reference: String,
    /// The day that it is for.
    pub at: Instant,
    /// Who wrote it.
    pub by: String,
}

/// The entry of a provider's settlement: `gross` leaves its clearing account, `fee` of it was kept.
///
/// # Errors
/// When a figure does not fit.
pub fn settlement(about: &Settled, plugin: &str, gross: i64, fee: i64) -> Result<Posting, NotBalanced> {
    let source = format!("settlement:{}:{plugin}:{}", about.seller, about.reference);
    let books = Books { seller: &about.seller, currency: &about.currency };
    let bank = gross.checked_sub(fee).ok_or_else(|| NotBalanced::TooLarge(source.clone()))?;
    let lines = [
        books.line(AccountKind::Bank, "", bank),
        books.line(AccountKind::Fees, plugin, fee),
        books.line(AccountKind::Clearing, plugin, negative(gross, &source)?),
    ];
    Posting::new(about.head(source, EntryKind::Settlement), lines)
}

/// The entry of a payout to the property.
///
/// # Errors
/// When a figure does not fit.
pub fn payout(about: &Settled, site: &str, amount: i64) -> Result<Posting, NotBalanced> {
    let source = format!("payout:{}:{site}:{}", about.seller, about.reference);
    let books = Books { seller: &about.seller, currency: &about.currency };
    let lines = [
        books.line(AccountKind::Payable, site, amount),
        books.line(AccountKind::Bank, "", negative(amount, &source)?),
    ];
    Posting::new(about.head(source, EntryKind::Payout), lines)
}

impl Settled {
    fn head(&self, source: String, kind: EntryKind) -> Head {
        Head {
            source,
            kind,
            seller: self.seller.clone(),
            debtor: None,
            bill: None,
            payment: None,
            reverses: None,
            at: self.at,
            document: json!({ "reference": self.reference, "by": self.by }).to_string(),
        }
    }
}

/// The counter-entry of an entry.
///
/// # Errors
/// When a figure does not fit.
pub fn reversal(
    entry: &LedgerEntry,
    lines: &[LedgerLine],
    reason: &str,
    by: &str,
    at: Instant,
) -> Result<Posting, NotBalanced> {
    let source = source_of_reversal(&entry.id);
    let back = |line: &LedgerLine| {
        let account = Account { seller: line.seller.clone(), kind: line.account, owner: line.owner.clone() };
        Ok(Line { account, currency: line.currency.clone(), amount: negative(line.amount, &source)? })
    };
    let lines = lines.iter().map(back).collect::<Result<Vec<_>, NotBalanced>>()?;
    let head = Head {
        kind: EntryKind::Reversal,
        seller: entry.seller.clone(),
        debtor: entry.debtor.clone(),
        bill: entry.bill.clone(),
        payment: entry.payment.clone(),
        reverses: Some(entry.id.clone()),
        at,
        document: json!({ "reason": reason, "by": by }).to_string(),
        source: source.clone(),
    };
    Posting::new(head, lines)
}

/// What the counter-entry of an entry is called.
pub(super) fn source_of_reversal(entry: &str) -> String {
    format!("reversal:{entry}")
}

#[cfg(test)]
mod tests;
