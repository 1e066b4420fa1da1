//! `takst explain`.

use super::chart;
use super::failure::{Exit, Failure};
use super::layout::{columns, ends, fit, left, places, right, wrap};
use super::out::Out;
use super::price::{SessionInputs, plug, pricing, standing};
use super::receipt::{Dates, Sheet, belongs, quantity_places, session_times, span};
use super::tariffs;
use crate::draw::session::{Lane, Picture, lanes, word};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use takst_engine::calendar_time::local_text;
use takst_engine::document::{ChargeDoc, Document, LineDoc, inputs};
use takst_engine::explain::{Explained, Figure, explain};
use takst_engine::units::{HOUR_MS, Instant};
use takst_engine::{Prepared, Pricing};

/// Say why a session costs what it costs: drawn on the clock, then slice by slice, with the tariff line that won
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  takst explain spot.tariff --session 210.json --prices spot-fi.json
  takst explain spot.tariff --session 210.json --prices spot-fi.json --svg 210.svg")]
pub struct Explain {
    /// The tariff file
    #[arg(value_name = "TARIFF")]
    tariff: PathBuf,
    #[command(flatten)]
    inputs: SessionInputs,
    /// Opening counters
    #[arg(long, value_name = "FILE")]
    standing: Option<PathBuf>,
    /// Write the session as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

// Pixels across a picture.
const WIDTH: i64 = 760;

#[derive(Serialize)]
struct Explanation<'a> {
    #[serde(flatten)]
    document: &'a Document,
    states: Vec<StateDoc>,
    slices: Vec<SliceDoc<'a>>,
}

#[derive(Serialize)]
struct StateDoc {
    state: &'static str,
    from: String,
    to: String,
}

#[derive(Serialize)]
struct SliceDoc<'a> {
    #[serde(flatten)]
    line: &'a LineDoc,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    figures: Vec<FigureDoc>,
}

#[derive(Serialize)]
struct FigureDoc {
    depth: u8,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl Explain {
    /// Explains one session.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        if self.inputs.many() {
            return Err(Failure::Usage("explain takes one session; give a .json file with one".into()));
        }
        let prepared = tariffs::prepared(&self.tariff, out)?;
        let book = self.inputs.book(prepared.tariff())?;
        let pricing = pricing(&prepared, &book)?;
        let standing = self.standing.as_deref().map(standing).transpose()?.unwrap_or_default();
        let (session, text) = self.inputs.one(prepared.tariff(), out)?;
        let explained = explain(&pricing, &session, &standing)
            .map_err(|error| Failure::Input(format!("session {}: {error}", session.id)))?;
        let inputs = inputs(&pricing, text.trim().as_bytes(), &standing);
        let document = explained.bill.document(&pricing, &session, inputs);
        let work =
            Work { pricing: &pricing, prepared: &prepared, explained: &explained, document: &document };
        if let Some(path) = &self.svg {
            super::files::write(path, &work.picture().file())?;
        }
        if out.json() {
            let slices = document.lines.iter().map(|line| SliceDoc {
                line,
                text: work.rule_text(&line.rule).to_owned(),
                figures: work.figures(line),
            });
            let explanation =
                Explanation { document: &document, states: work.states(), slices: slices.collect() };
            out.document(&explanation)?;
            return Ok(Exit::Fine);
        }
        let sheet = Sheet { width: out.width(), colour: out.colour(), exact: false };
        out.put(&sheet.head(&document, plug(&session), prepared.tariff()))?;
        work.show(sheet, out)?;
        Ok(Exit::Fine)
    }
}

struct Work<'a> {
    pricing: &'a Pricing<'a>,
    prepared: &'a Prepared,
    explained: &'a Explained,
    document: &'a Document,
}

impl Work<'_> {
    fn time(&self, at: Instant) -> String {
        local_text(&self.pricing.prepared().tariff().zone, at)
    }

    fn lanes(&self) -> Vec<Lane> {
        lanes(self.document, &self.prepared.tariff().file)
    }

    // The session as a picture, on full hours.
    fn picture(&self) -> Picture<'_> {
        let (document, states) = (self.document, &self.explained.states);
        let start = states.first().map_or(0, |span| span.from.0).div_euclid(HOUR_MS) * HOUR_MS;
        let end = states.last().map_or(start, |span| span.to.0);
        let end = (end + HOUR_MS - 1).div_euclid(HOUR_MS) * HOUR_MS;
        let total = match document.status {
            "pending" => "total not known yet".to_owned(),
            _ => format!("{} {}", document.currency, document.total),
        };
        let kwh = places(&document.energy_kwh, 0, 3);
        let about = format!("{}, {kwh} kWh, {total}", session_times(document));
        Picture {
            heading: Some((format!("{}: session {}", document.tariff.name, document.session), about)),
            width: WIDTH,
            zone: &self.prepared.tariff().zone,
            from: Instant(start),
            to: Instant(end.max(start + HOUR_MS)),
            prices: Vec::new(),
            price_unit: String::new(),
            states,
            lanes: self.lanes(),
            handles: None,
        }
    }

    fn states(&self) -> Vec<StateDoc> {
        let document = |span: &takst_engine::explain::StateSpan| StateDoc {
            state: word(span.state),
            from: self.time(span.from),
            to: self.time(span.to),
        };
        self.explained.states.iter().map(document).collect()
    }

    // The source line of `file:line`.
    fn rule_text(&self, place: &str) -> &str {
        let Some((file, line)) = place.rsplit_once(':') else { return "" };
        let Some(index) = line.parse::<usize>().ok().and_then(|line| line.checked_sub(1)) else { return "" };
        let source = self.prepared.tariff().sources.iter().find(|source| source.file == file);
        source.and_then(|source| source.text.lines().nth(index)).map_or("", str::trim)
    }

    fn figures(&self, line: &LineDoc) -> Vec<FigureDoc> {
        let tariff = self.prepared.tariff();
        let slice = self.explained.slices.iter().find(|slice| {
            let label = tariff.charges.get(usize::from(slice.charge)).map(|charge| charge.label.as_str());
            label == Some(line.label.as_str())
                && self.time(slice.from) == line.from
                && self.time(slice.to) == line.to
        });
        let document = |figure: &Figure| {
            let rule = figure.rule.map(|rule| self.prepared.place(rule));
            FigureDoc {
                depth: figure.depth,
                name: figure.name.clone(),
                value: figure.value.map(takst_engine::exact::Num::to_plain),
                text: rule.as_deref().map(|rule| self.rule_text(rule).to_owned()),
                rule,
            }
        };
        slice.map(|slice| slice.figures.iter().map(document).collect()).unwrap_or_default()
    }

    fn show(&self, sheet: Sheet, out: &mut Out) -> Result<(), Failure> {
        let dates = Dates::of(self.document);
        let zone = &self.prepared.tariff().zone;
        let drawn = chart::session(out.glyphs(), sheet.width, zone, &self.explained.states, &self.lanes());
        for line in &drawn {
            let text = if line.faint { sheet.faint(&line.text) } else { line.text.clone() };
            out.line(&text)?;
        }
        if !drawn.is_empty() {
            out.line("")?;
        }
        let mut heading = dates.first().to_owned();
        for state in self.states() {
            let at = dates.heading(&state.from);
            if at != heading {
                let shown = sheet.faint(&at);
                out.line(&shown)?;
                heading = at;
            }
            out.line(&format!("  {}{}", when(&state.from, &state.to), state.state))?;
        }
        for charge in &self.document.charges {
            out.line("")?;
            let title = ends(&charge.label, &charge.amount, sheet.width);
            let title = sheet.strong(&title);
            out.line(&title)?;
            self.charge(charge, sheet, &dates, out)?;
        }
        let pending = sheet.pending(&self.document.pending, &dates);
        out.put(&pending)?;
        out.line(&super::layout::rule(sheet.width))?;
        let total = sheet.totals(self.document);
        out.put(&total)?;
        let payouts = sheet.payouts(self.document);
        out.put(&payouts)?;
        for note in &self.document.notes {
            for line in wrap(note, sheet.width) {
                out.line(&line)?;
            }
        }
        Ok(())
    }

    fn charge(&self, charge: &ChargeDoc, sheet: Sheet, dates: &Dates, out: &mut Out) -> Result<(), Failure> {
        let mut heading = dates.first().to_owned();
        let mut before = Before::default();
        for line in self.document.lines.iter().filter(|line| belongs(line, charge)) {
            let at = dates.heading(&line.from);
            if at != heading {
                let shown = sheet.faint(&format!("  {at}"));
                out.line(&shown)?;
                heading = at;
            }
            let figures = match (&line.quantity, &line.unit_price) {
                (Some(quantity), Some(price)) => {
                    let unit = line.unit.unwrap_or("");
                    let most = quantity_places(line.unit).max(3);
                    format!(
                        "{} {unit} × {} {}/{unit} = {}",
                        places(quantity, 0, most.max(6)),
                        places(price, 2, 12),
                        self.document.currency,
                        places(&line.amount, 4, 6)
                    )
                }
                _ => format!("{} = {}", line.label, places(&line.amount, 4, 6)),
            };
            out.line(&fit(&format!("  {}{figures}", when(&line.from, &line.to)), sheet.width))?;
            // The same line winning again is not quoted again.
            let text = self.rule_text(&line.rule);
            if before.rule != line.rule {
                self.quote(18, &line.rule, text, sheet, out)?;
            }
            let found = self.figures(line);
            for figure in &found {
                let indent = 20 + usize::from(figure.depth) * 2;
                let value = figure
                    .value
                    .as_deref()
                    .map_or_else(|| "not known yet".to_owned(), |value| places(value, 2, 12));
                let name = left(&figure.name, 20_usize.saturating_sub(usize::from(figure.depth) * 2));
                let value = right(&value, 12);
                let rule =
                    figure.rule.as_deref().filter(|rule| !before.figures.iter().any(|known| known == rule));
                let quote = rule.map_or_else(String::new, |rule| format!("  {}", self.place(rule)));
                let shown = fit(&format!("{}{name}{value}{quote}", " ".repeat(indent)), sheet.width);
                out.line(&sheet.faint(&shown))?;
            }
            before = Before {
                rule: line.rule.clone(),
                figures: found.into_iter().filter_map(|figure| figure.rule).collect(),
            };
        }
        Ok(())
    }

    // `line 18`, or `base.tariff:18` for a line of a list that this one is based on.
    fn place(&self, rule: &str) -> String {
        match rule.rsplit_once(':') {
            Some((file, line)) if file == self.prepared.tariff().file => format!("line {line}"),
            _ => rule.to_owned(),
        }
    }

    fn quote(
        &self,
        indent: usize,
        rule: &str,
        text: &str,
        sheet: Sheet,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let room = sheet.width.saturating_sub(indent);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for line in wrap(&format!("{}: {words}", self.place(rule)), room) {
            let shown = sheet.faint(&fit(&line, room));
            out.line(&format!("{}{shown}", " ".repeat(indent)))?;
        }
        Ok(())
    }
}

// In a column of its own, always with a gap after it.
fn when(from: &str, to: &str) -> String {
    let text = span(from, to);
    let width = (columns(&text) + 2).max(16);
    left(&text, width)
}

// What the line above already said.
#[derive(Default)]
struct Before {
    rule: String,
    figures: Vec<String>,
}
