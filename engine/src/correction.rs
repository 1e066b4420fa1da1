//! Corrections and refunds. A bill that went out never changes: what was wrong with it is a document of its own, such that
//! the bill, its earlier corrections and this one together come to what it should have been, in every row and every tax.

use crate::document::{ChargeDoc, Document, LineDoc, PartDoc, VatDoc, Word, money};
use crate::exact::{Exact, Num, Overflow, div_half_away, print_decimal};
use crate::input;
use crate::month::{content_id, minor};
use crate::share;
use ethnum::I256;
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Why a document cannot be corrected.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CorrectionError {
    /// Not something that went out, or not a final figure.
    #[error(
        "document {id} is a {kind} that is {status}; only final bills, statements and payouts are corrected"
    )]
    NotGivenOut {
        /// Its id.
        id: String,
        /// Its kind.
        kind: Word,
        /// Its status.
        status: Word,
    },
    /// An earlier correction of something else.
    #[error("correction {id} does not correct {bill}; give the corrections of this document only")]
    OfAnother {
        /// Its id.
        id: String,
        /// The document that is corrected.
        bill: String,
    },
    /// The two versions are not about the same.
    #[error("{what} is {old} in one document and {new} in the other; both must be about the same")]
    Different {
        /// Which field.
        what: &'static str,
        /// In the bill.
        old: String,
        /// In the other.
        new: String,
    },
    /// Not as the program prints documents.
    #[error("document {id}: {message}")]
    Unreadable {
        /// Its id.
        id: String,
        /// In words.
        message: String,
    },
    /// The new version says the same.
    #[error("there is nothing to correct: the document already says this")]
    Nothing,
    /// No such row.
    #[error("the document has no charge `{charge}`{}", nearest.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    NoSuchCharge {
        /// As given.
        charge: String,
        /// The nearest there is.
        nearest: Option<String>,
    },
    /// Zero, or given back before.
    #[error("nothing is left of `{charge}` to give back")]
    NothingLeft {
        /// As given.
        charge: String,
    },
    /// The document alone does not tell what the charge came to.
    #[error(
        "{why}, so the document alone does not tell what giving back a part comes to; price the session again without it, and correct the bill with that"
    )]
    NeedsPricing {
        /// In words.
        why: &'static str,
    },
    /// A figure does not fit.
    #[error("a figure is too large to be counted exactly")]
    Overflow(#[from] Overflow),
}

/// The correction that makes `bill` and its `earlier` corrections into `new`.
///
/// # Errors
/// When the documents are not about the same session, or there is no difference.
pub fn correct(bill: &Document, earlier: &[Document], new: &Document) -> Result<Document, CorrectionError> {
    let old = State::of_given_out(bill, earlier)?;
    if !(matches!(new.kind, "bill" | "statement" | "payout") && new.status == "final") {
        return Err(not_given_out(new));
    }
    let month = |document: &Document| document.month.clone().unwrap_or_default();
    let basis = |document: &Document| document.prices_include_vat.to_string();
    for (what, old, new) in [
        ("session", bill.session.clone(), new.session.clone()),
        ("month", month(bill), month(new)),
        ("currency", bill.currency.clone(), new.currency.clone()),
        ("prices_include_vat", basis(bill), basis(new)),
    ] {
        if old != new {
            return Err(CorrectionError::Different { what, old, new });
        }
    }
    let target = State::of(std::iter::once(new), old.digits)?;
    let difference = target.less(&old)?;
    let lines = line_difference(&old.lines, &target.lines);
    let payout_lines = line_difference(&old.payout_lines, &target.payout_lines);
    if difference.is_nothing() && lines.is_empty() && payout_lines.is_empty() {
        return Err(CorrectionError::Nothing);
    }
    let frame = Document { notes: new.notes.clone(), ..new.clone() };
    Ok(difference.document(bill, earlier, frame, lines, payout_lines))
}

/// Gives back what is left of the named charges (kind or label), or of the whole document. What was delivered and what the
/// property gets for it stay as they are.
///
/// # Errors
/// When a charge is not there, nothing is left of it, or the document alone does not tell what it came to.
pub fn refund(
    bill: &Document,
    earlier: &[Document],
    charges: Option<&[&str]>,
    reason: &str,
) -> Result<Document, CorrectionError> {
    let old = State::of_given_out(bill, earlier)?;
    let mut target = old.clone();
    let lines = match charges {
        None => {
            target.rows.iter_mut().for_each(Row::clear);
            target.vat.iter_mut().for_each(|tax| (tax.base, tax.amount) = (0, 0));
            (target.net, target.vat_total, target.total) = (0, 0, 0);
            line_difference(&old.lines, &[])
        }
        Some(charges) => {
            target.give_back(charges, bill.prices_include_vat)?;
            let named = |line: &&LineDoc| charges.iter().any(|name| is_named(line.charge, &line.label, name));
            let lines: Vec<LineDoc> = old.lines.iter().filter(named).cloned().collect();
            line_difference(&lines, &[])
        }
    };
    let difference = target.less(&old)?;
    if difference.is_nothing() {
        return Err(CorrectionError::Nothing);
    }
    let last = earlier.last().unwrap_or(bill);
    let frame = Document { notes: vec![reason.to_owned()], ..last.clone() };
    Ok(difference.document(bill, earlier, frame, lines, Vec::new()))
}

fn not_given_out(document: &Document) -> CorrectionError {
    let Document { id, kind, status, .. } = document;
    CorrectionError::NotGivenOut { id: id.clone(), kind, status }
}

fn is_named(charge: Word, label: &str, name: &str) -> bool {
    let rest = label.strip_prefix(name);
    // The lines of a charge's limits and steps begin with its label.
    charge == name || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    // Everything but the figures.
    about: ChargeDoc,
    amount: i64,
    // After rebates.
    left: i64,
    parts: Vec<(String, i64)>,
}

impl Row {
    fn clear(&mut self) {
        (self.amount, self.left) = (0, 0);
        self.parts.iter_mut().for_each(|(_, amount)| *amount = 0);
    }

    fn is_nothing(&self) -> bool {
        self.amount == 0 && self.left == 0 && self.parts.iter().all(|(_, amount)| *amount == 0)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct TaxSum {
    label: Option<String>,
    rate: String,
    base: i64,
    amount: i64,
}

/// What a document and its corrections come to.
#[derive(Clone, Debug, Default)]
struct State {
    digits: u8,
    rows: Vec<Row>,
    payouts: Vec<Row>,
    vat: Vec<TaxSum>,
    net: i64,
    vat_total: i64,
    total: i64,
    // Millionths of a kWh.
    energy: i64,
    exported: i64,
    lines: Vec<LineDoc>,
    payout_lines: Vec<LineDoc>,
}

fn add(to: &mut i64, amount: i64) -> Result<(), Overflow> {
    *to = to.checked_add(amount).ok_or(Overflow)?;
    Ok(())
}

impl State {
    fn of_given_out(bill: &Document, earlier: &[Document]) -> Result<Self, CorrectionError> {
        if !(matches!(bill.kind, "bill" | "statement" | "payout") && bill.status == "final") {
            return Err(not_given_out(bill));
        }
        for other in earlier {
            if other.kind != "correction" || other.corrects.as_ref() != Some(&bill.id) {
                return Err(CorrectionError::OfAnother { id: other.id.clone(), bill: bill.id.clone() });
            }
        }
        let digits = bill.total.split_once('.').map_or(0, |(_, places)| places.len());
        let digits = u8::try_from(digits).ok().filter(|digits| *digits <= 6);
        let digits = digits.ok_or_else(|| CorrectionError::Unreadable {
            id: bill.id.clone(),
            message: "`total` is not an amount of money".into(),
        })?;
        Self::of(std::iter::once(bill).chain(earlier), digits)
    }

    fn of<'a>(documents: impl Iterator<Item = &'a Document>, digits: u8) -> Result<Self, CorrectionError> {
        let mut state = Self { digits, ..Self::default() };
        for document in documents {
            let bad = |message: String| CorrectionError::Unreadable { id: document.id.clone(), message };
            let read = |text: &str| minor(text, digits).map_err(bad);
            let energy = |text: &str| {
                let value = input::decimal(text).ok().and_then(crate::units::micro);
                value.ok_or_else(|| bad(format!("`{}` is not an energy in kWh", input::short(text))))
            };
            for (rows, charges) in
                [(&mut state.rows, &document.charges), (&mut state.payouts, &document.payouts)]
            {
                for charge in charges {
                    let mut row = Row {
                        about: ChargeDoc {
                            amount: String::new(),
                            after_rebates: None,
                            parts: Vec::new(),
                            ..charge.clone()
                        },
                        amount: read(&charge.amount)?,
                        left: read(charge.after_rebates.as_ref().unwrap_or(&charge.amount))?,
                        parts: Vec::with_capacity(charge.parts.len()),
                    };
                    for part in &charge.parts {
                        row.parts.push((part.label.clone(), read(&part.amount)?));
                    }
                    add_row(rows, row)?;
                }
            }
            for tax in &document.vat {
                let (base, amount) = (read(&tax.net)?, read(&tax.vat)?);
                add_tax(
                    &mut state.vat,
                    TaxSum { label: tax.label.clone(), rate: tax.rate.clone(), base, amount },
                )?;
            }
            add(&mut state.net, read(&document.net)?)?;
            add(&mut state.vat_total, read(&document.vat_total)?)?;
            add(&mut state.total, read(&document.total)?)?;
            add(&mut state.energy, energy(&document.energy_kwh)?)?;
            add(&mut state.exported, document.exported_kwh.as_deref().map_or(Ok(0), energy)?)?;
            state.lines.extend(document.lines.iter().cloned());
            state.payout_lines.extend(document.payout_lines.iter().cloned());
        }
        Ok(state)
    }

    // Row by row and tax by tax; the lines are compared by themselves.
    fn less(&self, other: &Self) -> Result<Self, Overflow> {
        let mut difference = Self { lines: Vec::new(), payout_lines: Vec::new(), ..self.clone() };
        for (rows, taken) in [(&mut difference.rows, &other.rows), (&mut difference.payouts, &other.payouts)]
        {
            for row in taken {
                let parts = row.parts.iter().map(|(label, amount)| (label.clone(), -amount)).collect();
                add_row(rows, Row { about: row.about.clone(), amount: -row.amount, left: -row.left, parts })?;
            }
            rows.retain(|row| !row.is_nothing());
        }
        for tax in &other.vat {
            add_tax(&mut difference.vat, TaxSum { base: -tax.base, amount: -tax.amount, ..tax.clone() })?;
        }
        difference.vat.retain(|tax| tax.base != 0 || tax.amount != 0);
        add(&mut difference.net, -other.net)?;
        add(&mut difference.vat_total, -other.vat_total)?;
        add(&mut difference.total, -other.total)?;
        add(&mut difference.energy, -other.energy)?;
        add(&mut difference.exported, -other.exported)?;
        Ok(difference)
    }

    fn is_nothing(&self) -> bool {
        self.rows.is_empty()
            && self.payouts.is_empty()
            && self.vat.is_empty()
            && [self.net, self.vat_total, self.total, self.energy, self.exported].iter().all(|sum| *sum == 0)
    }

    // Takes the named charges away and works their taxes out again.
    fn give_back(&mut self, charges: &[&str], includes_vat: bool) -> Result<(), CorrectionError> {
        if self.rows.iter().any(|row| row.about.charge == "limit" && row.amount != 0) {
            return Err(CorrectionError::NeedsPricing { why: "a limit on the total took part" });
        }
        let before = self.rows.clone();
        for name in charges {
            let (mut found, mut given) = (false, false);
            for row in &mut self.rows {
                let about = &row.about;
                if matches!(about.charge, "discount" | "coupon" | "limit")
                    || !(about.charge == *name || about.label == *name)
                {
                    continue;
                }
                found = true;
                if row.left == 0 {
                    continue;
                }
                given = true;
                if row.left == row.amount {
                    row.clear();
                } else {
                    (row.amount, row.left) = (row.amount.checked_sub(row.left).ok_or(Overflow)?, 0);
                }
            }
            if !found {
                let known = self.rows.iter().flat_map(|row| [row.about.charge, row.about.label.as_str()]);
                let nearest = input::nearest(name, known).map(str::to_owned);
                return Err(CorrectionError::NoSuchCharge { charge: (*name).to_owned(), nearest });
            }
            if !given {
                return Err(CorrectionError::NothingLeft { charge: (*name).to_owned() });
            }
        }
        self.tax_again(&before, includes_vat)
    }

    fn tax_again(&mut self, before: &[Row], includes_vat: bool) -> Result<(), CorrectionError> {
        let base_of = |rows: &[Row], rate: &str| {
            let rows = rows.iter().filter(|row| row.about.vat_rate == rate);
            rows.map(|row| row.amount).try_fold(0_i64, i64::checked_add).ok_or(Overflow)
        };
        let mut rates: Vec<&str> = Vec::new();
        for row in before {
            if !rates.contains(&row.about.vat_rate.as_str()) {
                rates.push(&row.about.vat_rate);
            }
        }
        for rate in &rates {
            let (was, is) = (base_of(before, rate)?, base_of(&self.rows, rate)?);
            if was == is {
                continue;
            }
            let own = self.vat.iter_mut().filter(|tax| tax.label.is_none() && tax.rate == *rate).count();
            let bad = |_| CorrectionError::NeedsPricing { why: "a VAT rate cannot be read" };
            let percent = input::decimal(rate).map_err(bad)?;
            let (net_before, net, taxes) = if own == 1 {
                let Some(tax) = self.vat.iter_mut().find(|tax| tax.label.is_none() && tax.rate == *rate)
                else {
                    continue;
                };
                let (net, amount) = tax_of(is, percent, includes_vat)?;
                let changed = amount.checked_sub(tax.amount).ok_or(Overflow)?;
                let net_before = tax.base;
                (tax.base, tax.amount) = (net, amount);
                (net_before, net, changed)
            } else if own == 0 && percent.is_zero() {
                (was, is, 0)
            } else if rates.len() == 1 && was != 0 {
                self.in_proportion(was, is, includes_vat)?
            } else {
                return Err(CorrectionError::NeedsPricing { why: "several taxes took part" });
            };
            let net_change = net.checked_sub(net_before).ok_or(Overflow)?;
            add(&mut self.net, net_change)?;
            add(&mut self.vat_total, taxes)?;
            add(&mut self.total, net_change)?;
            add(&mut self.total, taxes)?;
        }
        Ok(())
    }

    // Several taxes on one base: what each is worked out on shrinks alike. Net before and after, and what the taxes change by.
    fn in_proportion(
        &mut self,
        was: i64,
        is: i64,
        includes_vat: bool,
    ) -> Result<(i64, i64, i64), CorrectionError> {
        let scaled = |amount: i64| -> Result<i64, Overflow> {
            let (numerator, denominator) =
                (i128::from(amount) * i128::from(is) * i128::from(was.signum()), i128::from(was).abs());
            i64::try_from(div_half_away(numerator, denominator)).map_err(|_| Overflow)
        };
        let (net_before, taxes_before) = (self.net, self.vat_total);
        let net = if includes_vat { scaled(net_before)? } else { is };
        let mut percents = Vec::with_capacity(self.vat.len());
        for tax in &self.vat {
            let percent = input::decimal(&tax.rate);
            let bad = |_| CorrectionError::NeedsPricing { why: "a tax rate cannot be read" };
            percents.push(percent.map_err(bad)?);
        }
        let mut amounts = Vec::with_capacity(self.vat.len());
        if includes_vat {
            // The gross leads: its rest is shared among the taxes by what each comes to exactly.
            let places = percents.iter().map(Decimal::scale).max().unwrap_or_default();
            let mut exact = Vec::with_capacity(self.vat.len());
            for (tax, percent) in self.vat.iter().zip(&percents) {
                let up = I256::from(10).pow(places - percent.scale());
                let whole = I256::from(i128::from(tax.base) * i128::from(is) * i128::from(was.signum()));
                let percent = I256::from(percent.mantissa()).checked_mul(up).ok_or(Overflow)?;
                exact.push(whole.checked_mul(percent).ok_or(Overflow)?);
            }
            let one = I256::from(i128::from(was).abs()) * I256::from(10).pow(places + 2);
            amounts = share::by_fraction(is.checked_sub(net).ok_or(Overflow)?, &exact, one)?;
        }
        let mut taxes = 0_i64;
        for (place, (tax, percent)) in self.vat.iter_mut().zip(percents).enumerate() {
            tax.base = scaled(tax.base)?;
            tax.amount = match amounts.get(place) {
                Some(amount) => *amount,
                None => tax_of(tax.base, percent, false)?.1,
            };
            add(&mut taxes, tax.amount)?;
        }
        Ok((net_before, net, taxes.checked_sub(taxes_before).ok_or(Overflow)?))
    }

    fn document(
        self,
        bill: &Document,
        earlier: &[Document],
        frame: Document,
        lines: Vec<LineDoc>,
        payout_lines: Vec<LineDoc>,
    ) -> Document {
        let digits = self.digits;
        let row = |row: Row| ChargeDoc {
            amount: money(row.amount, digits),
            after_rebates: (row.left != row.amount).then(|| money(row.left, digits)),
            parts: row
                .parts
                .into_iter()
                .map(|(label, amount)| PartDoc { label, amount: money(amount, digits) })
                .collect(),
            ..row.about
        };
        let tax = |tax: TaxSum| VatDoc {
            label: tax.label,
            rate: tax.rate,
            net: money(tax.base, digits),
            vat: money(tax.amount, digits),
        };
        let energy = |energy: i64| print_decimal(i128::from(energy), 6, true);
        let last = earlier.iter().map(|document| document.revision).max().unwrap_or(0).max(bill.revision);
        let mut document = Document {
            id: String::new(),
            kind: "correction",
            revision: last.saturating_add(1),
            corrects: Some(bill.id.clone()),
            status: "final",
            energy_kwh: energy(self.energy),
            exported_kwh: (self.exported != 0).then(|| energy(self.exported)),
            lines,
            charges: self.rows.into_iter().map(row).collect(),
            vat: self.vat.into_iter().map(tax).collect(),
            net: money(self.net, digits),
            vat_total: money(self.vat_total, digits),
            total: money(self.total, digits),
            pending: Vec::new(),
            payouts: self.payouts.into_iter().map(row).collect(),
            payout_lines,
            ..frame
        };
        document.id = content_id(&document);
        document
    }
}

// Net and tax of a base with one tax of that many percent.
fn tax_of(base: i64, percent: Decimal, includes_vat: bool) -> Result<(i64, i64), Overflow> {
    let rate = Num::from_decimal(percent).mul(Num::new(1, 2))?;
    if includes_vat {
        let net = rate.add(Num::ONE)?.divides_whole(base)?;
        return Ok((net, base.checked_sub(net).ok_or(Overflow)?));
    }
    let tax = Num::new(i128::from(base), 0).mul(rate)?.round_to(Num::ONE)?;
    Ok((base, Exact::from_num(tax)?.to_minor(0)?))
}

fn add_row(rows: &mut Vec<Row>, row: Row) -> Result<(), Overflow> {
    let Some(known) = rows.iter_mut().find(|known| known.about == row.about) else {
        rows.push(row);
        return Ok(());
    };
    add(&mut known.amount, row.amount)?;
    add(&mut known.left, row.left)?;
    for (label, amount) in row.parts {
        match known.parts.iter_mut().find(|(part, _)| *part == label) {
            Some((_, sum)) => add(sum, amount)?,
            None => known.parts.push((label, amount)),
        }
    }
    Ok(())
}

fn add_tax(taxes: &mut Vec<TaxSum>, tax: TaxSum) -> Result<(), Overflow> {
    match taxes.iter_mut().find(|known| known.label == tax.label && known.rate == tax.rate) {
        Some(known) => {
            add(&mut known.base, tax.base)?;
            add(&mut known.amount, tax.amount)
        }
        None => {
            taxes.push(tax);
            Ok(())
        }
    }
}

fn negated(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if is_zero || digits.len() < text.len() { digits.to_owned() } else { format!("-{text}") }
}

fn taken_back(line: &LineDoc) -> LineDoc {
    LineDoc {
        quantity: line.quantity.as_deref().map(negated),
        amount: negated(&line.amount),
        shown: line.shown.as_deref().map(negated),
        ..line.clone()
    }
}

/// What has to be added to `old` lines to come to the `new` ones: those that are gone with their signs changed, and those
/// that came. A line and its own reversal are nothing.
pub(crate) fn line_difference(old: &[LineDoc], new: &[LineDoc]) -> Vec<LineDoc> {
    let mut order: Vec<(LineDoc, i64)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (line, count) in old.iter().map(|line| (line, -1)).chain(new.iter().map(|line| (line, 1))) {
        let is_reversed = line.amount.starts_with('-')
            || (negated(&line.amount) == line.amount
                && line.quantity.as_deref().is_some_and(|quantity| quantity.starts_with('-')));
        let (line, count) = if is_reversed { (taken_back(line), -count) } else { (line.clone(), count) };
        let key = serde_json::to_string(&line).unwrap_or_default();
        match places.entry(key) {
            Entry::Occupied(place) => {
                if let Some((_, sum)) = order.get_mut(*place.get()) {
                    *sum += count;
                }
            }
            Entry::Vacant(place) => {
                place.insert(order.len());
                order.push((line, count));
            }
        }
    }
    let mut difference = Vec::new();
    for (line, count) in order {
        let signed = if count < 0 { taken_back(&line) } else { line };
        for _ in 0..count.unsigned_abs() {
            difference.push(signed.clone());
        }
    }
    difference
}
