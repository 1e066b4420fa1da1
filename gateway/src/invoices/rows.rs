//! The rows of bills: read, their nets shared out, and written as lines, rebates and surcharges.

use super::taxes::Sorted;
use super::{Adjustment, Billed, Inexact, InvoiceError, Line};
use chrono::NaiveDate;
use rust_decimal::{Decimal, RoundingStrategy};
use takst_engine::document::{ChargeDoc, Document, LineDoc, VatDoc};

/// Quantity and unit price of a line.
pub(super) type Priced = (Decimal, &'static str, Decimal);

/// A row of a bill. Amounts in minor units, with the bill's sign.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Index of its bill.
    pub(super) bill: usize,
    pub(super) charge: &'static str,
    pub(super) label: String,
    pub(super) rate: Decimal,
    pub(super) reason: Option<String>,
    pub(super) net: i64,
    measured: Option<Measured>,
}

// What was measured: how much, the unit, and the one price without VAT where all of it had the same.
#[derive(Clone, Copy, Debug)]
struct Measured {
    quantity: Decimal,
    unit: &'static str,
    price: Option<Decimal>,
}

/// What else a bill says.
#[derive(Clone, Debug)]
pub(super) struct Bill {
    pub(super) number: String,
    pub(super) about: String,
    pub(super) period: Option<(NaiveDate, NaiveDate)>,
}

/// VAT of a rate over all bills.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateVat {
    pub(super) rate: Decimal,
    pub(super) amount: i64,
}

/// All bills.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) currency: String,
    pub(super) digits: u8,
    pub(super) bills: Vec<Bill>,
    pub(super) rows: Vec<Row>,
    pub(super) vat: Vec<RateVat>,
    pub(super) net: i64,
    pub(super) vat_total: i64,
    pub(super) total: i64,
}

/// Reads the bills, and shares the net of each over its rows.
pub(super) fn read(bills: &[Billed<'_>]) -> Result<Read, InvoiceError> {
    let first = bills.first().ok_or(InvoiceError::Nothing)?;
    let currency = first.document.currency.clone();
    let places = first.document.total.split_once('.').map_or(0, |(_, places)| places.len());
    let digits = u8::try_from(places).unwrap_or(u8::MAX);
    let mut read = Read {
        currency,
        digits,
        bills: Vec::with_capacity(bills.len()),
        rows: Vec::new(),
        vat: Vec::new(),
        net: 0,
        vat_total: 0,
        total: 0,
    };
    for bill in bills {
        one(&mut read, bill)?;
    }
    if read.rows.is_empty() {
        return Err(InvoiceError::Nothing);
    }
    Ok(read)
}

// Adds one bill.
fn one(read: &mut Read, bill: &Billed<'_>) -> Result<(), InvoiceError> {
    let (number, document) = (bill.number, bill.document);
    if !matches!(document.kind, "bill" | "correction" | "statement") || document.status != "final" {
        return Err(InvoiceError::NotFinal {
            number: number.into(),
            kind: document.kind,
            status: document.status,
        });
    }
    if document.currency != read.currency {
        let (currency, other) = (document.currency.clone(), read.currency.clone());
        return Err(InvoiceError::Currencies { number: number.into(), currency, other });
    }
    let figures = Figures { number, currency: &read.currency, digits: read.digits };
    let first = read.rows.len();
    for charge in &document.charges {
        let amount = figures.minor(&charge.amount)?;
        read.rows.push(Row {
            bill: read.bills.len(),
            charge: charge.charge,
            label: charge.label.clone(),
            rate: figures.decimal(&charge.vat_rate)?,
            reason: charge.vat_reason.clone(),
            net: amount,
            measured: measured(document, charge),
        });
    }
    let rows = read.rows.get_mut(first..).unwrap_or_default();
    let vat = vat_of(&figures, &document.vat)?;
    let mut rates: Vec<Decimal> =
        rows.iter().map(|row| row.rate).chain(vat.iter().map(|(rate, ..)| *rate)).collect();
    rates.sort_unstable();
    rates.dedup();
    let (mut net, mut vat_total) = (0_i64, 0_i64);
    for rate in rates {
        let amount = sum(rows.iter().filter(|row| row.rate == rate).map(|row| row.net))?;
        // Rows without VAT stand in no breakdown of the bill: they are their own net.
        let known = vat.iter().find(|(known, ..)| *known == rate);
        let (rate_net, rate_vat) = known.map_or((amount, 0), |(_, net, vat)| (*net, *vat));
        let due = if document.prices_include_vat { add(rate_net, rate_vat)? } else { rate_net };
        if amount != due || (rate.is_zero() && rate_vat != 0) {
            return Err(Inexact::of_bill(number, "its rows do not add up to its net and VAT").into());
        }
        if document.prices_include_vat {
            share(rows, rate, rate_net)?;
        }
        net = add(net, rate_net)?;
        vat_total = add(vat_total, rate_vat)?;
        match read.vat.iter_mut().find(|known| known.rate == rate) {
            Some(known) => known.amount = add(known.amount, rate_vat)?,
            None => read.vat.push(RateVat { rate, amount: rate_vat }),
        }
    }
    let total = add(net, vat_total)?;
    let printed = [(&document.net, net), (&document.vat_total, vat_total), (&document.total, total)];
    for (text, counted) in printed {
        if figures.minor(text)? != counted {
            return Err(Inexact::of_bill(number, "its net, VAT and total are not those of its rows").into());
        }
    }
    read.net = add(read.net, net)?;
    read.vat_total = add(read.vat_total, vat_total)?;
    read.total = add(read.total, total)?;
    read.bills.push(Bill {
        number: number.to_owned(),
        about: about(number, document),
        period: period(document),
    });
    Ok(())
}

struct Figures<'a> {
    number: &'a str,
    currency: &'a str,
    digits: u8,
}

impl Figures<'_> {
    fn wrong(&self, text: &str) -> InvoiceError {
        let (number, text, currency) = (self.number.to_owned(), text.to_owned(), self.currency.to_owned());
        InvoiceError::Unreadable { number, text, currency }
    }

    fn decimal(&self, text: &str) -> Result<Decimal, InvoiceError> {
        text.parse::<Decimal>().map(|value| value.normalize()).map_err(|_| self.wrong(text))
    }

    // Amounts of invoices have at most two digits after the point (BR-DEC).
    fn minor(&self, text: &str) -> Result<i64, InvoiceError> {
        let places = text.split_once('.').map_or(0, |(_, places)| places.len());
        if places != usize::from(self.digits) || places > 2 {
            return Err(self.wrong(text));
        }
        text.replacen('.', "", 1).parse().map_err(|_| self.wrong(text))
    }
}

// Rate, net and VAT, each rate once.
fn vat_of(figures: &Figures<'_>, vat: &[VatDoc]) -> Result<Vec<(Decimal, i64, i64)>, InvoiceError> {
    let mut rates: Vec<(Decimal, i64, i64)> = Vec::new();
    for tax in vat {
        if let Some(label) = &tax.label {
            return Err(InvoiceError::OtherTax { number: figures.number.to_owned(), tax: label.clone() });
        }
        let (rate, net, vat) =
            (figures.decimal(&tax.rate)?, figures.minor(&tax.net)?, figures.minor(&tax.vat)?);
        match rates.iter_mut().find(|(known, ..)| *known == rate) {
            Some((_, nets, vats)) => (*nets, *vats) = (add(*nets, net)?, add(*vats, vat)?),
            None => rates.push((rate, net, vat)),
        }
    }
    Ok(rates)
}

// Turns the gross of the rows of a rate into nets that add up to `net`: each is rounded down, the rest goes to the largest remainders.
fn share(rows: &mut [Row], rate: Decimal, net: i64) -> Result<(), InvoiceError> {
    let scale = 10_i128.checked_pow(rate.scale() + 2).ok_or(InvoiceError::Overflow)?;
    let factor =
        scale.checked_add(rate.mantissa()).filter(|factor| *factor > 0).ok_or(InvoiceError::Overflow)?;
    let mut rests = Vec::new();
    let mut missing = i128::from(net);
    for (place, row) in rows.iter_mut().enumerate().filter(|(_, row)| row.rate == rate) {
        let exact = i128::from(row.net).checked_mul(scale).ok_or(InvoiceError::Overflow)?;
        row.net = i64::try_from(exact.div_euclid(factor)).map_err(|_| InvoiceError::Overflow)?;
        missing -= i128::from(row.net);
        rests.push((exact.rem_euclid(factor), place));
    }
    let step = if missing < 0 { -1 } else { 1 };
    rests.sort_by_key(|(rest, place)| (-rest * step, *place));
    while missing != 0 && !rests.is_empty() {
        for (_, place) in &rests {
            if missing == 0 {
                break;
            }
            if let Some(row) = rows.get_mut(*place) {
                row.net = add(row.net, i64::try_from(step).unwrap_or_default())?;
                missing -= step;
            }
        }
    }
    Ok(())
}

// How much of a charge there was, where all of its lines count the same.
fn measured(document: &Document, charge: &ChargeDoc) -> Option<Measured> {
    let is_same = |other: &&ChargeDoc| {
        (other.charge, &other.label, &other.since, &other.vat_rate, &other.session)
            == (charge.charge, &charge.label, &charge.since, &charge.vat_rate, &charge.session)
    };
    if document.charges.iter().filter(is_same).nth(1).is_some() {
        return None;
    }
    let mut lines = document.lines.iter().filter(|line| {
        line.charge == charge.charge
            && line.label == charge.label
            && line.since == charge.since
            && line.vat_rate == charge.vat_rate
            && (charge.session.is_none() || line.session == charge.session)
    });
    let read = |line: &LineDoc| {
        let quantity = line.quantity.as_deref()?.parse::<Decimal>().ok()?;
        let price = line.unit_price.as_deref()?.parse::<Decimal>().ok()?;
        Some((quantity, line.unit?, price))
    };
    let (mut quantity, unit, price) = read(lines.next()?)?;
    let mut price = Some(price);
    for line in lines {
        let (more, of, at) = read(line)?;
        if of != unit {
            return None;
        }
        quantity = quantity.checked_add(more)?;
        price = price.filter(|known| *known == at);
    }
    if document.prices_include_vat {
        let rate = charge.vat_rate.parse::<Decimal>().ok()?;
        let factor = rate.checked_div(Decimal::ONE_HUNDRED)?.checked_add(Decimal::ONE)?;
        price = price.and_then(|price| price.checked_div(factor));
    }
    // What was fed back is counted above zero and costs less than nothing; on an invoice the quantity carries the sign.
    let quantity = if charge.charge == "feed-in" { -quantity } else { quantity };
    Some(Measured { quantity, unit: unit_code(unit), price: price.map(|price| price.abs()) })
}

// UN/ECE recommendation 20.
fn unit_code(unit: &str) -> &'static str {
    match unit {
        "kWh" => "KWH",
        "min" => "MIN",
        "h" => "HUR",
        "kW" => "KWT",
        "month" => "MON",
        _ => PIECE,
    }
}

/// One of something.
const PIECE: &str = "C62";

fn about(number: &str, document: &Document) -> String {
    let mut words = vec![number.to_owned()];
    if !document.session.is_empty() {
        words.push(format!("session {}", document.session));
    }
    for (word, value) in
        [("month", &document.month), ("site", &document.site), ("charger", &document.charger)]
    {
        words.extend(value.as_ref().map(|value| format!("{word} {value}")));
    }
    words.join(", ")
}

fn period(document: &Document) -> Option<(NaiveDate, NaiveDate)> {
    let day = |text: &str| text.get(..10)?.parse::<NaiveDate>().ok();
    let from = day(&document.from)?;
    let to = document.to.as_deref().and_then(day).unwrap_or(from);
    Some((from, to.max(from)))
}

/// Lines, and what is taken off or put on the whole. `sign`: -1 for a credit note.
pub(super) fn split(
    read: &Read,
    sorted: &[Sorted],
    sign: i64,
) -> Result<(Vec<Line>, Vec<Adjustment>), InvoiceError> {
    let is_adjustment = |row: &Row| matches!(row.charge, "discount" | "coupon" | "limit");
    // An invoice has a line (BR-16): where there are only adjustments, they are the lines.
    let all_lines = read.rows.iter().all(is_adjustment);
    let (mut lines, mut adjustments) = (Vec::new(), Vec::new());
    for (row, sorted) in read.rows.iter().zip(sorted) {
        let net = row.net.checked_mul(sign).ok_or(InvoiceError::Overflow)?;
        // One of nothing is a line too: its rate stands in the breakdown.
        if !all_lines && is_adjustment(row) && net != 0 {
            adjustments.push(Adjustment {
                is_charge: net > 0,
                reason: row.label.clone(),
                net: net.checked_abs().ok_or(InvoiceError::Overflow)?,
                category: sorted.category,
                rate: row.rate,
            });
            continue;
        }
        let bill = read.bills.get(row.bill).ok_or(InvoiceError::Nothing)?;
        let measured = row
            .measured
            .map(|measured| Measured { quantity: measured.quantity * Decimal::from(sign), ..measured });
        let (quantity, unit, price) = measured
            .and_then(|measured| priced(measured, net, read.digits))
            .unwrap_or_else(|| pieces(net, read.digits));
        lines.push(Line {
            name: row.label.clone(),
            description: bill.about.clone(),
            bill: bill.number.clone(),
            quantity,
            unit,
            price,
            net,
            category: sorted.category,
            rate: row.rate,
            period: bill.period,
        });
    }
    Ok((lines, adjustments))
}

// The price with which the quantity rounds to `net`: the one that stood on the bill, or else the mean. A price is never below zero (BR-27), so there is none
// where quantity and net have different signs, as at a spot price below zero.
fn priced(measured: Measured, net: i64, digits: u8) -> Option<Priced> {
    let quantity = measured.quantity.normalize();
    let amount = Decimal::from_i128_with_scale(i128::from(net), u32::from(digits));
    if quantity.is_zero() || (!amount.is_zero() && amount.is_sign_negative() != quantity.is_sign_negative()) {
        return None;
    }
    let mean = amount.checked_div(quantity)?;
    let candidates = measured.price.into_iter().chain([mean]);
    let rounded = candidates.flat_map(|price| [6, 8, 10, 12].map(|places| price.round_dp(places)));
    rounded
        .into_iter()
        .find(|price| price.checked_mul(quantity).is_some_and(|product| rounds_to(product, net, digits)))
        .map(|price| (quantity, measured.unit, price.normalize()))
}

/// Whether an amount comes to these minor units, rounded half away from zero.
pub(super) fn rounds_to(amount: Decimal, minor: i64, digits: u8) -> bool {
    let rounded = amount.round_dp_with_strategy(u32::from(digits), RoundingStrategy::MidpointAwayFromZero);
    rounded == Decimal::from_i128_with_scale(i128::from(minor), u32::from(digits))
}

fn pieces(net: i64, digits: u8) -> Priced {
    let quantity = if net < 0 { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    (quantity, PIECE, Decimal::from_i128_with_scale(i128::from(net), u32::from(digits)).abs().normalize())
}

pub(super) fn add(a: i64, b: i64) -> Result<i64, InvoiceError> {
    a.checked_add(b).ok_or(InvoiceError::Overflow)
}

pub(super) fn sum(mut amounts: impl Iterator<Item = i64>) -> Result<i64, InvoiceError> {
    amounts.try_fold(0, add)
}
