//! VAT: rates of charges, and charges whose prices have several of them.

use super::Work;
use super::page::{Page, head_of};
use crate::exchange::ocpi::Problem;
use crate::exchange::ocpi::lines::{Charge, Kind, Line};
use crate::exchange::ocpi::tariff::TaxIncluded;
use chrono::NaiveDate;
use rust_decimal::Decimal;

impl Work<'_> {
    /// A charge whose prices have several rates of VAT becomes one charge for each rate, unless the dates of its prices tell them apart:
    /// then its VAT changes by date.
    ///
    /// # Errors
    /// Steps that go over several rates.
    pub(super) fn split_by_vat(&mut self) -> Result<(), Vec<Problem>> {
        let mut wrong = Vec::new();
        let mut charges = Vec::new();
        let mut notes = Vec::new();
        for mut charge in self.charges.drain(..) {
            let mut rates: Vec<Option<Decimal>> = Vec::new();
            for line in &charge.lines {
                if !rates.contains(&line.vat) {
                    rates.push(line.vat);
                }
            }
            if let Some(vat) = by_date(&charge.lines) {
                charge.vat = vat;
                charges.push(charge);
                continue;
            }
            if let Some(line) = charge.lines.iter().find(|line| line.step > 1) {
                let message = "its type has prices with different VAT; a quantity that is rounded up over all of them cannot be said in a tariff \
                               file: use one rate, or a step_size of 1";
                wrong.push(Problem::new(format!("{}.step_size", line.place), message));
            }
            if let Some(line) = charge.lines.iter().find(|line| line.step == 1) {
                let message = "its type has prices with different VAT, each a charge of its own here; what is rounded up to a whole Wh over all \
                               of them is not rounded";
                notes.push(Problem::new(format!("{}.step_size", line.place), message));
            }
            for rate in rates {
                let word = charge.kind.word();
                let title: String =
                    word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect();
                let label = match rate {
                    Some(rate) => format!("{title}, {}% VAT", rate.normalize()),
                    None => format!("{title}, no VAT"),
                };
                // A flat fee that another rate has charged is over; all else is charged by somebody else here.
                let elsewhere = (charge.kind == Kind::FlatFee).then_some(Decimal::ZERO);
                let only = |line: &Line| {
                    if line.vat == rate {
                        Line { step: 0, ..line.clone() }
                    } else {
                        Line { price: elsewhere, step: 0, vat: rate, ..line.clone() }
                    }
                };
                let mut lines: Vec<Line> = charge.lines.iter().map(only).collect();
                // Below its own last line nothing is charged anyhow, but for what is over with the first line that fits.
                if elsewhere.is_none() {
                    let own = charge.lines.iter().rposition(|line| line.vat == rate);
                    lines.truncate(own.map_or(0, |last| last + 1));
                }
                charges.push(Charge {
                    kind: charge.kind,
                    label: Some(label),
                    lines,
                    vat: vec![(rate, None)],
                    closed: false,
                });
            }
        }
        self.charges = charges;
        self.notes.extend(notes);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The statements of VAT. Returns the one rate of all charges, if they have one.
    pub(super) fn vat(&self, page: &mut Page) -> Option<Decimal> {
        if self.tariff.tax == TaxIncluded::NotApplicable {
            page.line("VAT: outside scope");
            return Some(Decimal::ZERO);
        }
        let mut count: Vec<(&Rates, usize)> = Vec::new();
        for charge in &self.charges {
            match count.iter_mut().find(|(vat, _)| **vat == charge.vat) {
                Some((_, count)) => *count += 1,
                None => count.push((&charge.vat, 1)),
            }
        }
        // Of the most frequent ones the first.
        let most = count.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let none = vec![(None, None)];
        let general = count.iter().find(|(_, count)| *count == most).map_or(&none, |(vat, _)| *vat);
        statement(page, "VAT", general);
        for charge in self.charges.iter().filter(|charge| charge.vat != *general) {
            statement(page, &format!("VAT on {}", head_of(charge)), &charge.vat);
        }
        match (count.len() < 2, general.as_slice()) {
            (true, [(rate, None)]) => Some(rate.unwrap_or_default()),
            _ => None,
        }
    }
}

/// Rates one after the other, each with the first day that is out.
type Rates = Vec<(Option<Decimal>, Option<NaiveDate>)>;

fn statement(page: &mut Page, head: &str, rates: &Rates) {
    let text = |rate: &Option<Decimal>| {
        rate.map_or_else(|| "none".to_owned(), |rate| format!("{}%", rate.normalize()))
    };
    if let [(rate, None)] = rates.as_slice() {
        page.line(format!("{head}: {}", text(rate)));
        return;
    }
    page.line(format!("{head}:"));
    let mut begins = None;
    for (rate, out) in rates {
        match (out.and_then(|out| out.pred_opt()), begins) {
            (Some(last), _) => page.line(format!("  {}  until {last}", text(rate))),
            (None, Some(first)) => page.line(format!("  {}  from {first}", text(rate))),
            (None, None) => page.line(format!("  {}  otherwise", text(rate))),
        }
        begins = *out;
    }
}

// The rates of a charge by date: one for all lines, or several whose lines have days of their own.
fn by_date(lines: &[Line]) -> Option<Rates> {
    let mut spans: Vec<(NaiveDate, NaiveDate, Option<Decimal>)> = lines
        .iter()
        .map(|Line { dates: (from, out), vat, .. }| {
            (from.unwrap_or(NaiveDate::MIN), out.unwrap_or(NaiveDate::MAX), *vat)
        })
        .collect();
    if let [(_, _, first), rest @ ..] = spans.as_slice()
        && rest.iter().all(|(_, _, vat)| vat == first)
    {
        return Some(vec![(*first, None)]);
    }
    spans.sort_by_key(|(from, out, _)| (*from, *out));
    let mut rates: Rates = Vec::new();
    let mut taken = NaiveDate::MIN;
    for (from, out, vat) in spans {
        match rates.last_mut() {
            Some((last, _)) if *last == vat => taken = taken.max(out),
            Some(_) if from < taken => return None,
            Some((_, end)) => {
                *end = Some(from);
                rates.push((vat, None));
                taken = out;
            }
            None => {
                rates.push((vat, None));
                taken = out;
            }
        }
    }
    Some(rates)
}
