//! What is shown when the pointer rests on something: what a name counts, and what a price line costs today.

use super::names::{Sort, mention_at, mentions};
use super::place::definition;
use super::position::Document;
use crate::ast::Span;
use crate::compile::{CaseInfo, Compiled};
use crate::coverage::{Covered, Days, Focus, Way, Ways, facts_of, goals_of};
use crate::parse;
use crate::scenario::{self, TestResult};
use takst_engine::calendar::{civil, weekday};
use takst_engine::calendar_time::LocalTime;
use takst_engine::exact::Num;
use takst_engine::table::{Asked, ChargeSlice, Known, charge_day};
use takst_engine::tariff::{Measure, Tariff};
use takst_engine::units::Day;
use takst_engine::{Prepared, PriceBook, Pricing};

/// What is known of a list whose tests were run.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    /// The list.
    pub prepared: &'a Prepared,
    /// What became of its tests.
    pub results: &'a [TestResult],
    /// Which lines they reach.
    pub covered: &'a [Covered],
    /// Prices of feeds, where there are any.
    pub book: &'a PriceBook,
}

/// A text in Markdown, and what it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hover {
    /// The text.
    pub text: String,
    /// Where that stands.
    pub span: Span,
}

/// What there is to say about the byte. `ran`: none while the list has errors. `today`: a local day.
#[must_use]
pub fn hover(
    document: &Document,
    byte: usize,
    compiled: &Compiled,
    ran: Option<Ran<'_>>,
    today: Day,
) -> Option<Hover> {
    let name = of_name(byte, compiled);
    let line = ran.and_then(|ran| of_line(document, byte, compiled, ran, today));
    match (name, line) {
        (Some(name), Some(line)) => {
            Some(Hover { text: format!("{}\n\n---\n\n{}", name.text, line.text), ..name })
        }
        (name, line) => name.or(line).or_else(|| of_word(document, byte)),
    }
}

/// What a name is, what it counts and where it is declared.
fn of_name(byte: usize, compiled: &Compiled) -> Option<Hover> {
    let all = mentions(compiled.files.first()?);
    let mention = mention_at(&all, byte)?;
    let declared = definition(&compiled.files, byte).into_iter().next();
    let line = |source: usize, span: Span| {
        let text = &compiled.sources.get(source)?.text;
        let at = usize::try_from(span.start).ok()?;
        let start = text.get(..at)?.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let line = text.get(start..)?.split(['\n', '\r']).next()?;
        Some(line.split('#').next().unwrap_or(line).trim().to_owned())
    };
    let mut words = Vec::new();
    let what = match mention.sort {
        Sort::Group => "group",
        Sort::Place => "place",
        Sort::Period => "period",
        Sort::Named => "",
        Sort::Tax => "tax",
        Sort::Coupon => "coupon",
        Sort::Charge => "charge",
    };
    let unit = match mention.sort {
        Sort::Named => compiled.units.get(&mention.name).map(|unit| format!(": {unit}")).unwrap_or_default(),
        _ => String::new(),
    };
    words.push(format!("**{}** {what}{unit}", mention.name).replace("** :", "**:").trim().to_owned());
    if mention.name == "spot" && mention.sort == Sort::Named && declared.is_none() {
        words.push("The spot price. It comes from price feeds; no list states it.".to_owned());
    }
    if let Some(found) = declared {
        let itself = found.source == 0 && found.span == mention.span;
        let text = line(found.source, found.span).filter(|_| !itself);
        let file = match found.source {
            0 => String::new(),
            other => {
                compiled.sources.get(other).map(|it| format!("\n\nin `{}`", it.name)).unwrap_or_default()
            }
        };
        words.extend(text.map(|text| format!("```tariff\n{text}\n```{file}")));
    }
    let text = words.join("\n\n");
    Some(Hover { text, span: mention.span })
}

/// The price line in which the byte stands.
fn of_line(document: &Document, byte: usize, compiled: &Compiled, ran: Ran<'_>, today: Day) -> Option<Hover> {
    let at = document.line_of(byte);
    let start_line = |span: Span| document.line_of(usize::try_from(span.start).unwrap_or(usize::MAX));
    let (number, case) = compiled
        .cases
        .iter()
        .enumerate()
        .find(|(_, case)| case.source == 0 && start_line(case.span) == at)?;
    let mut parts = vec![format!("**{}**", case.of)];
    parts.extend(costs(case, ran, today));
    if let Some(covered) = ran.covered.iter().find(|covered| covered.case == number) {
        parts.push(reached(covered, ran.results));
    }
    Some(Hover { text: parts.join("\n\n"), span: case.span })
}

fn reached(covered: &Covered, results: &[TestResult]) -> String {
    let names: Vec<String> = covered
        .tests
        .iter()
        .filter_map(|test| results.get(*test))
        .take(5)
        .map(|result| format!("“{}”{}", result.name, if result.passed() { "" } else { " (fails)" }))
        .collect();
    let more = covered.tests.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match covered.tests.len() {
        0 => "No test reaches this line.".to_owned(),
        1 => format!("Reached by the test {}", names.join(", ")),
        several => format!("Reached by {several} tests: {}{more}", names.join(", ")),
    }
}

/// What the line costs on the first day from today on on which it answers.
fn costs(case: &CaseInfo, ran: Ran<'_>, today: Day) -> Option<String> {
    let tariff = ran.prepared.tariff();
    let mut best: Option<(Day, usize, Way, bool)> = None;
    let mut days = Days::new(tariff);
    let valid = tariff.valid_from.map_or(today, |at| LocalTime::at(&tariff.zone, at.0).day.max(today));
    for (focus, goals) in goals_of(tariff, &case.leaves) {
        let Focus::Session(charge) = focus else { continue };
        let direct = goals.len() == 1;
        Ways::new(tariff, &goals).each(&mut |way| {
            let day = days.from(valid, way.classes.as_ref()).next();
            if let Some(day) = day
                && best.as_ref().is_none_or(|(known, ..)| day < *known)
                && facts_of(tariff, way).is_some()
            {
                best = Some((day, charge, way.clone(), direct));
            }
            best.as_ref().is_some_and(|(known, ..)| *known == valid)
        });
        if best.is_some() {
            break;
        }
    }
    let (day, charge, way, direct) = best?;
    let said = scenario::said(&facts_of(tariff, &way)?, ran.prepared)?;
    let asked = Asked { facts: said.facts, power: None };
    let rules: Vec<u32> = case
        .leaves
        .iter()
        .filter_map(|leaf| tariff.leaves.get(*leaf as usize))
        .map(|leaf| leaf.rule)
        .collect();
    let read = |book: &PriceBook, assumed: bool| -> Option<Vec<ChargeSlice>> {
        let mut pricing = Pricing::new(ran.prepared, book).ok()?;
        if let Some(cost) = said.cost_price.filter(|_| assumed) {
            pricing = pricing.with_cost_price(cost);
        }
        let slices = charge_day(&pricing, &asked, day, charge, reached_at(tariff, &way)).ok()?;
        let minute = |slice: &ChargeSlice| LocalTime::at(&tariff.zone, slice.from.0).minute;
        let last = |slice: &ChargeSlice| LocalTime::at(&tariff.zone, slice.to.0 - 1).minute;
        // The line itself answers wherever it stands; what a named price comes to is asked for its hours.
        let inside = |slice: &ChargeSlice| match direct {
            true => rules.contains(&slice.rule),
            false => minute(slice) < way.minutes.1 && last(slice) >= way.minutes.0,
        };
        Some(slices.into_iter().filter(inside).collect())
    };
    let known = read(ran.book, false)?;
    let pending = known.iter().any(|slice| slice.price == Known::Pending);
    let slices = if pending { read(&said.book, true)? } else { known };
    let assumed = if pending {
        "\n\nFeed prices are not known here: taken as 0.10 per kWh, 1.00 for rates of exchange."
    } else {
        ""
    };
    let label = tariff.charges.get(charge).map_or("", |charge| charge.label.as_str());
    let text = table(tariff, &slices, direct, label)?;
    let when = match day {
        _ if day == today => "Today".to_owned(),
        _ => format!("Not today; on {}", date_text(day)),
    };
    Some(format!("{when}, all taxes in:\n\n{text}{assumed}"))
}

/// The first threshold that the way passes.
fn reached_at(tariff: &Tariff, way: &Way) -> Option<(Measure, i64)> {
    way.measures.iter().find_map(|(id, (from, _))| {
        let measure = tariff.measures.get(*id as usize)?;
        from.filter(|from| *from > 0).map(|from| (*measure, from))
    })
}

/// Most stretches of a day that are shown.
const MOST_SHOWN: usize = 12;

fn table(tariff: &Tariff, slices: &[ChargeSlice], direct: bool, label: &str) -> Option<String> {
    let code = &tariff.currency.code;
    let price = |known: Known, per: &str| {
        let per = if per.is_empty() { String::new() } else { format!("/{per}") };
        match known {
            Known::Price(price) if per.is_empty() && price.compare(Num::ZERO).is_ok_and(|it| it.is_eq()) => {
                "free".to_owned()
            }
            Known::Price(price) => format!("{} {code}{per}", trimmed(&price.to_plain())),
            Known::Pending => "not known yet".to_owned(),
            Known::ByPower => "depends on the power that the car draws".to_owned(),
        }
    };
    let several = tariff
        .charges
        .iter()
        .filter(|charge| charge.kind == takst_engine::tariff::ChargeKind::Energy)
        .count()
        > 1;
    let line = |slice: &ChargeSlice| {
        let said = price(slice.price, slice.per);
        let total = match slice.total {
            Some(total) if several || total != slice.price => {
                format!(", in all {}", price(total, "kWh"))
            }
            _ => String::new(),
        };
        let of = if direct { String::new() } else { format!("{label} ") };
        (format!("{of}**{said}**{total}"), slice.from.0, slice.to.0)
    };
    let mut lines: Vec<(String, i64, i64)> = Vec::new();
    for slice in slices {
        let (text, from, to) = line(slice);
        match lines.last_mut() {
            Some((known, _, end)) if *known == text && *end == from => *end = to,
            _ => lines.push((text, from, to)),
        }
    }
    let clock = |at: i64| {
        let minute = LocalTime::at(&tariff.zone, at).minute;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    let more = lines.len().saturating_sub(MOST_SHOWN);
    let whole = lines.len() == 1 && lines.first().is_some_and(|(_, from, to)| to - from > 22 * 3_600_000);
    let shown: Vec<String> = lines
        .iter()
        .take(MOST_SHOWN)
        .map(|(text, from, to)| {
            let end = clock(*to);
            let end = if end == "00:00" { "24:00".to_owned() } else { end };
            if whole { text.clone() } else { format!("- {}–{end}: {text}", clock(*from)) }
        })
        .collect();
    let more = if more > 0 { format!("\n- and {more} more") } else { String::new() };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join("\n")))
}

/// At least two decimals, and no zeros that say nothing.
fn trimmed(plain: &str) -> String {
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
    let decimals = decimals.trim_end_matches('0');
    format!("{whole}.{decimals:0<2}")
}

fn date_text(day: Day) -> String {
    let (year, month, of_month) = civil(day);
    let name = parse::WEEKDAYS.get(usize::from(weekday(day))).copied().unwrap_or_default();
    format!("{name} {year:04}-{month:02}-{of_month:02}")
}

/// How a word of the language is used.
fn of_word(document: &Document, byte: usize) -> Option<Hover> {
    let line = document.line_of(byte);
    let start = document.start_of(line);
    let read = parse::read_line(document.line(line), start);
    let code_start = usize::try_from(read.start).ok()?;
    let at = byte.checked_sub(code_start).filter(|at| *at <= read.code.len())?;
    let form = |words: &str, form: &str| {
        let end = u32::try_from(code_start + words.len()).ok()?;
        let inside = at <= words.len() && parse::starts_with(read.code, words).is_some();
        inside.then(|| Hover {
            text: format!(
                "**{words}**, as in\n\n```tariff\n{}\n```",
                form.replace("` or `", "\n").replace('`', "")
            ),
            span: Span { start: read.start, end },
        })
    };
    if read.at_margin {
        return parse::STATEMENTS.iter().find_map(|it| form(it.words, it.form));
    }
    parse::SETTINGS
        .iter()
        .find_map(|(key, _, says)| form(key, says))
        .or_else(|| parse::STEPS.iter().find_map(|(words, says)| form(words, says)))
}
