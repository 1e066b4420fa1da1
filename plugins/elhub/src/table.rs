//! Files of Elhub's Min side: `Fra,Til,KWH 60 Forbruk,Kvalitet` and a line for each hour or quarter.
//!
//! Times have an offset, or are local (`25.10.2026 02:00`): then the hour that the autumn repeats is told apart by `Til`, or by the order of the lines where both of them say
//! the same, and one that the spring skips is an error.

use crate::{Settings, at, kwh, point};
use std::collections::{BTreeMap, HashMap};
use takst_plugin_sdk::meters::{Direction, File, Quality, Series, Value};
use takst_plugin_sdk::time::{self, Civil, MINUTE};
use takst_plugin_sdk::{Error, log};

// A column with values.
struct Column {
    place: usize,
    minutes: i64,
    direction: Direction,
    series: Series,
}

/// Reads it.
///
/// # Errors
/// Naming the line.
pub fn read(settings: &Settings<'_>, file: &File) -> Result<Vec<Series>, Error> {
    let text = String::from_utf8_lossy(&file.body).into_owned();
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = (1_usize..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let Some((number, header)) = lines.next() else { return Err(at(1, "the file is empty")) };
    let separator = separator(header);
    let names = cells(header, separator);
    let find = |wanted: &str| names.iter().position(|name| name.to_lowercase().starts_with(wanted));
    let (Some(from), Some(until)) = (find("fra"), find("til")) else {
        return Err(at(number, "the first line has no `Fra` and `Til`: this is no file of Elhub's Min side"));
    };
    let of_file = point::find(&file.name).or(settings.point).map(str::to_owned);
    let (quality, of_line) =
        (find("kvalitet"), names.iter().position(|name| name.to_lowercase().contains("lepunkt")));
    let mut columns = Vec::new();
    for (place, name) in names.iter().enumerate() {
        if let Some((minutes, direction)) = column(name) {
            let series = Series { point: of_file.clone().unwrap_or_default(), direction, values: Vec::new() };
            columns.push(Column { place, minutes, direction, series });
        }
    }
    if columns.is_empty() {
        return Err(at(number, "no column is named as in `KWH 60 Forbruk` or `KWH 15 Produksjon`"));
    }
    if of_file.is_none() && of_line.is_none() {
        if let Some(wrong) = point::wrong_in(&file.name) {
            return Err(Error::refused("wrong-point", format!("the file's name: {wrong}")));
        }
        let help = "the file does not say of which metering point it is: put the number into the file's name, or into the setting `point`";
        return Err(Error::refused("no-point", help));
    }
    let mut all: Vec<Series> = Vec::new();
    let lines: Vec<(usize, Vec<String>)> =
        lines.map(|(number, line)| (number, cells(line, separator))).collect();
    // The last line of a metering point that begins so: what comes before it is the first of two hours that the clock shows the same.
    let last: HashMap<(&str, &str), usize> =
        lines.iter().map(|(number, cells)| (start(cells, of_line, from), *number)).collect();
    for (number, cells) in &lines {
        let number = *number;
        let comes_again = last.get(&start(cells, of_line, from)).is_some_and(|last| *last > number);
        let cell = |place: usize| cells.get(place).map_or("", |cell| cell.trim());
        if let Some(place) = of_line {
            let named = cell(place);
            if let Some(wrong) = point::wrong(named) {
                return Err(at(number, wrong));
            }
            if columns.iter().any(|column| column.series.point != named) {
                all.extend(finished(&mut columns, named));
            }
        }
        for column in &mut columns {
            let value = row(
                settings,
                column,
                (cell(from), cell(until), cell(column.place), quality.map(&cell)),
                comes_again,
            )
            .map_err(|text| at(number, text))?;
            column.series.values.push(value);
        }
    }
    all.extend(finished(&mut columns, ""));
    if all.is_empty() {
        return Err(at(number, "the file has no values"));
    }
    Ok(all)
}

// The metering point of a line, where it has one, and its `Fra`.
fn start(cells: &[String], point: Option<usize>, from: usize) -> (&str, &str) {
    let cell = |place: usize| cells.get(place).map_or("", String::as_str);
    (point.map_or("", cell), cell(from))
}

// The series so far that have values; the columns go on with another metering point.
fn finished(columns: &mut [Column], next: &str) -> Vec<Series> {
    let fresh =
        |column: &Column| Series { point: next.to_owned(), direction: column.direction, values: Vec::new() };
    let done = columns.iter_mut().map(|column| {
        let fresh = fresh(column);
        std::mem::replace(&mut column.series, fresh)
    });
    done.filter(|series| !series.values.is_empty()).collect()
}

fn separator(header: &str) -> char {
    if header.matches(';').count() > 0 { ';' } else { ',' }
}

// Cells of a line; `"1,5"` keeps its comma, `""` in it is a quote.
fn cells(line: &str, separator: char) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            c if c == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

// "KWH 60 Forbruk": minutes and direction.
fn column(name: &str) -> Option<(i64, Direction)> {
    let name = name.to_lowercase();
    let mut words = name.split_whitespace();
    if words.next()? != "kwh" {
        return None;
    }
    let minutes = words.next()?.parse().ok().filter(|minutes| matches!(minutes, 15 | 30 | 60))?;
    match words.next()? {
        "forbruk" => Some((minutes, Direction::Consumption)),
        "produksjon" => Some((minutes, Direction::Production)),
        _ => None,
    }
}

fn row(
    settings: &Settings<'_>,
    column: &Column,
    (from, until, amount, quality): (&str, &str, &str, Option<&str>),
    comes_again: bool,
) -> Result<Value, String> {
    let before = column.series.values.last().map(|value| value.until);
    let from = begin(settings, (from, until), (column.minutes, before), comes_again)?;
    let until = from + column.minutes * MINUTE;
    if amount.is_empty() || amount == "-" {
        return Ok(Value { from, until, kwh: "0".to_owned(), quality: Quality::Missing });
    }
    let kwh = kwh::read(amount).ok_or_else(|| format!("`{amount}` is no energy in kWh as in 1,234"))?;
    Ok(Value { from, until, kwh, quality: quality.map_or(Quality::Measured, self::quality) })
}

fn quality(word: &str) -> Quality {
    match word.to_lowercase().as_str() {
        "" | "målt" | "maalt" | "measured" | "metered" => Quality::Measured,
        "mangler" | "manglende" | "missing" => Quality::Missing,
        "estimert" | "stipulert" | "beregnet" | "midlertidig" | "temporær" | "endelig estimert"
        | "estimated" => Quality::Estimated,
        other => {
            log::warn(format!("quality `{other}` is not known, taken as estimated"));
            Quality::Estimated
        }
    }
}

// When a line begins. A local time that the clock shows twice is the one from which it is so long until `Til`; where a later line says the same of the second one,
// this is the first one, and both hours may be written as the clock shows them: 02:00 to 03:00.
fn begin(
    settings: &Settings<'_>,
    (from, until): (&str, &str),
    (minutes, before): (i64, Option<i64>),
    comes_again: bool,
) -> Result<i64, String> {
    let (from, until) = (moment(from)?, moment(until)?);
    let length = minutes * MINUTE;
    // Most lines begin where the one above ends: one look at the clock instead of four.
    if let Some(expected) = before
        && from.is(expected, settings)
        && until.is(expected + length, settings)
    {
        return Ok(expected);
    }
    let (begins, ends) = (from.instants(settings)?, until.instants(settings)?);
    let mut fitting = begins.iter().copied().filter(|at| before.is_none_or(|before| *at >= before));
    let Some(first) = fitting.next() else {
        return Err(
            "it begins before the line above ends: the lines are in order of time, each once".to_owned()
        );
    };
    let by_clock = match (&from, &until) {
        (Moment::Local(from, _), Moment::Local(until, _)) => until.count() - from.count() == length,
        _ => false,
    };
    if comes_again && by_clock && begins.len() > 1 {
        return Ok(first);
    }
    let fits = |at: &i64| ends.contains(&(at + length));
    std::iter::once(first)
        .chain(fitting)
        .find(fits)
        .ok_or_else(|| format!("from `Fra` to `Til` are not {minutes} minutes, as the column's name says"))
}

// A time as it stands there.
enum Moment<'a> {
    At(i64),
    Local(Civil, &'a str),
}

fn moment(text: &str) -> Result<Moment<'_>, String> {
    let wrong = || format!("`{text}` is no time as in 25.10.2026 02:00 or 2026-10-25T02:00:00+02:00");
    match time::instant(text) {
        Some(at) => Ok(Moment::At(at)),
        None => local(text).map(|civil| Moment::Local(civil, text)).ok_or_else(wrong),
    }
}

impl Moment<'_> {
    // Whether it can be this instant.
    fn is(&self, at: i64, settings: &Settings<'_>) -> bool {
        match self {
            Self::At(own) => *own == at,
            Self::Local(civil, _) => time::offset(at, settings.zone)
                .is_ok_and(|ahead| at + 1_000 * i64::from(ahead) == civil.count()),
        }
    }

    // The instants that it can be: at least one.
    fn instants(&self, settings: &Settings<'_>) -> Result<Vec<i64>, String> {
        match self {
            Self::At(at) => Ok(vec![*at]),
            Self::Local(civil, text) => {
                let instants = civil.instants(settings.zone).map_err(|error| error.detail)?;
                if instants.is_empty() {
                    return Err(format!(
                        "`{text}` does not exist in {}: the clock was put forward over it",
                        settings.zone
                    ));
                }
                Ok(instants)
            }
        }
    }
}

// "25.10.2026 02:00", "2026-10-25 02:00".
fn local(text: &str) -> Option<Civil> {
    let (day, clock) = text.split_once([' ', 'T'])?;
    let day = match day.split('.').collect::<Vec<_>>().as_slice() {
        [day, month, year] => Civil::day(&format!("{year}-{month}-{day}"))?,
        _ => Civil::day(day)?,
    };
    Civil::new(day.year, day.month, day.day, time::time_of_day(clock.trim())?)
}

/// Writes series of one metering point. `is_local`: `;`, decimal comma and local times, as a Norwegian spreadsheet has them; else `,` and times with an offset.
///
/// # Errors
/// For several metering points, or steps that are neither hours nor quarters.
pub fn write(settings: &Settings<'_>, series: &[Series], is_local: bool) -> Result<File, Error> {
    let refused = |text: &str| Err(Error::refused("cannot-write", text.to_owned()));
    let Some(first) = series.first() else { return refused("there are no series to write") };
    if series.iter().any(|one| one.point != first.point) {
        return refused("a file of Min side is of one metering point: write one file for each");
    }
    let mut steps = series.iter().flat_map(|one| &one.values).map(|value| value.until - value.from);
    let step = steps.next().unwrap_or(60 * MINUTE);
    if steps.any(|other| other != step) || ![15 * MINUTE, 60 * MINUTE].contains(&step) {
        return refused(
            "a file of Min side has hours or quarter-hours, and not both: write one file for each",
        );
    }
    let (separator, minutes) = (if is_local { ";" } else { "," }, step / MINUTE);
    let mut header = vec!["Fra".to_owned(), "Til".to_owned()];
    header.extend(series.iter().map(|one| format!("KWH {minutes} {}", word(one.direction))));
    // One column says the quality, so of several series it is left out.
    let [only] = series else { return columns(settings, series, is_local, header) };
    header.push("Kvalitet".to_owned());
    let mut lines = vec![header.join(separator)];
    for value in &only.values {
        let amount =
            if value.quality == Quality::Missing { String::new() } else { decimal(&value.kwh, is_local) };
        let cells = [
            shown(settings, value.from, is_local)?,
            shown(settings, value.until, is_local)?,
            amount,
            quality_word(value.quality).to_owned(),
        ];
        lines.push(cells.join(separator));
    }
    Ok(file(&first.point, lines))
}

// Several directions of one metering point beside each other.
fn columns(
    settings: &Settings<'_>,
    series: &[Series],
    is_local: bool,
    header: Vec<String>,
) -> Result<File, Error> {
    let separator = if is_local { ";" } else { "," };
    let mut rows: BTreeMap<(i64, i64), Vec<String>> = BTreeMap::new();
    for (place, one) in series.iter().enumerate() {
        for value in one.values.iter().filter(|value| value.quality != Quality::Missing) {
            let row =
                rows.entry((value.from, value.until)).or_insert_with(|| vec![String::new(); series.len()]);
            if let Some(cell) = row.get_mut(place) {
                *cell = decimal(&value.kwh, is_local);
            }
        }
    }
    let mut lines = vec![header.join(separator)];
    for ((from, until), amounts) in rows {
        let mut cells = vec![shown(settings, from, is_local)?, shown(settings, until, is_local)?];
        cells.extend(amounts);
        lines.push(cells.join(separator));
    }
    let point = series.first().map(|one| one.point.as_str()).unwrap_or_default();
    Ok(file(point, lines))
}

fn file(point: &str, mut lines: Vec<String>) -> File {
    lines.push(String::new());
    File {
        name: format!("elhub-{point}.csv"),
        media_type: "text/csv".to_owned(),
        body: lines.join("\r\n").into_bytes(),
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Consumption => "Forbruk",
        Direction::Production => "Produksjon",
    }
}

fn quality_word(quality: Quality) -> &'static str {
    match quality {
        Quality::Measured => "Målt",
        Quality::Estimated => "Estimert",
        Quality::Missing => "Mangler",
    }
}

fn decimal(kwh: &str, is_local: bool) -> String {
    if is_local { kwh.replace('.', ",") } else { kwh.to_owned() }
}

fn shown(settings: &Settings<'_>, at: i64, is_local: bool) -> Result<String, Error> {
    if !is_local {
        return time::in_zone(at, settings.zone);
    }
    let civil = Civil::of(at + 1_000 * i64::from(time::offset(at, settings.zone)?));
    let (hour, minute) = civil.hour_minute();
    Ok(format!("{:02}.{:02}.{:04} {hour:02}:{minute:02}", civil.day, civil.month, civil.year))
}
