//! Rows that a party pays, made into a document that adds up.

use super::error::MonthError;
use super::input::MonthInput;
use super::meters::{Stretch, micro_text};
use crate::bill::taxes_on;
use crate::calendar_time::local_text;
use crate::document::{ChargeDoc, Document, Inputs, LineDoc, PartDoc, TariffRef, VatDoc, Word, money};
use crate::evaluate::Pricing;
use crate::exact::{Exact, Num, Overflow, print_decimal};
use crate::input;
use crate::prepared::{Prepared, hash_text};
use crate::prices::PriceBook;
use crate::session::Facts;
use crate::share;
use crate::standing::Standing;
use crate::tariff::{Tax, TaxClass};
use crate::units::Instant;
use rust_decimal::{Decimal, RoundingStrategy};

/// Ways of being taxed: those of the tariff, and those of bills made under other lists.
#[derive(Clone, Debug)]
pub(crate) struct Taxes {
    classes: Vec<TaxClass>,
    factors: Vec<Num>,
    includes_vat: bool,
}

impl Taxes {
    pub fn of(p: &Prepared) -> Self {
        let factors = p.tax_factors.iter().map(|tax| tax.factor).collect();
        Self { classes: p.tariff.tax_classes.clone(), factors, includes_vat: p.tariff.includes_vat }
    }

    fn factor(&self, class: u32) -> Num {
        self.factors.get(class as usize).copied().unwrap_or(Num::ONE)
    }

    /// Percent, all taxes of the class together.
    pub fn rate(&self, class: u32) -> String {
        let share = self.factor(class).sub(Num::ONE).and_then(|share| share.mul(Num::new(100, 0)));
        share.unwrap_or(Num::ZERO).to_plain()
    }

    pub fn reason(&self, class: u32) -> Option<&String> {
        self.classes.get(class as usize).and_then(|class| class.reason.as_ref())
    }

    /// The class of a printed rate; a new one when the tariff has none such.
    pub fn class_of(&mut self, rate: &str, reason: Option<&String>) -> Result<u32, MonthError> {
        let count = u32::try_from(self.classes.len()).map_err(|_| Overflow)?;
        let known = (0..count).find(|class| self.rate(*class) == rate && self.reason(*class) == reason);
        if let Some(known) = known {
            return Ok(known);
        }
        let wrong = |what: String| MonthError::input(what, "give documents as `takst price` prints them");
        let percent = input::decimal(rate).map_err(|message| wrong(format!("`vat_rate`: {message}")))?;
        let factor = Num::from_decimal(percent).mul(Num::new(1, 2))?.add(Num::ONE)?;
        if factor.is_zero() || factor.is_negative() {
            return Err(wrong(format!("`vat_rate`: {rate} is -100 % or less")));
        }
        let tax = Tax { label: "VAT".into(), rate: percent, on_top_of: Vec::new(), rule: 0 };
        let taxes = if percent.is_zero() { Vec::new() } else { vec![tax] };
        self.classes.push(TaxClass { taxes, reason: reason.cloned() });
        self.factors.push(factor);
        Ok(count)
    }

    // Taxes, net and total in minor units.
    fn totals(
        &self,
        rows: impl Iterator<Item = (u32, i64)>,
        digits: u8,
    ) -> Result<(Vec<VatDoc>, i64, i64), MonthError> {
        let (taxes, net, total) =
            taxes_on(&self.classes, &|class| self.factor(class), self.includes_vat, rows)?;
        let print = |row: &crate::bill::TaxRow| {
            let class = self.classes.get(row.class as usize);
            let tax = class.and_then(|class| class.taxes.get(row.tax as usize));
            VatDoc {
                label: tax.map(|tax| tax.label.clone()).filter(|label| label != "VAT"),
                rate: tax.map_or_else(String::new, |tax| tax.rate.normalize().to_string()),
                net: money(row.base, digits),
                vat: money(row.amount, digits),
            }
        };
        Ok((taxes.iter().map(print).collect(), net, total))
    }
}

/// A printed row in the making.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub charge: Word,
    pub label: String,
    pub tax: u32,
    // Minor units in the tariff's VAT basis.
    pub amount: i64,
    pub session: Option<String>,
    pub driver: Option<String>,
    pub date: Option<String>,
}

impl Row {
    pub fn plain(charge: Word, label: impl Into<String>, tax: u32, amount: i64) -> Self {
        Self { charge, label: label.into(), tax, amount, session: None, driver: None, date: None }
    }
}

/// A document in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub rows: Vec<Row>,
    pub lines: Vec<LineDoc>,
    pub notes: Vec<String>,
    // Millionths of a kWh, and how many sessions took them.
    pub energy: i64,
    pub exported: i64,
    pub sessions: u32,
    pub has_payment_fee: bool,
    // Of the last session, for what is judged per bill.
    pub facts: Facts,
}

/// Whose document it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub kind: Word,
    pub driver: Option<String>,
    pub payer: Option<String>,
    pub standing: Standing,
}

/// What every document of the month has in common.
pub(crate) struct Paper<'a> {
    pub pricing: &'a Pricing<'a>,
    pub input: &'a MonthInput,
    pub stretch: Stretch<'a>,
    pub taxes: Taxes,
    pub digits: u8,
}

impl Paper<'_> {
    pub fn time(&self, at: i64) -> String {
        local_text(self.stretch.zone, Instant(at))
    }

    /// A line of a charge of the month. `counted`: quantity, unit and unit price.
    pub fn line(
        &self,
        charge: Word,
        label: &str,
        (from, to): (i64, i64),
        counted: Option<(String, Word, Num)>,
        amount: Exact,
        (tax, rule): (u32, u32),
    ) -> LineDoc {
        let (quantity, unit, unit_price) = match counted {
            Some((quantity, unit, price)) => (Some(quantity), Some(unit), Some(price.to_plain())),
            None => (None, None, None),
        };
        let amount = amount.print12();
        LineDoc {
            session: None,
            charger: None,
            charge,
            label: label.to_owned(),
            from: self.time(from),
            to: self.time(to),
            quantity,
            unit,
            unit_price,
            shown: shown(&amount, self.digits),
            amount,
            vat_rate: self.taxes.rate(tax),
            rule: self.pricing.p.place(rule),
            since: None,
        }
    }

    /// The document of a draft.
    pub fn document(&self, head: Head, draft: Draft) -> Result<Document, MonthError> {
        let tariff = &self.pricing.p.tariff;
        let rows = draft.rows.iter().map(|row| (row.tax, row.amount));
        let (vat, net, total) = self.taxes.totals(rows, self.digits)?;
        let prices = self.pricing.files.map(PriceBook::fingerprint).unwrap_or_default();
        let standing = serde_json::to_string(&self.input.standing).unwrap_or_default();
        let charge = |row: Row| ChargeDoc {
            charge: row.charge,
            label: row.label,
            since: None,
            session: row.session,
            driver: row.driver,
            date: row.date,
            amount: money(row.amount, self.digits),
            after_rebates: None,
            vat_rate: self.taxes.rate(row.tax),
            vat_reason: self.taxes.reason(row.tax).cloned(),
            parts: Vec::<PartDoc>::new(),
        };
        let mut document = Document {
            id: String::new(),
            kind: head.kind,
            revision: 1,
            corrects: None,
            session: String::new(),
            month: Some(self.input.month.to_string()),
            site: Some(self.input.site.clone()),
            charger: None,
            driver: head.driver,
            payer: head.payer,
            status: "final",
            currency: tariff.currency.code.clone(),
            prices_include_vat: tariff.includes_vat,
            energy_kwh: micro_text(draft.energy),
            exported_kwh: (draft.exported != 0).then(|| micro_text(draft.exported)),
            from: self.time(self.stretch.from),
            to: Some(self.time(self.stretch.to)),
            tariff: TariffRef {
                name: tariff.name.clone(),
                file: tariff.file.clone(),
                version: self.pricing.p.version().to_owned(),
            },
            tariff_changes: Vec::new(),
            inputs: Inputs {
                session: String::new(),
                month: Some(self.input.hash.clone()),
                prices: hash_text(prices.as_bytes()),
                standing: hash_text(standing.as_bytes()),
            },
            lines: draft.lines,
            charges: draft.rows.into_iter().map(charge).collect(),
            vat,
            net: money(net, self.digits),
            vat_total: money(total.checked_sub(net).ok_or(Overflow)?, self.digits),
            total: money(total, self.digits),
            pending: Vec::new(),
            payouts: Vec::new(),
            payout_lines: Vec::new(),
            notes: draft.notes,
            standing: head.standing,
        };
        document.id = content_id(&document);
        Ok(document)
    }
}

/// An id that follows from all that a document says.
pub(crate) fn content_id(document: &Document) -> String {
    let hash = hash_text(&serde_json::to_vec(document).unwrap_or_default());
    hash.chars().skip("sha256:".len()).take(16).collect()
}

/// An exact amount as a report shows it.
pub(crate) fn shown(amount: &str, digits: u8) -> Option<String> {
    let places = u32::from(digits) + 2;
    let rounded =
        input::decimal(amount).ok()?.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    let up = 10_i128.checked_pow(places.checked_sub(rounded.scale())?)?;
    Some(print_decimal(rounded.mantissa().checked_mul(up)?, places, false))
}

/// A printed amount in minor units.
pub(crate) fn minor(text: &str, digits: u8) -> Result<i64, String> {
    let amount = input::decimal(text)?;
    let places = u32::from(digits);
    let wrong = || format!("`{}` is not an amount with {digits} decimals", input::short(text));
    let amount = if amount.scale() > places { amount.normalize() } else { amount };
    let missing = places.checked_sub(amount.scale()).ok_or_else(wrong)?;
    let up = 10_i128.checked_pow(missing).ok_or_else(wrong)?;
    let minor = amount.mantissa().checked_mul(up).and_then(|minor| i64::try_from(minor).ok());
    // Far from the edge, so that sums of many stay exact.
    minor.filter(|minor| minor.unsigned_abs() < 1 << 52).ok_or_else(wrong)
}

/// An amount of a line.
pub(crate) fn exact(text: &str) -> Result<Exact, String> {
    let amount: Decimal = input::decimal(text)?;
    let overflow = |_| format!("`{}` is too large", input::short(text));
    Exact::from_num(Num::from_decimal(amount)).map_err(overflow)
}

/// Exact sums by tax class, rounded once together and shared by largest remainder.
pub(crate) fn print_once(sums: &[(u32, Exact)], digits: u8) -> Result<Vec<(u32, i64)>, Overflow> {
    let mut whole = Exact::ZERO;
    for (_, sum) in sums {
        whole = whole.add(*sum)?;
    }
    let weights: Vec<Exact> = sums.iter().map(|(_, sum)| *sum).collect();
    let shares = share::by_exact(whole.to_minor(digits)?, &weights, digits)?;
    Ok(sums.iter().map(|(tax, _)| *tax).zip(shares).collect())
}

/// Adds to the sum of a tax class.
pub(crate) fn add_sum(sums: &mut Vec<(u32, Exact)>, tax: u32, amount: Exact) -> Result<(), Overflow> {
    match sums.iter_mut().find(|(known, _)| *known == tax) {
        Some((_, sum)) => *sum = sum.add(amount)?,
        None => sums.push((tax, amount)),
    }
    Ok(())
}
