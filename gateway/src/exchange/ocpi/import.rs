//! A partner's tariff as a tariff file.

use super::country;
use super::json::At;
use super::lines::{Charge, Kind, Line, Window, charges};
use super::tariff::{Bound, Tariff, TaxIncluded, document, id_of, tariff, tariffs, version_of};
use super::words::{energy, money, name, one_line, quoted, time, window};
use super::{Problem, Version};
use chrono::{Datelike as _, Timelike as _};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use takst_dsl::compile::{SourceFile, compile};
use takst_dsl::diagnostic::{Diagnostic, Severity};
use takst_dsl::format::format;

/// Which tariff is wanted, and what its document does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The version; none: as its fields tell.
    pub version: Option<Version>,
    /// IANA name of the time zone of its locations; none: that of its country, where there is one.
    pub zone: Option<&'a str>,
    /// The id, where the document has several tariffs.
    pub id: Option<&'a str>,
}

/// A tariff file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its text, laid out.
    pub text: String,
    /// The id over there.
    pub id: String,
    /// The version it was read as.
    pub version: Version,
    /// What a person should know: choices that were made, fields that are not known.
    pub notes: Vec<Problem>,
}

/// Makes a tariff file of an OCPI tariff.
///
/// # Errors
/// Everything that cannot be read, or cannot be said in a tariff file, with its place in the document.
pub fn import(text: &str, wanted: &Wanted<'_>) -> Result<Imported, Vec<Problem>> {
    let alone = |problem: Problem| vec![problem];
    let root = document(text).map_err(alone)?;
    let all = tariffs(&root).map_err(alone)?;
    let at = pick(&all, wanted.id).map_err(alone)?;
    let version = wanted.version.unwrap_or_else(|| version_of(at.node));
    let (mut notes, mut wrong) = (Vec::new(), Vec::new());
    let tariff = tariff(at, version, &mut notes)?;
    let charges = charges(&tariff, &mut notes, &mut wrong);
    let zone = match zone(&tariff, wanted.zone, &charges, &mut notes) {
        Ok(zone) => zone,
        Err(problem) => {
            wrong.push(problem);
            Tz::UTC
        }
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut work = Work { tariff: &tariff, zone, charges, notes };
    work.open_questions();
    work.split_by_vat()?;
    let text = work.text()?;
    Ok(Imported { text, id: tariff.id.clone(), version, notes: work.notes })
}

fn pick<'l, 'a>(all: &'l [At<'a>], id: Option<&str>) -> Result<&'l At<'a>, Problem> {
    let ids = || {
        let ids: Vec<String> = all.iter().take(20).map(|at| format!("`{}`", id_of(at))).collect();
        ids.join(", ")
    };
    match (all, id) {
        ([], _) => Err(Problem::new("", "the list has no tariff")),
        (_, Some(id)) => {
            let found = all.iter().find(|at| id_of(at).eq_ignore_ascii_case(id));
            found.ok_or_else(|| Problem::new("", format!("there is no tariff `{id}`; there are {}", ids())))
        }
        ([one], None) => Ok(one),
        (several, None) => {
            let message = format!("there are {} tariffs; say which one with --id: {}", several.len(), ids());
            Err(Problem::new("", message))
        }
    }
}

fn zone(
    tariff: &Tariff,
    wanted: Option<&str>,
    charges: &[Charge],
    notes: &mut Vec<Problem>,
) -> Result<Tz, Problem> {
    if let Some(wanted) = wanted {
        let message = || format!("there is no time zone `{wanted}`; write one such as Europe/Amsterdam");
        return wanted.parse().map_err(|_| Problem::new("--time-zone", message()));
    }
    if let Some(zone) = tariff.country.as_deref().and_then(country::zone)
        && let Ok(known) = zone.parse()
    {
        let message = format!("OCPI tariffs have no time zone; this is that of the country, {zone}");
        notes.push(Problem::new("country_code", message));
        return Ok(known);
    }
    let mut lines = charges.iter().flat_map(|charge| &charge.lines);
    let local = |line: &Line| {
        let dated = |said: &String| said.starts_with("from ") || said.starts_with("until ");
        !line.windows.is_empty() || line.conditions.iter().any(dated)
    };
    if lines.any(local) {
        return Err(Problem::new(
            "",
            "the tariff goes by the local time of its locations, and OCPI tariffs have no time zone; say it with --time-zone, as in \
             --time-zone Europe/Madrid",
        ));
    }
    notes
        .push(Problem::new("", "OCPI tariffs have no time zone, and nothing here depends on one; it is UTC"));
    Ok(Tz::UTC)
}

// Where a line of the text comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    Line(usize, usize),
    Rest(usize),
}

struct Work<'t> {
    tariff: &'t Tariff,
    zone: Tz,
    charges: Vec<Charge>,
    notes: Vec<Problem>,
}

// The text in the making.
#[derive(Default)]
struct Page {
    lines: Vec<(String, Option<Origin>)>,
}

impl Page {
    fn line(&mut self, text: impl Into<String>) {
        self.lines.push((text.into(), None));
    }

    fn text(&self) -> String {
        self.lines.iter().map(|(line, _)| format!("{line}\n")).collect()
    }
}

impl Work<'_> {
    fn note(&mut self, place: &str, message: impl Into<String>) {
        self.notes.push(Problem::new(place, message));
    }

    // What the standard leaves open, and what a list has no place for.
    fn open_questions(&mut self) {
        let tariff = self.tariff;
        if let Some(kind) = &tariff.kind {
            let message = format!(
                "a list cannot say for whom it is; `{kind}` is kept as a comment, so put the list in force for them only"
            );
            self.note("type", message);
        }
        if tariff.until.is_some() {
            self.note(
                "end_date_time",
                "a list has no end: it ends when the next one begins; the time is kept as a comment",
            );
        }
        if !tariff.energy.is_empty() {
            self.note("energy_mix", "kept as a comment");
        }
        let kinds: Vec<Kind> = self.charges.iter().map(|charge| charge.kind).collect();
        let has = |kind: Kind| kinds.contains(&kind);
        let later = |charge: &Charge| {
            charge.kind == Kind::FlatFee && !charge.lines.first().is_some_and(Line::is_always)
        };
        if self.charges.iter().any(later) {
            self.note(
                "elements",
                "when a FLAT price is charged whose element applies later than from the start is open; here it is charged once, when the first \
                 such element applies",
            );
        }
        if has(Kind::ReservationFlat) || has(Kind::ReservationTime) {
            self.note(
                "elements",
                "a RESERVATION_EXPIRES price takes the place of the RESERVATION price of its type when a reservation expires",
            );
        }
        let stepped = |kind: Kind| {
            let mut lines =
                self.charges.iter().filter(|charge| charge.kind == kind).flat_map(|charge| &charge.lines);
            lines.any(|line| line.step > 1)
        };
        if stepped(Kind::ChargingTime) && has(Kind::ParkingTime) {
            self.note("elements", "in a session that pays for parking, TIME is not rounded up to its `step_size`, as the standard has it");
        }
        let none = self.charges.iter().flat_map(|charge| &charge.lines).all(|line| line.vat.is_none());
        match tariff.tax {
            TaxIncluded::No if none && tariff.version == Version::V211 => {
                self.note("", "OCPI 2.1.1 has prices without VAT and does not say the rate; write yours into the line `VAT: none`");
            }
            TaxIncluded::No if none => {
                self.note(
                    "",
                    "no component has a `vat`, which means that no VAT applies; `VAT: none` says so",
                );
            }
            TaxIncluded::Yes if none => {
                let message = "taxes are included and no component says at which rate; write it into the line `VAT: none`";
                self.note("tax_included", message);
            }
            _ => {}
        }
    }

    // A charge whose prices have several rates of VAT becomes one charge for each rate.
    fn split_by_vat(&mut self) -> Result<(), Vec<Problem>> {
        let mut wrong = Vec::new();
        let mut charges = Vec::new();
        for charge in self.charges.drain(..) {
            let mut rates: Vec<Option<Decimal>> = Vec::new();
            for line in &charge.lines {
                if !rates.contains(&line.vat) {
                    rates.push(line.vat);
                }
            }
            if rates.len() < 2 {
                charges.push(charge);
                continue;
            }
            if let Some(line) = charge.lines.iter().find(|line| line.step > 1) {
                let message = "its type has prices with different VAT; a quantity that is rounded up over all of them cannot be said in a tariff \
                               file: use one rate, or a step_size of 1";
                wrong.push(Problem::new(format!("{}.step_size", line.place), message));
            }
            if charge.kind == Kind::FlatFee {
                let message = "FLAT prices with different VAT, of which only the first is charged, cannot be said in a tariff file: use one rate";
                let place = charge.lines.first().map(|line| format!("{}.vat", line.place));
                wrong.push(Problem::new(place.unwrap_or_default(), message));
            }
            for rate in rates {
                let word = charge.kind.word();
                let title: String =
                    word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect();
                let label = match rate {
                    Some(rate) => format!("{title}, {}% VAT", rate.normalize()),
                    None => format!("{title}, no VAT"),
                };
                let only = |line: &Line| {
                    if line.vat == rate {
                        Line { step: 0, ..line.clone() }
                    } else {
                        Line { price: None, step: 0, vat: rate, ..line.clone() }
                    }
                };
                let mut lines: Vec<Line> = charge.lines.iter().map(only).collect();
                while lines.last().is_some_and(|line| line.price.is_none()) {
                    lines.pop();
                }
                charges.push(Charge { kind: charge.kind, label: Some(label), lines, closed: false });
            }
        }
        self.charges = charges;
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    // The text. Lines that can never win are left out, with a note: the compiler finds them.
    fn text(&mut self) -> Result<String, Vec<Problem>> {
        let lines: usize = self.charges.iter().map(|charge| charge.lines.len() + 1).sum();
        for _ in 0..=lines {
            let page = self.page()?;
            let text = page.text();
            let source = SourceFile { name: "imported.tariff".to_owned(), text: text.clone() };
            let compiled = compile(source, &mut |_| Err(String::new()));
            let errors: Vec<&Diagnostic> =
                compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
            if errors.is_empty() {
                return format(&text).map_err(|error| vec![Problem::new("", error.to_string())]);
            }
            let from = |found: &&&Diagnostic| {
                let start = found.labels.first().and_then(|label| usize::try_from(label.span.start).ok())?;
                let line = text.get(..start)?.matches('\n').count();
                page.lines.get(line)?.1
            };
            // The last ones first, so that the places of the others stay.
            let mut dead: Vec<Origin> =
                errors.iter().filter(|found| found.code == "E302").filter_map(|found| from(&found)).collect();
            if dead.is_empty() {
                return Err(self.refused(&errors, &|found| from(&found)));
            }
            dead.sort_by_key(|from| match from {
                Origin::Line(charge, line) => (*charge, *line),
                Origin::Rest(charge) => (*charge, usize::MAX),
            });
            for dead in dead.into_iter().rev() {
                self.leave_out(dead);
            }
            self.charges.retain(|charge| charge.lines.iter().any(|line| line.price.is_some()));
        }
        Err(vec![Problem::new("", "its elements cannot be told apart")])
    }

    fn leave_out(&mut self, dead: Origin) {
        match dead {
            Origin::Rest(charge) => {
                if let Some(charge) = self.charges.get_mut(charge) {
                    charge.closed = true;
                }
            }
            Origin::Line(charge, line) => {
                let Some(charge) = self.charges.get_mut(charge).filter(|charge| line < charge.lines.len())
                else {
                    return;
                };
                let line = charge.lines.remove(line);
                if line.price.is_some() {
                    let message = "earlier elements answer first in every case, so this price never counts; it is left out";
                    self.note(&line.place, message);
                }
            }
        }
    }

    fn refused(&self, errors: &[&Diagnostic], from: &dyn Fn(&&Diagnostic) -> Option<Origin>) -> Vec<Problem> {
        let place = |found: &&Diagnostic| match from(found) {
            Some(Origin::Line(charge, line)) => {
                let line = self.charges.get(charge).and_then(|charge| charge.lines.get(line));
                line.map_or_else(String::new, |line| line.place.clone())
            }
            _ => String::new(),
        };
        let problem = |found: &&Diagnostic| {
            let help = found.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
            Problem::new(
                place(found),
                format!("this cannot be said in a tariff file: {}{help}", found.message),
            )
        };
        errors.iter().map(problem).collect()
    }

    fn page(&mut self) -> Result<Page, Vec<Problem>> {
        let mut page = Page::default();
        self.head(&mut page);
        page.line("");
        let general = self.vat(&mut page);
        let periods = self.periods();
        if !periods.is_empty() {
            page.line("");
            for (text, name) in &periods {
                page.line(format!("period {name}: {text}"));
            }
        }
        let parking = self.charges.iter().any(|charge| charge.kind == Kind::ParkingTime);
        for (index, charge) in self.charges.iter().enumerate() {
            page.line("");
            self.charge(&mut page, index, charge, &periods, parking);
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
        if let Some(until) = tariff.until {
            page.line(format!(
                "# It is valid until {}.",
                until.with_timezone(&self.zone).format("%Y-%m-%d %H:%M")
            ));
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
        if let Some(from) =
            tariff.from.map(|from| from.with_timezone(&self.zone)).filter(|from| from.year() >= 2000)
        {
            let midnight = from.hour() == 0 && from.minute() == 0;
            let form = if midnight { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
            page.line(format!("  valid from: {}", from.format(form)));
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

    // The statements of VAT. Returns the one rate of all charges, if they have one.
    fn vat(&self, page: &mut Page) -> Option<Decimal> {
        if self.tariff.tax == TaxIncluded::NotApplicable {
            page.line("VAT: outside scope");
            return Some(Decimal::ZERO);
        }
        let rate_of = |charge: &Charge| charge.lines.first().and_then(|line| line.vat);
        let mut count: Vec<(Option<Decimal>, usize)> = Vec::new();
        for charge in &self.charges {
            match count.iter_mut().find(|(rate, _)| *rate == rate_of(charge)) {
                Some((_, count)) => *count += 1,
                None => count.push((rate_of(charge), 1)),
            }
        }
        // Of the most frequent ones the first.
        let most = count.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let general = count.iter().find(|(_, count)| *count == most).and_then(|(rate, _)| *rate);
        let text = |rate: Option<Decimal>| {
            rate.map_or_else(|| "none".to_owned(), |rate| format!("{}%", rate.normalize()))
        };
        page.line(format!("VAT: {}", text(general)));
        for charge in self.charges.iter().filter(|charge| rate_of(charge) != general) {
            page.line(format!("VAT on {}: {}", head_of(charge), text(rate_of(charge))));
        }
        (count.len() < 2).then(|| general.unwrap_or_default())
    }

    // Windows that are worth a name: used more than once, or long.
    fn periods(&self) -> Vec<(String, String)> {
        let mut used: Vec<(&[Window], usize)> = Vec::new();
        for line in
            self.charges.iter().flat_map(|charge| &charge.lines).filter(|line| !line.windows.is_empty())
        {
            match used.iter_mut().find(|(windows, _)| *windows == line.windows.as_slice()) {
                Some((_, count)) => *count += 1,
                None => used.push((&line.windows, 1)),
            }
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut periods = Vec::new();
        for (windows, count) in used {
            let text = said(windows);
            let days_only = windows.iter().all(|(_, hours)| hours.is_none());
            if days_only || (count < 2 && !text.contains(',')) {
                continue;
            }
            let base =
                windows.first().map_or_else(|| "hours".to_owned(), |(days, hours)| name(*days, *hours));
            let number = names.entry(base.clone()).and_modify(|number| *number += 1).or_insert(1);
            let name = if *number == 1 { base } else { format!("{base}-{number}") };
            periods.push((text, name));
        }
        periods
    }

    fn charge(
        &self,
        page: &mut Page,
        index: usize,
        charge: &Charge,
        periods: &[(String, String)],
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
                Some(price) => {
                    format!("{} {}/{}{step}", money(price), self.tariff.currency, charge.kind.per())
                }
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

    fn total(&mut self, rate: Option<Decimal>) -> Result<Option<String>, Vec<Problem>> {
        let mut bounds = Vec::new();
        for (bound, floor, place) in
            [(self.tariff.least, true, "min_price"), (self.tariff.most, false, "max_price")]
        {
            let Some(bound) = bound else { continue };
            let amount = self.bound(bound, floor, place, rate).map_err(|problem| vec![problem])?;
            let word = if floor { "at least" } else { "at most" };
            bounds.push(format!("{word} {} {}/session", money(amount), self.tariff.currency));
        }
        Ok((!bounds.is_empty()).then(|| format!("total: {}", bounds.join(", "))))
    }

    // A bound in the sense of the list's prices. Both amounts of a bound hold; with one rate of VAT the stricter one is both.
    fn bound(
        &mut self,
        bound: Bound,
        floor: bool,
        place: &str,
        rate: Option<Decimal>,
    ) -> Result<Decimal, Problem> {
        let with_tax = self.tariff.tax == TaxIncluded::Yes;
        let (own, other) = if with_tax { (bound.with, bound.without) } else { (bound.without, bound.with) };
        let factor = rate.map(|rate| Decimal::ONE + rate / Decimal::ONE_HUNDRED);
        let implied = match (other, factor) {
            (Some(other), Some(factor)) if with_tax => Some(other * factor),
            (Some(other), Some(factor)) => other.checked_div(factor).map(|amount| amount.round_dp(6)),
            _ => None,
        };
        let missing = || {
            let (has, wants) = if with_tax { ("without", "with") } else { ("with", "without") };
            let message = format!(
                "it is said {has} taxes only, prices are {wants} them, and there is more than one rate of VAT; say the amount {wants} taxes too"
            );
            Problem::new(place, message)
        };
        let Some(own) = own else { return implied.ok_or_else(missing) };
        if other.is_some() && factor.is_none() {
            let message = "with several rates of VAT its two amounts can bind at different times; the one in the sense of the prices is kept";
            self.note_once(place, message);
        }
        let Some(implied) = implied else { return Ok(own) };
        if (implied - own).abs() <= Decimal::new(1, 2) {
            return Ok(own);
        }
        let stricter = if floor { own.max(implied) } else { own.min(implied) };
        if stricter != own {
            let message = "its amounts without and with taxes do not belong together; both hold, and the stricter one is kept";
            self.note_once(place, message);
        }
        Ok(stricter)
    }

    fn note_once(&mut self, place: &str, message: &str) {
        let note = Problem::new(place, message);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

fn said(windows: &[Window]) -> String {
    windows.iter().map(|(days, hours)| window(*days, *hours)).collect::<Vec<_>>().join(", ")
}

fn head_of(charge: &Charge) -> String {
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
