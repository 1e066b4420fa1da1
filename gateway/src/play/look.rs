//! One look at the tariff and the session as they are now: everything the page shows, worked out by what `takst price` uses.

use super::form::{self, Fields, Plan, Question, Window, time_text};
use super::{Room, bill, editor, feeds};
use crate::clock::now;
use crate::draw::{Step, drawable, session};
use maud::Markup;
use serde_json::Value;
use std::collections::BTreeMap;
use takst_dsl::compile::{Compiled, SourceFile, compile};
use takst_dsl::diagnostic::Severity;
use takst_dsl::parse;
use takst_engine::calendar_time::{LocalTime, local_text};
use takst_engine::document::inputs;
use takst_engine::explain::explain;
use takst_engine::table::{Asked, Known, day_table};
use takst_engine::units::{Day, Instant};
use takst_engine::{Prepared, Pricing, Session};

/// Bytes of a tariff that is tried out: more than anybody types.
pub(super) const MOST_TEXT: usize = 256 << 10;
const WIDTHS: std::ops::RangeInclusive<i64> = 280..=1400;

/// What there is to see.
#[derive(Debug)]
pub(super) struct Look {
    /// The text, with line ends as Unix has them.
    pub(super) text: String,
    /// Its lines with marks.
    pub(super) lines: Markup,
    /// What is wrong with it.
    pub(super) messages: Markup,
    /// That in a few words, and whether the tariff can be used.
    pub(super) verdict: (String, &'static str),
    /// The session; none while the tariff cannot be used.
    pub(super) tried: Option<Tried>,
}

/// A session as it was priced.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) questions: Vec<Question>,
    /// Values of the fields for times, power and energy.
    pub(super) fields: BTreeMap<&'static str, String>,
    /// The picture and the bill; or why there is none.
    pub(super) priced: Result<Priced, String>,
    pub(super) zone: String,
}

#[derive(Debug)]
pub(super) struct Priced {
    pub(super) timeline: Markup,
    pub(super) bill: Markup,
    /// The session as `takst price` takes it.
    pub(super) session: String,
    /// What the reader should know of the prices.
    pub(super) notes: Vec<String>,
}

impl Room {
    /// Looks.
    pub(super) fn look(&self, fields: &Fields) -> Look {
        let text = fields.get("text").map_or_else(|| self.text(), |text| text.replace("\r\n", "\n"));
        if text.len() > MOST_TEXT {
            return Look {
                lines: editor::lines("", &[]),
                messages: maud::html! {},
                verdict: (
                    format!("the text is larger than {} KiB, too large to try out here", MOST_TEXT >> 10),
                    "error",
                ),
                tried: None,
                text,
            };
        }
        if let Err(found) = parse::decode(text.as_bytes()) {
            let sources = [SourceFile { name: self.name().to_owned(), text: text.clone() }];
            let found = [found];
            return Look {
                lines: editor::lines(&text, &found),
                messages: editor::messages(&sources, &found),
                verdict: ("1 error".into(), "error"),
                tried: None,
                text,
            };
        }
        let main = SourceFile { name: self.name().to_owned(), text: text.clone() };
        let compiled = compile(main, &mut |wanted| self.base(wanted));
        let lines = editor::lines(&text, &compiled.diagnostics);
        let messages = editor::messages(&compiled.sources, &compiled.diagnostics);
        let mut verdict = verdict(&compiled);
        let prepared = match compiled.tariff.map(Prepared::new) {
            Some(Ok(prepared)) => Some(prepared),
            Some(Err(error)) => {
                verdict = (error.to_string(), "error");
                None
            }
            None => None,
        };
        let tried = prepared.map(|prepared| self.try_out(&prepared, fields));
        Look { text, lines, messages, verdict, tried }
    }

    fn try_out(&self, prepared: &Prepared, fields: &Fields) -> Tried {
        let tariff = prepared.tariff();
        let zone = &tariff.zone;
        let questions = form::questions(tariff, fields);
        let usual = Plan::usual(zone, self.day(prepared));
        let plan = Plan::read(zone, fields, usual);
        let mut values: BTreeMap<&'static str, String> = BTreeMap::new();
        let priced = plan.and_then(|plan| {
            let window = plan.window(zone, fields);
            values = BTreeMap::from([
                ("in", time_text(zone, plan.plugged_in)),
                ("full", time_text(zone, plan.full)),
                ("out", time_text(zone, plan.unplugged)),
                ("in_at", plan.plugged_in.0.to_string()),
                ("full_at", plan.full.0.to_string()),
                ("out_at", plan.unplugged.0.to_string()),
                ("kw", plan.kw.to_string()),
                ("kwh", plan.kwh.to_string()),
                ("was", plan.state()),
                ("axis_from", window.from.0.to_string()),
                ("axis_to", window.to.0.to_string()),
            ]);
            self.price(prepared, &plan, &questions, window, width(fields))
        });
        if values.is_empty() {
            // What was typed stays as it is.
            let names = [
                "in",
                "full",
                "out",
                "in_at",
                "full_at",
                "out_at",
                "kw",
                "kwh",
                "was",
                "axis_from",
                "axis_to",
            ];
            values =
                names.into_iter().map(|name| (name, fields.get(name).cloned().unwrap_or_default())).collect();
        }
        Tried { questions, fields: values, priced, zone: zone.name.clone() }
    }

    // The day that was asked for, or that of the first price, or today; but one on which the tariff is in force.
    fn day(&self, prepared: &Prepared) -> Day {
        let tariff = prepared.tariff();
        let day = |at: Instant| LocalTime::at(&tariff.zone, at.0).day;
        let wanted = self.date.unwrap_or_else(|| day(self.prices.begins().unwrap_or_else(now)));
        let begun = match tariff.valid_from {
            // The next day has all its hours.
            Some(from) if day(from) >= wanted => day(from).saturating_add(1),
            _ => wanted,
        };
        match tariff.valid_until {
            Some(until) => begun.min(day(Instant(until.0 - 1))),
            None => begun,
        }
    }

    fn price(
        &self,
        prepared: &Prepared,
        plan: &Plan,
        questions: &[Question],
        window: Window,
        width: i64,
    ) -> Result<Priced, String> {
        let tariff = prepared.tariff();
        let zone = &tariff.zone;
        let (session, standing) = form::session(tariff, plan, questions)?;
        let text = serde_json::to_string_pretty(&session).map_err(|error| error.to_string())?;
        let session = Session::from_json(&text).map_err(|error| error.to_string())?;
        let day = |at: Instant| LocalTime::at(zone, at.0).day;
        let (book, made_up) = feeds::book(&self.prices, tariff, (day(window.from), day(window.to)))?;
        let pricing = Pricing::new(prepared, &book).map_err(|error| error.to_string())?;
        let explained = explain(&pricing, &session, &standing).map_err(|error| error.to_string())?;
        let document =
            explained.bill.document(&pricing, &session, inputs(&pricing, text.as_bytes(), &standing));
        let prices = prices(&pricing, &session, plan, window);
        let taxes = crate::cli::receipt::basis(tariff).map_or("", |_| ", all taxes in");
        let handles = session::Handles {
            plugged_in: plan.plugged_in,
            full: plan.full,
            unplugged: plan.unplugged,
            power: plan.kw,
        };
        let picture = session::Picture {
            heading: None,
            width,
            zone,
            from: window.from,
            to: window.to,
            prices,
            price_unit: format!("{}/kWh{taxes}", tariff.currency.code),
            states: &explained.states,
            lanes: session::lanes(&document, &tariff.file),
            handles: Some(handles),
        };
        let page = bill::Page { pricing: &pricing, explained: &explained, document: &document };
        let notes = match made_up.as_slice() {
            [] => Vec::new(),
            names => vec![format!(
                "Prices of {} are those of an example day, the same every day; real ones come with --prices.",
                names.join(", ")
            )],
        };
        Ok(Priced {
            timeline: picture.part("The session as a timeline"),
            bill: page.draw(),
            session: text,
            notes,
        })
    }
}

fn width(fields: &Fields) -> i64 {
    let width = fields.get("width").and_then(|width| width.parse::<i64>().ok()).unwrap_or(640);
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

fn verdict(compiled: &Compiled) -> (String, &'static str) {
    let how_many = |severity| compiled.diagnostics.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings) = (how_many(Severity::Error), how_many(Severity::Warning));
    let count = crate::cli::layout::count;
    match (errors, warnings) {
        (0, 0) if compiled.abstract_list => {
            ("no errors; prices are left open for lists that are based on this one, so it cannot price by itself".into(), "warning")
        }
        (0, 0) => ("no errors".into(), "fine"),
        (0, warnings) => (count(warnings, "warning"), "warning"),
        (errors, 0) => (count(errors, "error"), "error"),
        (errors, warnings) => (format!("{}, {}", count(errors, "error"), count(warnings, "warning")), "error"),
    }
}

// What drivers see before they plug in, for all that the picture shows. Nothing, where that cannot be said.
fn prices(pricing: &Pricing<'_>, session: &Session, plan: &Plan, window: Window) -> Vec<Step> {
    let tariff = pricing.prepared().tariff();
    let zone = &tariff.zone;
    let power = takst_engine::units::micro(plan.kw.round_dp(6)).filter(|power| *power > 0);
    let asked = Asked { facts: session.facts.clone(), power };
    let (first, last) = (LocalTime::at(zone, window.from.0).day, LocalTime::at(zone, window.to.0 - 1).day);
    let mut steps = Vec::new();
    for day in first..=last {
        let Ok(table) = day_table(pricing, &asked, day) else { continue };
        for slice in table.slices {
            let price = match slice.total {
                Known::Price(price) => drawable(&price.to_plain()),
                Known::Pending | Known::ByPower => None,
            };
            let times = crate::cli::receipt::span(&local_text(zone, slice.from), &local_text(zone, slice.to));
            let said = price.map_or_else(
                || "not known".to_owned(),
                |price| {
                    format!(
                        "{} {}/kWh",
                        crate::cli::layout::places(&price.to_string(), 2, 4),
                        tariff.currency.code
                    )
                },
            );
            steps.push(Step { from: slice.from, to: slice.to, price, tip: format!("{times}: {said}") });
        }
    }
    steps
}

/// All parts of the page by the id of their place, for the script.
pub(super) fn answer(look: Look, questions: impl Fn(&Tried) -> Markup) -> Value {
    let Look { text: _, lines, messages, verdict: (verdict, how), tried } = look;
    let mut parts = serde_json::Map::new();
    let mut put = |name: &str, value: String| {
        parts.insert(name.to_owned(), Value::String(value));
    };
    put("lines", lines.into_string());
    put("messages", messages.into_string());
    put("verdict", verdict);
    let mut fields = Value::Null;
    if let Some(tried) = tried {
        put("questions", questions(&tried).into_string());
        put("zone", tried.zone.clone());
        match tried.priced {
            Ok(priced) => {
                put("timeline", priced.timeline.into_string());
                put("bill", priced.bill.into_string());
                put("session", priced.session);
                put("notes", priced.notes.join(" "));
                put("wrong", String::new());
                fields = serde_json::json!(tried.fields);
            }
            Err(wrong) => put("wrong", wrong),
        }
    }
    serde_json::json!({ "parts": parts, "fields": fields, "how": how })
}
