//! Day-ahead prices of the ENTSO-E transparency platform: document type A44 (`Publication_MarketDocument`).
//!
//! Read as a stream: names of depth, length of text and number of prices are bounded, a document type declaration and entity
//! references are refused.

use super::{MOST_STEPS, none_in_it, too_many};
use quick_xml::Reader;
use quick_xml::events::Event;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use takst_engine::input::{self, InputError};
use takst_engine::prices::{FeedFile, PriceStep};
use takst_engine::units::{HOUR_MS, Instant, MINUTE_MS};

const MOST_DEPTH: usize = 16;
// Longest text of a field, bytes.
const MOST_TEXT: usize = 1000;

/// Bidding zones: what price lists call them, and their energy identification code.
const AREAS: &[(&str, &str)] = &[
    ("NO1", "10YNO-1--------2"),
    ("NO2", "10YNO-2--------T"),
    ("NO3", "10YNO-3--------J"),
    ("NO4", "10YNO-4--------9"),
    ("NO5", "10Y1001A1001A48H"),
    ("SE1", "10Y1001A1001A44P"),
    ("SE2", "10Y1001A1001A45N"),
    ("SE3", "10Y1001A1001A46L"),
    ("SE4", "10Y1001A1001A47J"),
    ("FI", "10YFI-1--------U"),
    ("DK1", "10YDK-1--------W"),
    ("DK2", "10YDK-2--------M"),
    ("EE", "10Y1001A1001A39I"),
    ("LV", "10YLV-1001A00074"),
    ("LT", "10YLT-1001A0008Q"),
    ("NL", "10YNL----------L"),
    ("BE", "10YBE----------2"),
    ("FR", "10YFR-RTE------C"),
    ("DE-LU", "10Y1001A1001A82H"),
    ("AT", "10YAT-APG------L"),
    ("CH", "10YCH-SWISSGRIDZ"),
    ("PL", "10YPL-AREA-----S"),
    ("CZ", "10YCZ-CEPS-----N"),
    ("SK", "10YSK-SEPS-----K"),
    ("HU", "10YHU-MAVIR----U"),
    ("SI", "10YSI-ELES-----O"),
    ("HR", "10YHR-HEP------M"),
    ("RO", "10YRO-TEL------P"),
    ("BG", "10YCA-BULGARIA-R"),
    ("GR", "10YGR-HTSO-----Y"),
    ("ES", "10YES-REE------0"),
    ("PT", "10YPT-REN------W"),
];

// A code that is not in the list is its own name.
fn area_of(code: &str) -> &str {
    AREAS.iter().find(|(_, known)| *known == code).map_or(code, |(name, _)| name)
}

/// The feeds of a document, one per area; prices of another resolution stand in a feed of their own, the finest last, so that
/// it wins. Of several auctions (`classificationSequence`) the first counts.
///
/// # Errors
/// What is no A44 document of day-ahead prices of an area, with the line.
pub fn read(text: &str) -> Result<Vec<FeedFile>, InputError> {
    let document = parse(text)?;
    let first = |area: &str| {
        let same = document.series.iter().filter(|series| series.area == area);
        same.map(|series| series.sequence).min().unwrap_or(0)
    };
    let mut feeds: BTreeMap<(String, i64), FeedFile> = BTreeMap::new();
    let mut steps = 0_usize;
    for series in &document.series {
        series.check()?;
        if series.sequence != first(&series.area) {
            continue;
        }
        for period in &series.periods {
            let (step, count) = period.size()?;
            steps = usize::try_from(count)
                .ok()
                .and_then(|count| steps.checked_add(count))
                .ok_or_else(too_many)?;
            if steps > MOST_STEPS {
                return Err(too_many());
            }
            let place = (area_of(&series.area).to_owned(), -step);
            let feed = feeds.entry(place).or_insert_with(|| FeedFile {
                feed: "spot".into(),
                area: Some(area_of(&series.area).to_owned()),
                unit: format!("{}/{}", series.currency, series.per_text()),
                vat_included: false,
                source: Some("entsoe".into()),
                published: document.created,
                prices: Vec::new(),
            });
            if feed.unit != format!("{}/{}", series.currency, series.per_text()) {
                return Err(at(series.line, "prices of one area in two units")
                    .help("ask for one currency per document"));
            }
            period.expand(step, count, series.carries(), &mut feed.prices)?;
        }
    }
    if feeds.values().all(|feed| feed.prices.is_empty()) {
        return Err(none_in_it("ENTSO-E"));
    }
    Ok(feeds.into_values().collect())
}

#[derive(Default)]
struct Document {
    kind: String,
    created: Option<Instant>,
    reason: String,
    series: Vec<Series>,
}

#[derive(Default)]
struct Series {
    line: usize,
    area: String,
    other_area: String,
    contract: String,
    currency: String,
    per: String,
    curve: String,
    sequence: u32,
    periods: Vec<Period>,
}

#[derive(Default)]
struct Period {
    line: usize,
    from: Option<Instant>,
    to: Option<Instant>,
    resolution: String,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Default)]
struct Point {
    line: usize,
    position: Option<i64>,
    price: Option<Decimal>,
}

fn at(line: usize, message: impl Into<String>) -> InputError {
    InputError { place: format!("line {line}: "), ..InputError::new(message) }
}

impl Series {
    fn check(&self) -> Result<(), InputError> {
        if !self.other_area.is_empty() && self.other_area != self.area {
            let message = format!("prices between {} and {}, not of an area", self.area, self.other_area);
            return Err(at(self.line, message).help("ask for the same in_Domain and out_Domain"));
        }
        if !matches!(self.contract.as_str(), "" | "A01") {
            let message =
                format!("prices of contract type {}, not of the day-ahead market (A01)", self.contract);
            return Err(at(self.line, message).help("ask with contract_MarketAgreement.type=A01"));
        }
        if !matches!(self.curve.as_str(), "" | "A01" | "A03") {
            let message = format!("curve type `{}` is not known", self.curve);
            return Err(at(self.line, message).help("A01 and A03 are"));
        }
        if self.currency.is_empty() || self.area.is_empty() {
            let field = if self.area.is_empty() { "in_Domain.mRID" } else { "currency_Unit.name" };
            return Err(
                at(self.line, format!("the time series has no `{field}`")).help("fetch the document again")
            );
        }
        if !matches!(self.per.as_str(), "MWH" | "KWH") {
            let message = format!("prices per `{}`", self.per);
            return Err(at(self.line, message).help("price_Measure_Unit.name is MWH or KWH"));
        }
        Ok(())
    }

    fn per_text(&self) -> &'static str {
        if self.per == "KWH" { "kWh" } else { "MWh" }
    }

    // Points that repeat the price before may be left out.
    fn carries(&self) -> bool {
        self.curve == "A03"
    }
}

impl Period {
    // A step's length, ms, and how many steps there are.
    fn size(&self) -> Result<(i64, i64), InputError> {
        let (Some(from), Some(to)) = (self.from, self.to) else {
            return Err(at(self.line, "the period has no `timeInterval` with `start` and `end`")
                .help("fetch the document again"));
        };
        let Some(step) = resolution(&self.resolution) else {
            let message = format!("resolution `{}` is not known", self.resolution);
            return Err(at(self.line, message).help("PT15M, PT30M and PT60M are"));
        };
        let lasts = to.0.checked_sub(from.0).filter(|lasts| *lasts > 0 && lasts % step == 0);
        let Some(lasts) = lasts else {
            let message = format!("the period is no whole number of steps of {}", self.resolution);
            return Err(at(self.line, message).help("`start` comes before `end`, both on a step"));
        };
        Ok((step, lasts / step))
    }

    fn expand(
        &self,
        step: i64,
        count: i64,
        carries: bool,
        into: &mut Vec<PriceStep>,
    ) -> Result<(), InputError> {
        let mut points = Vec::with_capacity(self.points.len());
        for point in &self.points {
            let (Some(position), Some(price)) = (point.position, point.price) else {
                let field = if point.position.is_none() { "position" } else { "price.amount" };
                return Err(
                    at(point.line, format!("the point has no `{field}`")).help("fetch the document again")
                );
            };
            if !(1..=count).contains(&position) {
                let message = format!("position {position} lies outside the period, which has {count} steps");
                return Err(at(point.line, message).help("fetch the document again"));
            }
            points.push((position, price, point.line));
        }
        points.sort_by_key(|(position, ..)| *position);
        let start = self.from.map_or(0, |from| from.0);
        let mut rest = points.iter().peekable();
        while let Some((position, price, line)) = rest.next() {
            let next = rest.peek().map_or(count + 1, |(next, ..)| *next);
            if next == *position {
                return Err(at(*line, format!("position {position} stands there twice"))
                    .help("fetch the document again"));
            }
            let last = if carries { next } else { *position + 1 };
            for place in *position..last {
                let from = start + (place - 1) * step;
                into.push(PriceStep { from: Instant(from), to: Instant(from + step), price: *price });
            }
        }
        Ok(())
    }
}

fn resolution(text: &str) -> Option<i64> {
    let (number, unit) = match text.strip_prefix("PT")?.split_at_checked(text.len().checked_sub(3)?)? {
        (number, "M") => (number, MINUTE_MS),
        (number, "H") => (number, HOUR_MS),
        _ => return None,
    };
    let number = number.parse::<i64>().ok().filter(|number| (1..=1440).contains(number))?;
    Some(number * unit)
}

// `2025-10-11T22:00Z`, or with seconds.
fn time(text: &str) -> Result<Instant, String> {
    match text.strip_suffix('Z').filter(|minutes| minutes.len() == 16) {
        Some(minutes) => input::instant(&format!("{minutes}:00Z")),
        None => input::instant(text),
    }
}

fn parse(text: &str) -> Result<Document, InputError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut document = Document::default();
    let mut path: Vec<String> = Vec::new();
    let mut field = String::new();
    loop {
        let line = lines.of(reader.buffer_position());
        let event = reader.read_event().map_err(|error| {
            at(lines.of(reader.error_position()), format!("not well-formed XML: {error}"))
                .help("fetch the document again")
        })?;
        match event {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if path.is_empty() {
                    root(&name, line)?;
                }
                if path.len() >= MOST_DEPTH {
                    return Err(at(line, "elements too deep for a price document"));
                }
                path.push(name);
                field.clear();
                document.open(&path, line);
            }
            Event::Text(text) => add(&mut field, &text.xml10_content(), line)?,
            Event::CData(text) => add(&mut field, &text.xml10_content(), line)?,
            Event::End(_) => {
                document.close(&path, field.trim(), line)?;
                path.pop();
                field.clear();
            }
            Event::GeneralRef(_) | Event::DocType(_) => {
                return Err(at(line, "entities and document types have no place in a price document"));
            }
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if let Some(open) = path.last() {
        return Err(
            at(lines.of(u64::MAX), format!("the document ends inside `{open}`")).help("fetch it again")
        );
    }
    if document.kind.is_empty() && !document.reason.is_empty() {
        let message = format!("ENTSO-E gave no prices: {}", document.reason);
        return Err(InputError::new(message).help("ask for another day or area"));
    }
    if document.kind != "A44" {
        let message = format!("document type `{}` holds no day-ahead prices", document.kind);
        return Err(InputError::new(message).help("ask for documentType=A44"));
    }
    Ok(document)
}

fn root(name: &str, line: usize) -> Result<(), InputError> {
    if matches!(name, "Publication_MarketDocument" | "Acknowledgement_MarketDocument") {
        return Ok(());
    }
    Err(at(line, format!("`{}` is no price document", name.chars().take(60).collect::<String>()))
        .help("of XML documents, ENTSO-E's Publication_MarketDocument of type A44 is read"))
}

fn add(field: &mut String, text: &str, line: usize) -> Result<(), InputError> {
    if field.len() + text.trim().len() > MOST_TEXT {
        return Err(at(line, format!("a field longer than {MOST_TEXT} bytes")));
    }
    field.push_str(text.trim());
    Ok(())
}

impl Document {
    fn open(&mut self, path: &[String], line: usize) {
        match names(path).as_slice() {
            [_, "TimeSeries"] => self.series.push(Series { line, ..Series::default() }),
            [_, "TimeSeries", "Period"] => {
                if let Some(series) = self.series.last_mut() {
                    series.periods.push(Period { line, ..Period::default() });
                }
            }
            [_, "TimeSeries", "Period", "Point"] => {
                if let Some(period) = self.period() {
                    period.points.push(Point { line, ..Point::default() });
                }
            }
            _ => {}
        }
    }

    fn period(&mut self) -> Option<&mut Period> {
        self.series.last_mut()?.periods.last_mut()
    }

    fn point(&mut self) -> Option<&mut Point> {
        self.period()?.points.last_mut()
    }

    fn close(&mut self, path: &[String], text: &str, line: usize) -> Result<(), InputError> {
        let names = names(path);
        let field = names.last().copied().unwrap_or("");
        let wrong =
            |message: String| at(line, format!("`{field}`: {message}")).help("fetch the document again");
        match names.as_slice() {
            ["Publication_MarketDocument", "type"] => text.clone_into(&mut self.kind),
            [_, "createdDateTime"] => self.created = Some(time(text).map_err(wrong)?),
            [_, "Reason", "text"] => text.clone_into(&mut self.reason),
            [_, "TimeSeries", rest @ ..] => match rest {
                ["Period", "timeInterval", end] => {
                    let instant = time(text).map_err(wrong)?;
                    if let Some(period) = self.period() {
                        match *end {
                            "start" => period.from = Some(instant),
                            "end" => period.to = Some(instant),
                            _ => {}
                        }
                    }
                }
                ["Period", "resolution"] => {
                    if let Some(period) = self.period() {
                        text.clone_into(&mut period.resolution);
                    }
                }
                ["Period", "Point", "position"] => {
                    let position = text.parse().map_err(|_| wrong(format!("`{text}` is no whole number")))?;
                    if let Some(point) = self.point() {
                        point.position = Some(position);
                    }
                }
                ["Period", "Point", "price.amount"] => {
                    let price = super::figure(text).map_err(wrong)?;
                    if let Some(point) = self.point() {
                        point.price = Some(price);
                    }
                }
                [field] => {
                    if let Some(series) = self.series.last_mut() {
                        series.field(field, text).map_err(wrong)?;
                    }
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

impl Series {
    fn field(&mut self, field: &str, text: &str) -> Result<(), String> {
        let place = match field {
            "in_Domain.mRID" => &mut self.area,
            "out_Domain.mRID" => &mut self.other_area,
            "contract_MarketAgreement.type" => &mut self.contract,
            "currency_Unit.name" => &mut self.currency,
            "price_Measure_Unit.name" => &mut self.per,
            "curveType" => &mut self.curve,
            "classificationSequence_AttributeInstanceComponent.position" => {
                self.sequence = text.parse().map_err(|_| format!("`{text}` is no whole number"))?;
                return Ok(());
            }
            _ => return Ok(()),
        };
        text.clone_into(place);
        Ok(())
    }
}

fn names(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

// Counts lines forward only: every byte is looked at once.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, position: u64) -> usize {
        let to = usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        let passed = self.text.as_bytes().get(self.at..to).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = self.at.max(to);
        self.line
    }
}

#[cfg(test)]
#[path = "entsoe_tests.rs"]
mod tests;
