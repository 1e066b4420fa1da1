//! The text: heading, periods, prices, charges.

use super::Work;
use super::names::{Named, said};
use crate::exchange::ocpi::Problem;
use crate::exchange::ocpi::lines::{Charge, Kind, Line};
use crate::exchange::ocpi::tariff::TaxIncluded;
use crate::exchange::ocpi::words::{energy, money, one_line, quoted, time};

/// Where a line of the text comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    Line(usize, usize),
    Rest(usize),
}

/// The text in the making.
#[derive(Default)]
pub(super) struct Page {
    pub lines: Vec<(String, Option<Origin>)>,
}

impl Page {
    pub fn line(&mut self, text: impl Into<String>) {
        self.lines.push((text.into(), None));
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|(line, _)| format!("{line}\n")).collect()
    }
}

impl Work<'_> {
    pub(super) fn page(&mut self) -> Result<Page, Vec<Problem>> {
        let mut page = Page::default();
        self.head(&mut page);
        page.line("");
        let general = self.vat(&mut page);
        let (periods, prices) = (self.periods(), self.prices());
        if !periods.is_empty() {
            page.line("");
            for (text, name) in &periods {
                page.line(format!("period {name}: {text}"));
            }
        }
        if !prices.is_empty() {
            page.line("");
            for Named { per, price, name } in &prices {
                page.line(format!("price {name}: {} {}/{per}", money(*price), self.tariff.currency));
            }
        }
        let parking = self.charges.iter().any(|charge| charge.kind == Kind::ParkingTime);
        for (index, charge) in self.charges.iter().enumerate() {
            page.line("");
            self.charge(&mut page, (index, charge), (&periods, &prices), parking);
        }
        if let Some(total) = self.total(general)? {
            page.line("");
            page.line(total);
        }
        Ok(page)
    }

    fn head(&self, page: &mut Page) {
        let tariff = self.tariff;
        let owner =
            [&tariff.country, &tariff.party].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        let of = if owner.is_empty() { String::new() } else { format!(" of {}", one_line(&owner)) };
        page.line(format!(
            "# Tariff {}{of}, imported from OCPI {}.",
            one_line(&tariff.id),
            tariff.version.text()
        ));
        if let Some(kind) = &tariff.kind {
            page.line(format!("# Its type is {}: {}.", one_line(kind), for_whom(kind)));
        }
        if !tariff.energy.is_empty() {
            page.line(format!("# Energy: {}.", one_line(&tariff.energy.join(", "))));
        }
        let english = tariff.texts.iter().find(|(language, _)| language.to_lowercase().starts_with("en"));
        let shown = english.or(tariff.texts.first());
        for (language, text) in tariff.texts.iter().filter(|text| Some(*text) != shown) {
            page.line(format!("# In {}: {}", one_line(language), one_line(text)));
        }
        page.line("");
        let title = [owner.as_str(), tariff.id.as_str()].join(" ");
        page.line(format!("tariff {}", quoted(title.trim())));
        page.line(format!("  currency: {}", tariff.currency));
        page.line(format!("  time zone: {}", self.zone.name()));
        match tariff.tax {
            TaxIncluded::Yes => page.line("  prices: including VAT"),
            TaxIncluded::No => page.line("  prices: excluding VAT"),
            TaxIncluded::NotApplicable => {}
        }
        for setting in &self.valid {
            page.line(setting);
        }
        if let Some(hold) = tariff.hold.and_then(|hold| hold.with.or(hold.without)) {
            page.line(format!("  hold: {} {}", money(hold), tariff.currency));
        }
        if let Some((_, text)) = shown {
            page.line(format!("  description: {}", quoted(text)));
        }
        if let Some(url) = &tariff.url {
            page.line(format!("  website: {}", quoted(url)));
        }
        let updated = tariff.updated.as_ref().map_or_else(String::new, |updated| format!(", of {updated}"));
        let source = format!("OCPI {}: {}{updated}", tariff.version.text(), title.trim());
        page.line(format!("  source: {}", quoted(&source)));
    }

    fn charge(
        &self,
        page: &mut Page,
        (index, charge): (usize, &Charge),
        (periods, prices): (&[(String, String)], &[Named]),
        parking: bool,
    ) {
        let steps: Vec<i64> = charge.lines.iter().map(|line| line.step).collect();
        let complete = charge.closed || charge.lines.last().is_some_and(Line::is_always);
        let one_step = steps
            .first()
            .copied()
            .filter(|first| *first > 0 && complete && steps.iter().all(|step| step == first));
        let step_text = |step: i64| if charge.kind == Kind::Energy { energy(step) } else { time(step) };
        let mut limits: Vec<String> =
            one_step.map(|step| format!("in steps of {}", step_text(step))).into_iter().collect();
        if charge.kind == Kind::ChargingTime && parking && steps.iter().any(|step| *step > 0) {
            limits.push("steps only without parking time".to_owned());
        }
        let limits = if limits.is_empty() { String::new() } else { format!(" {}", limits.join(", ")) };
        let head = format!("{}{limits}:", head_of(charge));
        let price = |line: &Line| {
            let step = if one_step.is_none() && line.step > 0 {
                format!(" in steps of {}", step_text(line.step))
            } else {
                String::new()
            };
            match line.price {
                None => "free".to_owned(),
                // What costs nothing is charged all the same where it decides what is charged later or rounded.
                Some(price)
                    if price.is_zero()
                        && step.is_empty()
                        && charge.kind != Kind::FlatFee
                        && one_step.is_none() =>
                {
                    "free".to_owned()
                }
                Some(price) => match prices.iter().find(|known| known.is(charge.kind, price)) {
                    Some(known) => format!("{}{step}", known.name),
                    None => format!("{} {}/{}{step}", money(price), self.tariff.currency, charge.kind.per()),
                },
            }
        };
        if let [line] = charge.lines.as_slice()
            && line.is_always()
        {
            page.lines.push((format!("{head} {}", price(line)), Some(Origin::Line(index, 0))));
            return;
        }
        page.line(head);
        for (number, line) in charge.lines.iter().enumerate() {
            let mut text = format!("  {}", price(line));
            if !line.windows.is_empty() {
                let window = said(&line.windows);
                let named = periods.iter().find(|(text, _)| *text == window).map(|(_, name)| name.clone());
                text = format!("{text} during {}", named.unwrap_or(window));
            }
            for condition in &line.conditions {
                text = format!("{text} {condition}");
            }
            if line.is_always() {
                text.push_str(" otherwise");
            }
            page.lines.push((text, Some(Origin::Line(index, number))));
        }
        if !complete {
            page.lines.push(("  free otherwise".to_owned(), Some(Origin::Rest(index))));
        }
    }
}

/// What a charge is called in its statement.
pub(super) fn head_of(charge: &Charge) -> String {
    match &charge.label {
        Some(label) => format!("{} {}", charge.kind.word(), quoted(label)),
        None => charge.kind.word().to_owned(),
    }
}

fn for_whom(kind: &str) -> &'static str {
    match kind {
        "AD_HOC_PAYMENT" => "for drivers who pay on the spot",
        "PROFILE_CHEAP" => "for sessions with the charging preference CHEAP",
        "PROFILE_FAST" => "for sessions with the charging preference FAST",
        "PROFILE_GREEN" => "for sessions with the charging preference GREEN",
        "REGULAR" => "for sessions with a card and without a charging preference, or with REGULAR",
        _ => "see the partner's own words",
    }
}
