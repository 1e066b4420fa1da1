//! The settings of a list: its own over those of the lists it is based on.

use super::report::{Labels, Place, error, nearest, suggest};
use super::{currency, zone};
use crate::ast::{At, File, Head, Name, Rate, Setting, Span, Statement};
use crate::diagnostic::Diagnostic;
use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use std::collections::HashMap;
use takst_engine::calendar_time::INSTANTS;
use takst_engine::units::{Currency, Day, Instant};

/// The settings in force. What was wrong is `None` and has been reported.
#[derive(Default)]
pub(crate) struct Settings<'a> {
    pub name: String,
    pub currency: Option<Currency>,
    pub zone: Option<Tz>,
    pub spot_area: Option<String>,
    pub includes_vat: Option<bool>,
    pub valid_from: Option<(Day, Instant)>,
    /// The first instant at which it is not in force any more.
    pub valid_until: Option<Instant>,
    pub running_sessions_change: bool,
    pub bills_monthly: bool,
    pub hold: Option<(u32, &'a At<Rate>)>,
    pub public_holidays: Option<(Place, String)>,
    pub line_step_min: Option<u32>,
    pub notes: Vec<(String, String)>,
    /// The leaf's heading.
    pub head: Option<Place>,
}

/// Reads the settings of the chain (`files`: leaf first).
pub(crate) fn settings<'a>(files: &'a [File], out: &mut Vec<Diagnostic>) -> Settings<'a> {
    let mut settings = Settings::default();
    let mut validity = Validity::default();
    for (index, file) in files.iter().enumerate().rev() {
        let source = u32::try_from(index).unwrap_or(u32::MAX);
        let is_root = index + 1 == files.len();
        let Some((head_at, head)) = heading(file, source, out) else { continue };
        settings.name.clone_from(&head.name.it);
        settings.head = Some(head_at);
        let mut seen = HashMap::new();
        let mut reader = Reader { settings: &mut settings, source, is_root, out };
        for setting in &head.settings {
            reader.setting(setting, &mut seen, &mut validity);
        }
        // A list whose base could not be read says nothing of its own either; that is reported already.
        let orphan = is_root && head.settings.iter().any(|setting| matches!(setting.it, Setting::BasedOn(_)));
        if is_root && !orphan {
            for key in ["currency", "time zone"] {
                if !seen.contains_key(key) {
                    let example = if key == "currency" { "currency: EUR" } else { "time zone: Europe/Oslo" };
                    out.push(
                        error("E402", head_at, format!("the setting `{key}` is missing"))
                            .help(format!("write below `tariff`, indented: `{example}`")),
                    );
                }
            }
        }
    }
    validity.settle(&mut settings, out);
    settings
}

/// From when until when a list is in force, as the chain says it: the leaf's own words over those of its bases.
#[derive(Default)]
struct Validity {
    from: Option<Moment>,
    /// Without a time the whole day is in.
    until: Option<Moment>,
}

type Moment = (Place, NaiveDate, Option<NaiveTime>);

impl Validity {
    fn settle(&self, settings: &mut Settings<'_>, out: &mut Vec<Diagnostic>) {
        let zone = settings.zone.unwrap_or(Tz::UTC);
        if let Some((at, date, time)) = self.from {
            match zone::day(date) {
                Some(day) => {
                    let time = time.unwrap_or(NaiveTime::MIN);
                    // The calendar begins in the course of its first day.
                    let from = zone::instant(zone, date, time).0.max(INSTANTS.start);
                    settings.valid_from = Some((day, Instant(from)));
                }
                None => out.push(outside(at)),
            }
        }
        let Some((at, date, time)) = self.until else { return };
        // As `until` does everywhere: the day is in.
        let (first_out, time) = match time {
            Some(time) => (Some(date), time),
            None => (date.succ_opt(), NaiveTime::MIN),
        };
        let (Some(_), Some(first_out)) = (zone::day(date), first_out) else {
            out.push(outside(at));
            return;
        };
        let until = Instant(zone::instant(zone, first_out, time).0.min(INSTANTS.end));
        settings.valid_until = Some(until);
        let begins = settings.valid_from.map_or(INSTANTS.start, |(_, from)| from.0);
        if until.0 <= begins {
            let found = error("E415", at, "the list ends before it begins, so it is never in force");
            let also = self.from.map(|(from, ..)| from);
            let found = also.into_iter().fold(found, |found, from| found.also(from, "it begins here"));
            out.push(found.help("the last day is in: write a day that is not before `valid from`"));
        }
    }
}

/// A date that the calendar does not have. The parser says the same of dates in a text.
pub(crate) fn outside(at: Place) -> Diagnostic {
    error("E031", at, "this day lies outside the calendar")
        .help("days from 2000-01-01 to 2099-12-31 can be used")
}

fn heading<'a>(file: &'a File, source: u32, out: &mut Vec<Diagnostic>) -> Option<(Place, &'a Head)> {
    let mut heads = file.statements.iter().filter_map(|statement| match &statement.it {
        Statement::Tariff(head) => Some((Place { source, span: head.name.span }, head)),
        _ => None,
    });
    let first = heads.next();
    if first.is_none() {
        let start = file.statements.first().map_or(0, |statement| statement.span.start);
        let at = Place { source, span: Span { start, end: start } };
        out.push(
            error("E401", at, "the list has no `tariff` heading")
                .help("start the file with `tariff \"NAME\"` and its settings"),
        );
    }
    for (second, _) in heads {
        let diagnostic = error("E401", second, "a second `tariff` heading in one file");
        out.push(first.iter().fold(diagnostic, |diagnostic, (at, _)| diagnostic.also(*at, "first here")));
    }
    first
}

struct Reader<'a, 'b> {
    settings: &'b mut Settings<'a>,
    source: u32,
    is_root: bool,
    out: &'b mut Vec<Diagnostic>,
}

impl<'a> Reader<'a, '_> {
    fn setting(
        &mut self,
        setting: &'a At<Setting>,
        seen: &mut HashMap<&'a str, Span>,
        validity: &mut Validity,
    ) {
        let at = Place { source: self.source, span: setting.span };
        let key = key(&setting.it);
        if let Some(first) = seen.insert(key, setting.span) {
            let first = Place { source: self.source, span: first };
            self.out.push(
                error("E403", at, format!("the setting `{key}` stands twice")).also(first, "first here"),
            );
            return;
        }
        match &setting.it {
            Setting::Currency(name) => self.currency(name),
            Setting::TimeZone(name) => self.time_zone(name),
            Setting::SpotArea(name) => self.settings.spot_area = Some(name.it.clone()),
            Setting::PricesIncludeVat(says) => {
                // A base list without VAT need not say it.
                if self.is_root || self.settings.includes_vat.is_none() {
                    self.settings.includes_vat = Some(says.it);
                } else if self.settings.includes_vat != Some(says.it) {
                    self.fixed_by_base(at, key);
                }
            }
            Setting::ValidFrom(date, time) => {
                let at = Place { source: self.source, span: date.span };
                validity.from = Some((at, date.it, time.as_ref().map(|time| time.it)));
            }
            Setting::ValidUntil(date, time) => {
                let at = Place { source: self.source, span: date.span };
                validity.until = Some((at, date.it, time.as_ref().map(|time| time.it)));
            }
            // The chain is loaded already.
            Setting::BasedOn(_) => {}
            Setting::RunningSessionsChange(says) => self.settings.running_sessions_change = says.it,
            Setting::BillsMonthly(says) => self.settings.bills_monthly = says.it,
            Setting::Hold(rate) => self.settings.hold = Some((self.source, rate)),
            Setting::PublicHolidays(name) => {
                let at = Place { source: self.source, span: name.span };
                self.settings.public_holidays = Some((at, name.it.clone()));
            }
            Setting::ReceiptLines(step) => self.settings.line_step_min = step.it,
            Setting::Note(key, text) => {
                self.settings.notes.retain(|(known, _)| *known != key.it);
                self.settings.notes.push((key.it.clone(), text.it.clone()));
            }
        }
    }

    fn fixed_by_base(&mut self, at: Place, key: &str) {
        self.out.push(
            error("E404", at, format!("`{key}` is fixed by the list this one is based on"))
                .help("leave this line out, or write a list of its own"),
        );
    }

    fn currency(&mut self, name: &Name) {
        let at = Place { source: self.source, span: name.span };
        if !self.is_root {
            if self.settings.currency.as_ref().is_some_and(|base| base.code != name.it) {
                self.fixed_by_base(at, "currency");
            }
            return;
        }
        self.settings.currency = currency::currency(&name.it);
        if self.settings.currency.is_none() {
            let diagnostic = error("E109", at, format!("there is no currency `{}`", name.it));
            self.out.push(match nearest(&name.it, currency::codes()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near),
                None => diagnostic.help("write the ISO code of a currency in use, as in `EUR`"),
            });
        }
    }

    fn time_zone(&mut self, name: &Name) {
        let at = Place { source: self.source, span: name.span };
        let zone = name.it.parse::<Tz>().ok();
        if !self.is_root {
            if self.settings.zone.is_some() && self.settings.zone != zone {
                self.fixed_by_base(at, "time zone");
            }
            return;
        }
        self.settings.zone = zone;
        if zone.is_none() {
            let diagnostic = error("E110", at, format!("there is no time zone `{}`", name.it));
            let all: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
            let city = |zone: &&str| zone.rsplit('/').next().unwrap_or_default().to_owned();
            let cities: Vec<String> = all.iter().map(city).collect();
            let written = city(&name.it.as_str());
            let near = nearest(&written, cities.iter().map(String::as_str));
            let near = near.and_then(|near| all.iter().copied().find(|zone| city(zone) == near));
            self.out.push(match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(name.span, near),
                None => diagnostic.help("write its IANA name, as in `Europe/Oslo`"),
            });
        }
    }
}

fn key(setting: &Setting) -> &str {
    match setting {
        Setting::Currency(_) => "currency",
        Setting::TimeZone(_) => "time zone",
        Setting::SpotArea(_) => "spot area",
        Setting::PricesIncludeVat(_) => "prices",
        Setting::ValidFrom(..) => "valid from",
        Setting::ValidUntil(..) => "valid until",
        Setting::BasedOn(_) => "based on",
        Setting::RunningSessionsChange(_) => "running sessions",
        Setting::BillsMonthly(_) => "bills",
        Setting::Hold(_) => "hold",
        Setting::PublicHolidays(_) => "public holidays",
        Setting::ReceiptLines(_) => "receipt lines",
        Setting::Note(key, _) => &key.it,
    }
}

/// Says that a region has no list of public holidays.
pub(crate) fn unknown_region<'r>(
    at: Place,
    region: &str,
    regions: impl IntoIterator<Item = &'r str>,
) -> Diagnostic {
    let diagnostic = error("E111", at, format!("the public holidays of `{region}` are not known"));
    suggest(diagnostic, "regions", region, at.span, regions)
}
